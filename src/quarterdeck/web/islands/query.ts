// The query box: completion while typing, by keyboard as WAI-ARIA's combobox pattern has it.
// See https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
//
//   <div class="qd-query" data-completions="/items/completions"> <input role="combobox" …> <ul role="listbox" hidden>
//
// The server answers [{"text": "role:", "hint": "…", "start": 4, "end": 6}]: what to write over [start, end).

interface Completion {
  text: string;
  hint: string;
  start: number;
  end: number;
}

class QueryBox {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private options: Completion[] = [];
  private at = -1;
  private turn = 0;
  private timer = 0;

  constructor(private readonly box: HTMLElement) {
    this.input = box.querySelector("input")!;
    this.list = box.querySelector("[role=listbox]")!;
    this.input.addEventListener("input", () => this.askSoon());
    this.input.addEventListener("focus", () => this.askSoon());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("mousedown", (event) => this.onMouse(event));
    box.querySelector("[data-clear]")?.addEventListener("click", () => this.clear());
  }

  private askSoon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), 100);
  }

  private async ask(): Promise<void> {
    const turn = ++this.turn;
    const cursor = this.input.selectionStart ?? this.input.value.length;
    const query = new URLSearchParams({ text: this.input.value, cursor: String(cursor) });
    const answer = await fetch(`${this.box.dataset["completions"]}?${query}`).catch(() => null);
    if (!answer?.ok || turn !== this.turn || document.activeElement !== this.input) return;
    this.show((await answer.json()) as Completion[]);
  }

  private show(options: Completion[]): void {
    this.options = options;
    this.at = -1;
    this.list.replaceChildren(...options.map((option, index) => this.row(option, index)));
    this.list.hidden = options.length === 0;
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    this.input.removeAttribute("aria-activedescendant");
  }

  private row(option: Completion, index: number): HTMLElement {
    const row = document.createElement("li");
    row.id = `${this.list.id}-${index}`;
    row.role = "option";
    row.ariaSelected = "false";
    const text = document.createElement("span");
    text.className = "font-mono";
    text.textContent = option.text;
    const hint = document.createElement("span");
    hint.className = "hint";
    hint.textContent = option.hint;
    row.append(text, hint);
    return row;
  }

  private mark(at: number): void {
    this.at = at;
    [...this.list.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === at)));
    const row = this.list.children[at];
    if (!row) return;
    row.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", row.id);
  }

  private take(index: number): void {
    const option = this.options[index];
    if (!option) return;
    const value = this.input.value;
    const rest = value.slice(option.end);
    const isTight = this.box.dataset["tight"] !== undefined;
    const space = isTight || option.text.endsWith(":") || rest.startsWith(" ") ? "" : " ";
    const head = value.slice(0, option.start) + option.text + space;
    this.input.value = head + rest;
    this.input.setSelectionRange(head.length, head.length);
    this.input.focus();
    this.askSoon();
  }

  private close(): void {
    clearTimeout(this.timer);
    this.turn++;
    this.show([]);
  }

  private clear(): void {
    this.input.value = "";
    this.input.form?.requestSubmit();
  }

  private onMouse(event: MouseEvent): void {
    const row = (event.target as Element).closest("li");
    if (!row) return;
    event.preventDefault();
    this.take([...this.list.children].indexOf(row));
  }

  private onKey(event: KeyboardEvent): void {
    const count = this.options.length;
    if (event.isComposing) return;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      event.preventDefault();
      this.mark((this.at + (event.key === "ArrowDown" ? 1 : this.at < 0 ? 0 : -1) + count) % count);
    } else if ((event.key === "Enter" || event.key === "Tab") && this.at >= 0) {
      event.preventDefault();
      this.take(this.at);
    } else if (event.key === "Escape" && count) {
      event.stopPropagation();
      this.close();
    }
  }
}

function start(root: ParentNode): void {
  for (const box of root.querySelectorAll<HTMLElement>(".qd-query[data-completions]:not([data-started])")) {
    box.dataset["started"] = "1";
    new QueryBox(box);
  }
}

export function startQueryBoxes(): void {
  start(document);
  document.addEventListener("htmx:afterSettle", () => start(document));
}

// The spans of a trace: a tree of which only the rows in sight exist, so that 10,000 of them cost what 40 do.
//
//   <div class="qd-wf" data-island="waterfall" data-url="/traces/4bf9…/spans" data-label="…" data-failed="…"
//        data-error="failed" data-orphan="parent missing" data-skew="clock adjusted" data-flame="…"
//        data-details="span-details"></div>
//   <button data-view="waterfall" aria-pressed="true">…</button> <button data-view="flame">…</button>
//   <section id="span-details" hidden></section>
//
// See spans.ts for what the server answers.
import htmx from "htmx.org";
import type { Island } from "./app";
import { palette, textElement } from "./drawing";
import { startFlame } from "./flame";
import { FAILED, hasChildren, inWords, ORPHAN, SKEWED, visibleSpans, type TraceData } from "./spans";

const ROW = 28;
const BEYOND = 10;
const INDENT = 12;
// Deeper spans stand no further to the right; their depth is told by a number.
const INDENTED_LEVELS = 16;

class Waterfall {
  private readonly list = document.createElement("div");
  private readonly rows = document.createElement("div");
  private readonly flame = document.createElement("div");
  private readonly folded = new Set<number>();
  private readonly critical = new Map<number, [number, number][]>();
  private readonly language = document.documentElement.lang || "en";
  private readonly buttons = [...document.querySelectorAll<HTMLButtonElement>("[data-view]")];
  private shown: number[] = [];
  private current = 0;
  private frame = 0;
  private drawFlame: (() => void) | null = null;
  private readonly observer = new ResizeObserver(() => this.later());

  constructor(private readonly element: HTMLElement, private readonly data: TraceData) {
    for (const [span, start, end] of data.critical) {
      this.critical.set(span, [...(this.critical.get(span) ?? []), [start, end]]);
    }
    this.list.className = "qd-wf-list";
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "tree");
    this.list.setAttribute("aria-label", element.dataset["label"] ?? "");
    this.rows.className = "qd-wf-rows";
    this.rows.setAttribute("role", "none");
    this.list.append(this.rows);
    this.flame.className = "qd-wf-flame";
    this.flame.hidden = true;
    this.flame.dataset["flame"] = element.dataset["flame"] ?? "";
    element.replaceChildren(this.list, this.flame);
    this.list.addEventListener("scroll", () => this.later(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("click", (event) => this.onClick(event));
    for (const button of this.buttons) button.addEventListener("click", this.onView);
    document.addEventListener("qd:theme", this.onTheme);
    this.observer.observe(this.list);
    this.arrange();
    element.dataset["ready"] = String(data.spans.length);
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    document.removeEventListener("qd:theme", this.onTheme);
    for (const button of this.buttons) button.removeEventListener("click", this.onView);
  }

  private readonly onTheme = (): void => {
    this.draw();
    this.drawFlame?.();
  };

  private readonly onView = (event: Event): void => {
    const isFlame = (event.currentTarget as HTMLElement).dataset["view"] === "flame";
    for (const button of this.buttons) {
      const isOn = (button.dataset["view"] === "flame") === isFlame;
      button.setAttribute("aria-pressed", String(isOn));
      button.classList.toggle("active", isOn);
    }
    this.list.hidden = isFlame;
    this.flame.hidden = !isFlame;
    if (isFlame) this.drawFlame = this.drawFlame ?? startFlame(this.flame, this.data, (index) => this.open(index));
    if (isFlame) this.drawFlame?.();
    else this.draw();
  };

  /** Find out anew which spans are not folded away. */
  private arrange(): void {
    this.shown = visibleSpans(this.data.spans, this.folded);
    this.rows.style.height = `${this.shown.length * ROW}px`;
    this.draw();
  }

  private later(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.shown.length, first + Math.ceil(this.list.clientHeight / ROW) + 2 * BEYOND);
    const colors = palette();
    const place = this.shown.indexOf(this.current);
    const wanted = new Set(Array.from({ length: Math.max(0, last - first) }, (_, offset) => first + offset));
    // What aria-activedescendant names has to exist, also when it is scrolled out of sight.
    if (place >= 0) wanted.add(place);
    this.rows.replaceChildren(...[...wanted].sort((a, b) => a - b).map((row) => this.row(row, colors)));
    this.list.setAttribute("aria-activedescendant", `qd-span-${this.current}`);
  }

  private row(place: number, colors: string[]): HTMLElement {
    const index = this.shown[place] ?? 0;
    const span = this.data.spans[index];
    const row = document.createElement("div");
    if (!span) return row;
    row.className = `qd-wf-row${index === this.current ? " is-current" : ""}`;
    row.id = `qd-span-${index}`;
    row.dataset["index"] = String(index);
    row.style.top = `${place * ROW}px`;
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", String(span[1] + 1));
    row.setAttribute("aria-selected", String(index === this.current));
    if (hasChildren(this.data.spans, index)) row.setAttribute("aria-expanded", String(!this.folded.has(index)));
    row.append(this.name(index, colors), this.bar(index, colors));
    return row;
  }

  private name(index: number, colors: string[]): HTMLElement {
    const span = this.data.spans[index];
    const box = document.createElement("span");
    box.className = "qd-wf-name";
    if (!span) return box;
    box.style.paddingLeft = `${8 + Math.min(span[1], INDENTED_LEVELS) * INDENT}px`;
    const fold = textElement("span", hasChildren(this.data.spans, index) ? (this.folded.has(index) ? "▸" : "▾") : "", "qd-wf-fold");
    fold.setAttribute("aria-hidden", "true");
    const dot = textElement("i", "");
    dot.style.background = colors[span[4] % colors.length] ?? "";
    if (span[1] > INDENTED_LEVELS) box.append(textElement("span", `${span[1]}`, "qd-muted"));
    box.append(fold, dot, textElement("b", this.data.services[span[4]] ?? ""));
    box.append(textElement("span", this.data.names[span[5]] ?? "", "qd-wf-operation"));
    const marks: [number, string | undefined][] = [
      [FAILED, this.element.dataset["error"]], [ORPHAN, this.element.dataset["orphan"]],
      [SKEWED, this.element.dataset["skew"]],
    ];
    for (const [flag, text] of marks) {
      if (span[7] & flag) box.append(textElement("span", text ?? "", `qd-badge${flag === FAILED ? " bad" : ""}`));
    }
    return box;
  }

  private bar(index: number, colors: string[]): HTMLElement {
    const span = this.data.spans[index];
    const box = document.createElement("span");
    box.className = "qd-wf-time";
    if (!span) return box;
    const share = (value: number): string => `${(100 * value) / Math.max(1, this.data.duration)}%`;
    const bar = textElement("i", "", "qd-wf-bar");
    bar.style.left = share(span[2]);
    bar.style.width = share(span[3]);
    bar.style.background = colors[span[4] % colors.length] ?? "";
    box.append(bar);
    for (const [start, end] of this.critical.get(index) ?? []) {
      const line = textElement("i", "", "qd-wf-critical");
      line.style.left = share(start);
      line.style.width = share(end - start);
      box.append(line);
    }
    const label = textElement("span", inWords(span[3], this.language), "qd-wf-duration");
    // On the side where there is room.
    if (span[2] > this.data.duration / 2) label.style.right = share(this.data.duration - span[2]);
    else label.style.left = `min(calc(${share(span[2] + span[3])} + 4px), calc(100% - 6rem))`;
    box.append(label);
    return box;
  }

  private onClick(event: Event): void {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>("[data-index]");
    if (!row) return;
    const index = Number(row.dataset["index"]);
    if (target.closest(".qd-wf-fold") && hasChildren(this.data.spans, index)) {
      this.fold(index, !this.folded.has(index));
    } else {
      this.go(index);
      this.open(index);
    }
  }

  private onKey(event: KeyboardEvent): void {
    const place = Math.max(0, this.shown.indexOf(this.current));
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1);
    const steps: Record<string, number> = {
      ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0,
      End: this.shown.length - 1,
    };
    const step = steps[event.key];
    if (step !== undefined) this.go(this.shown[Math.min(Math.max(step, 0), this.shown.length - 1)] ?? 0);
    else if (event.key === "ArrowRight") this.unfoldOrEnter();
    else if (event.key === "ArrowLeft") this.foldOrLeave();
    else if (event.key === "Enter" || event.key === " ") this.open(this.current);
    else return;
    event.preventDefault();
  }

  private unfoldOrEnter(): void {
    if (!hasChildren(this.data.spans, this.current)) return;
    if (this.folded.has(this.current)) this.fold(this.current, false);
    else this.go(this.current + 1);
  }

  private foldOrLeave(): void {
    if (hasChildren(this.data.spans, this.current) && !this.folded.has(this.current)) this.fold(this.current, true);
    else this.go(Math.max(0, this.data.spans[this.current]?.[0] ?? 0));
  }

  private fold(index: number, isFolded: boolean): void {
    if (isFolded) this.folded.add(index);
    else this.folded.delete(index);
    this.current = index;
    this.arrange();
  }

  private go(index: number): void {
    this.current = index;
    const top = this.shown.indexOf(index) * ROW;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const bottom = top + ROW - this.list.clientHeight;
    if (bottom > this.list.scrollTop) this.list.scrollTop = bottom;
    this.draw();
  }

  /** Show all that a span says, below the waterfall. */
  private open(index: number): void {
    const span = this.data.spans[index];
    const details = document.getElementById(this.element.dataset["details"] ?? "");
    if (!span || !details) return;
    details.hidden = false;
    const address = `${this.element.dataset["url"] ?? ""}/${span[8]}?kind=${encodeURIComponent(span[6])}`;
    void htmx.ajax("get", address, { target: details, swap: "innerHTML" });
  }
}

const waterfall: Island = (element) => {
  let one: Waterfall | null = null;
  let isOver = false;
  void fetch(element.dataset["url"] ?? "")
    .then(async (answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      const data = (await answer.json()) as TraceData;
      if (!isOver) one = new Waterfall(element, data);
    })
    .catch(() => element.replaceChildren(textElement("p", element.dataset["failed"] ?? "", "qd-muted p-3")));
  return () => {
    isOver = true;
    one?.stop();
  };
};
export default waterfall;

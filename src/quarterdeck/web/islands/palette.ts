// Ctrl-K: one search over items, pages, actions and what else the server registers. The server renders the hits
// (/search/palette?text=…) as <a role="option">; this moves through them by keyboard.

let latest = 0;

async function search(dialog: HTMLDialogElement, text: string): Promise<void> {
  const list = dialog.querySelector<HTMLElement>("[data-hits]")!;
  const turn = ++latest;
  const url = `${dialog.dataset["url"]}?text=${encodeURIComponent(text)}`;
  const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
  // An answer that comes after a newer question is not shown.
  if (!answer?.ok || turn !== latest) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  list.replaceChildren(...parsed.body.childNodes);
  mark(dialog, 0);
}

function hits(dialog: HTMLDialogElement): HTMLElement[] {
  return [...dialog.querySelectorAll<HTMLElement>("[role=option]")];
}

function mark(dialog: HTMLDialogElement, index: number): void {
  const all = hits(dialog);
  const input = dialog.querySelector<HTMLInputElement>("input")!;
  all.forEach((hit, at) => hit.setAttribute("aria-selected", String(at === index)));
  const chosen = all[index];
  if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
  else input.removeAttribute("aria-activedescendant");
  chosen?.scrollIntoView({ block: "nearest" });
}

function onKey(dialog: HTMLDialogElement, event: KeyboardEvent): void {
  const all = hits(dialog);
  const at = all.findIndex((hit) => hit.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(dialog, (at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % Math.max(all.length, 1));
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    all[at]?.click();
  }
}

function open(dialog: HTMLDialogElement): void {
  if (dialog.open) return;
  dialog.showModal();
  const input = dialog.querySelector<HTMLInputElement>("input")!;
  input.select();
  void search(dialog, input.value);
}

export function startPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#qd-palette");
  if (!dialog) return;
  let timer = 0;
  const input = dialog.querySelector<HTMLInputElement>("input")!;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void search(dialog, input.value), 120);
  });
  dialog.addEventListener("keydown", (event) => onKey(dialog, event));
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-palette]")) open(dialog);
  });
  document.addEventListener("keydown", (event) => {
    const typing = (event.target as Element).closest("input, textarea, select, [contenteditable]");
    if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing)) {
      event.preventDefault();
      open(dialog);
    }
  });
}

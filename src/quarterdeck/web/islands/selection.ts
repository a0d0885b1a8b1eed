// Rows that are chosen: `<table data-selectable>` with a checkbox in each row and one in the head. Shift-click takes a
// range. The bar `[data-bulk]` shows while something is chosen; `[data-count]` in it says how many.

let last: HTMLInputElement | null = null;

function boxes(table: Element): HTMLInputElement[] {
  return [...table.querySelectorAll<HTMLInputElement>("tbody input[type=checkbox][name=id]")];
}

function renew(table: Element): void {
  const all = boxes(table);
  const chosen = all.filter((box) => box.checked);
  for (const box of all) box.closest("tr")?.classList.toggle("is-selected", box.checked);
  const head = table.querySelector<HTMLInputElement>("thead input[type=checkbox]");
  if (head) {
    head.checked = chosen.length > 0 && chosen.length === all.length;
    head.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
  const scope = table.closest("form, [data-selection]") ?? document;
  for (const bar of scope.querySelectorAll<HTMLElement>("[data-bulk]")) bar.hidden = chosen.length === 0;
  for (const count of scope.querySelectorAll("[data-count]")) count.textContent = String(chosen.length);
}

function onChange(event: Event): void {
  const box = event.target as HTMLInputElement;
  const table = box.closest?.("table[data-selectable]");
  if (!table || box.type !== "checkbox") return;
  if (box.closest("thead")) for (const other of boxes(table)) other.checked = box.checked;
  renew(table);
}

function onClick(event: MouseEvent): void {
  const box = event.target as HTMLInputElement;
  if (!(box instanceof HTMLInputElement) || !box.matches("tbody input[name=id]")) return;
  const table = box.closest("table[data-selectable]");
  if (table && event.shiftKey && last && table.contains(last)) {
    const all = boxes(table);
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b) as [number, number];
    for (const other of all.slice(from, to + 1)) other.checked = box.checked;
    renew(table);
  }
  last = box;
}

export function startSelection(): void {
  document.addEventListener("change", onChange);
  document.addEventListener("click", onClick);
  document.addEventListener("htmx:afterSettle", () =>
    document.querySelectorAll("table[data-selectable]").forEach(renew),
  );
}

// Short messages: from the server (`HX-Trigger: {"toast": {...}}`, or messages in the page) and from islands.

export interface Toast {
  text: string;
  hint?: string;
  level?: "good" | "warn" | "bad";
}

/** Show a message; it leaves after ten seconds, unless it is an error or somebody is at it. */
export function toast({ text, hint = "", level = "good" }: Toast): void {
  const box = document.querySelector<HTMLElement>(".qd-toasts");
  const template = document.querySelector<HTMLTemplateElement>("#qd-toast");
  if (!box || !template) return;
  const element = (template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
  element.classList.add(level);
  (element.querySelector("[data-text]") as HTMLElement).textContent = text;
  (element.querySelector("[data-hint]") as HTMLElement).textContent = hint;
  box.append(element);
  if (level !== "bad") leaveLater(element);
}

function leaveLater(element: HTMLElement): void {
  setTimeout(() => {
    if (element.matches(":hover, :focus-within")) leaveLater(element);
    else element.remove();
  }, 10_000);
}

export function startToasts(): void {
  document.addEventListener("toast", (event) => toast((event as CustomEvent<Toast>).detail));
  document.addEventListener("click", (event) => {
    (event.target as Element).closest("[data-toast-close]")?.closest(".qd-toast")?.remove();
  });
  document.addEventListener("htmx:sendError", () => {
    const text = document.querySelector<HTMLElement>(".qd-toasts")?.dataset["offline"];
    if (text) toast({ text, level: "bad" });
  });
  for (const element of document.querySelectorAll<HTMLElement>(".qd-toast.good")) leaveLater(element);
}

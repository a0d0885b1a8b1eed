// Theme, the sidebar on small screens, forms that submit when a choice changes.

/** `<button data-theme-choice="dark">`: light, dark or auto; kept in a cookie so that the server knows it too. */
function chooseTheme(choice: string): void {
  const year = 365 * 24 * 3600;
  document.cookie = `qd_theme=${choice};path=/;max-age=${year};samesite=lax`;
  applyTheme(choice);
}

function applyTheme(choice: string): void {
  const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset["themeChoice"] = choice;
  document.documentElement.dataset["bsTheme"] = dark ? "dark" : "light";
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-choice]")) {
    if (button !== document.documentElement) {
      button.setAttribute("aria-pressed", String(button.dataset["themeChoice"] === choice));
    }
  }
  document.dispatchEvent(new CustomEvent("qd:theme"));
}

function toggleNavigation(open: boolean): void {
  document.body.classList.toggle("qd-nav-open", open);
  const button = document.querySelector<HTMLElement>("[data-nav-open]");
  button?.setAttribute("aria-expanded", String(open));
  if (open) document.querySelector<HTMLElement>(".qd-sidebar a")?.focus();
  else if (document.activeElement?.closest(".qd-sidebar")) button?.focus();
}

/** `<details data-open-wide>` starts open where there is room beside the content. */
function openWide(): void {
  const isWide = matchMedia("(min-width: 1280px)").matches;
  for (const details of document.querySelectorAll<HTMLDetailsElement>("details[data-open-wide]:not([data-seen])")) {
    details.dataset["seen"] = "1";
    details.open = isWide;
  }
}

/** A row of tabs that is wider than the screen begins at the chosen one; the page itself stays where it is. */
function showCurrentTabs(): void {
  for (const row of document.querySelectorAll<HTMLElement>(".qd-tabs")) {
    const tab = row.querySelector<HTMLElement>('[aria-current="page"]');
    if (!tab || row.scrollWidth <= row.clientWidth) continue;
    const [outer, inner] = [row.getBoundingClientRect(), tab.getBoundingClientRect()];
    row.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
  }
}

export function startShell(): void {
  const root = document.documentElement;
  applyTheme(root.dataset["themeChoice"] ?? "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    applyTheme(root.dataset["themeChoice"] ?? "auto"),
  );
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const theme = target.closest<HTMLElement>("button[data-theme-choice]");
    if (theme) chooseTheme(theme.dataset["themeChoice"] ?? "auto");
    if (target.closest("[data-nav-open]")) toggleNavigation(true);
    if (target.closest("[data-nav-close]")) toggleNavigation(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggleNavigation(false);
  });
  document.addEventListener("htmx:afterSettle", openWide);
  openWide();
  showCurrentTabs();
  document.addEventListener("change", (event) => {
    const input = event.target as HTMLInputElement;
    if (input.dataset["autosubmit"] !== undefined) input.form?.requestSubmit();
  });
}

// The one script of every page: htmx, the shell, and islands that load when their element is on the page.
import htmx from "htmx.org";
import "bootstrap/js/dist/dropdown";
import { startDialogs } from "./dialogs";
import { startForms } from "./forms";
import { startPalette } from "./palette";
import { startQueryBoxes } from "./query";
import { startSelection } from "./selection";
import { startShell } from "./shell";
import { startTimes } from "./times";
import { startToasts } from "./toasts";

/** An island draws into `element` and returns what stops it, if anything has to be stopped. */
export type Island = (element: HTMLElement) => void | (() => void);

const islands: Record<string, () => Promise<{ default: Island }>> = {
  chart: () => import("./chart"),
  explorer: () => import("./explorer"),
  panel: () => import("./panel"),
  board: () => import("./board"),
  sparkline: () => import("./sparkline"),
  graph: () => import("./graph"),
  scatter: () => import("./scatter"),
  waterfall: () => import("./waterfall"),
  "log-bars": () => import("./log-bars"),
  "log-tail": () => import("./log-tail"),
  run: () => import("./run"),
  terminal: () => import("./terminal"),
  replay: () => import("./replay"),
};
const running = new Map<HTMLElement, () => void>();

async function mount(element: HTMLElement): Promise<void> {
  const name = element.dataset["island"] ?? "";
  const load = islands[name];
  if (!load || element.dataset["mounted"]) return;
  element.dataset["mounted"] = "1";
  const stop = (await load()).default(element);
  if (stop) running.set(element, stop);
}

function mountAll(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-island]")) void mount(element);
  for (const [element, stop] of running) {
    if (element.isConnected) continue;
    stop();
    running.delete(element);
  }
}

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
document.addEventListener("htmx:afterSettle", () => mountAll(document));
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  if (token) (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] = token;
});

startShell();
startToasts();
startDialogs();
startForms();
startTimes();
startPalette();
startQueryBoxes();
startSelection();
mountAll(document);

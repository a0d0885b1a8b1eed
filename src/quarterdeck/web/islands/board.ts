// Panels of a board that is edited: their handles are dragged, or moved with the arrow keys; with Shift the size changes.
//
//   <div data-island="board" data-address="/dashboards/hosts" data-version="3" data-failed="…">
//   <div class="qd-board"><section data-panel="1" data-column="1" data-row="1" data-width="12" data-height="8">
//     <button data-handle>
//
// The server places the panels; the page is loaded again with what it has made of the move.
import type { Island } from "./app";
import { textElement } from "./drawing";

const COLUMNS = 24;
const ROW_PIXELS = 36;
const GAP_PIXELS = 12;
const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

function placeOf(panel: HTMLElement): Place {
  const of = (name: string): number => Number(panel.dataset[name]);
  return { x: of("column") - 1, y: of("top"), w: of("width"), h: of("height") };
}

class Board {
  private readonly handles = [...document.querySelectorAll<HTMLElement>("[data-handle]")];
  private readonly stops: (() => void)[] = [];

  constructor(private readonly element: HTMLElement) {
    for (const handle of this.handles) {
      const panel = handle.closest<HTMLElement>("[data-panel]");
      if (!panel) continue;
      const onKey = (event: KeyboardEvent): void => this.onKey(event, panel);
      const onDown = (event: PointerEvent): void => this.onDown(event, handle, panel);
      handle.addEventListener("keydown", onKey);
      handle.addEventListener("pointerdown", onDown);
      this.stops.push(() => {
        handle.removeEventListener("keydown", onKey);
        handle.removeEventListener("pointerdown", onDown);
      });
    }
    this.focusAgain();
  }

  stop(): void {
    for (const stop of this.stops) stop();
  }

  /** After a move by keys the page is another: the handle has the focus again. */
  private focusAgain(): void {
    const moved = sessionStorage.getItem("qd-moved");
    sessionStorage.removeItem("qd-moved");
    if (moved) document.querySelector<HTMLElement>(`[data-panel="${CSS.escape(moved)}"] [data-handle]`)?.focus();
  }

  private onKey(event: KeyboardEvent, panel: HTMLElement): void {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const place = placeOf(panel);
    // A step of one row would be taken back where the next panel is higher: it is passed whole.
    const [dx, dy] = step;
    if (event.shiftKey) void this.send(panel, { ...place, w: place.w + dx, h: place.h + dy });
    else void this.send(panel, { ...place, x: place.x + dx, y: place.y + dy * this.distance(panel, place, dy) });
  }

  /** How far up or down the neighbour in these columns reaches. */
  private distance(panel: HTMLElement, place: Place, dy: number): number {
    const others = [...document.querySelectorAll<HTMLElement>("[data-panel]")].filter((one) => one !== panel).map(placeOf);
    const beside = others.filter((other) => other.x < place.x + place.w && place.x < other.x + other.w);
    const next = beside
      .filter((other) => (dy > 0 ? other.y >= place.y + place.h : other.y < place.y))
      .sort((a, b) => dy * (a.y - b.y))[0];
    if (!next) return 1;
    return dy > 0 ? next.y + next.h - place.y : place.y - next.y;
  }

  private onDown(event: PointerEvent, handle: HTMLElement, panel: HTMLElement): void {
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const start = { x: event.clientX, y: event.clientY };
    const column = (panel.parentElement!.clientWidth + GAP_PIXELS) / COLUMNS;
    const moved = (at: PointerEvent): Place => {
      const place = placeOf(panel);
      const dx = Math.round((at.clientX - start.x) / column);
      const dy = Math.round((at.clientY - start.y) / (ROW_PIXELS + GAP_PIXELS));
      return { ...place, x: place.x + dx, y: place.y + dy };
    };
    const onMove = (at: PointerEvent): void => {
      panel.style.transform = `translate(${at.clientX - start.x}px, ${at.clientY - start.y}px)`;
    };
    const onUp = (at: PointerEvent): void => {
      handle.removeEventListener("pointermove", onMove);
      const place = moved(at);
      const before = placeOf(panel);
      panel.style.transform = "";
      if (place.x !== before.x || place.y !== before.y) void this.send(panel, place);
    };
    panel.classList.add("is-moving");
    handle.addEventListener("pointermove", onMove);
    handle.addEventListener("pointerup", onUp, { once: true });
    handle.addEventListener("lostpointercapture", () => panel.classList.remove("is-moving"), { once: true });
  }

  private async send(panel: HTMLElement, place: Place): Promise<void> {
    const body = new URLSearchParams({ version: this.element.dataset["version"] ?? "" });
    body.set("w", String(Math.max(1, Math.min(COLUMNS, place.w))));
    body.set("h", String(Math.max(1, place.h)));
    body.set("x", String(Math.max(0, place.x)));
    body.set("y", String(Math.max(0, place.y)));
    const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
    const address = `${this.element.dataset["address"]}/panels/${panel.dataset["panel"]}/move`;
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body }).catch(() => null);
    if (!answer?.ok) {
      const note = textElement("p", this.element.dataset["failed"] ?? "", "qd-bad");
      note.setAttribute("role", "alert");
      return this.element.replaceChildren(note);
    }
    sessionStorage.setItem("qd-moved", panel.dataset["panel"] ?? "");
    location.reload();
  }
}

const board: Island = (element) => {
  const one = new Board(element);
  return () => one.stop();
};
export default board;

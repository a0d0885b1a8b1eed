// Choosing a stretch of a chart by dragging over it, with a shade that follows the pointer.

const LEAST_PIXELS = 4;

/** Where both ends of a drag are, in pixels from the left of the element. */
type Chosen = (from: number, to: number) => void;

export class Dragging {
  readonly shade = document.createElement("div");
  private from: number | null = null;

  /** `keeps`: the shade stays when the drag is over. Dragging with Shift is not ours. */
  constructor(
    private readonly element: HTMLElement,
    private readonly onChosen: Chosen,
    private readonly keeps = false,
  ) {
    this.shade.className = "qd-bars-shade";
    this.shade.hidden = true;
    element.append(this.shade);
    element.addEventListener("pointerdown", (event) => this.begin(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.end(event));
    element.addEventListener("pointercancel", () => this.clear());
  }

  clear(): void {
    this.from = null;
    this.shade.hidden = true;
  }

  private x(event: PointerEvent): number {
    return event.clientX - this.element.getBoundingClientRect().left;
  }

  private begin(event: PointerEvent): void {
    if (event.button === 0 && !event.shiftKey) this.from = this.x(event);
  }

  private move(event: PointerEvent): void {
    if (this.from === null) return;
    const [left, right] = [this.from, this.x(event)].sort((a, b) => a - b) as [number, number];
    if (right - left <= LEAST_PIXELS) return;
    // Not before something is dragged: what has the pointer gets the click, and clicks are the drawing's.
    this.element.setPointerCapture(event.pointerId);
    this.shade.hidden = false;
    // In parts of the width: a window that is made narrower has nothing beyond its edge.
    const width = this.element.clientWidth || 1;
    this.shade.style.left = `${(left / width) * 100}%`;
    this.shade.style.width = `${((Math.min(right, width) - left) / width) * 100}%`;
  }

  private end(event: PointerEvent): void {
    if (this.from === null) return;
    const [left, right] = [this.from, this.x(event)].sort((a, b) => a - b) as [number, number];
    this.from = null;
    if (right - left <= LEAST_PIXELS) return;
    if (!this.keeps) this.shade.hidden = true;
    this.onChosen(left, right);
  }
}

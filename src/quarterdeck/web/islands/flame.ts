// A trace as a flame: each span below its parent, as wide as it lasted. Drawn on a canvas; a click opens a span.
import { font, palette, token } from "./drawing";
import { FAILED, type TraceData } from "./spans";

const ROW = 20;
// A canvas cannot be of any height; deeper spans are in the waterfall.
const DEPTH_MAX = 300;
const LEAST_TEXT_PIXELS = 36;

/** Draw into `holder`, and call `open` with the position of the span that is clicked. Returns what draws anew. */
export function startFlame(holder: HTMLElement, data: TraceData, open: (index: number) => void): () => void {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", holder.dataset["flame"] ?? "");
  holder.replaceChildren(canvas);
  const depth = Math.min(DEPTH_MAX, data.spans.reduce((most, span) => Math.max(most, span[1]), 0) + 1);
  const place = (index: number, width: number): [number, number, number] => {
    const span = data.spans[index];
    if (!span) return [0, 0, 0];
    const scale = width / Math.max(1, data.duration);
    return [span[2] * scale, span[1] * ROW, Math.max(1, span[3] * scale)];
  };
  const draw = (): void => {
    const width = holder.clientWidth;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = depth * ROW * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${depth * ROW}px`;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    context.font = `12px ${font()}`;
    context.textBaseline = "middle";
    const colors = palette();
    const [bad, paper] = [token("--qd-bad"), token("--qd-surface")];
    data.spans.forEach((span, index) => {
      if (span[1] >= DEPTH_MAX) return;
      const [x, y, long] = place(index, width);
      context.fillStyle = span[7] & FAILED ? bad : (colors[span[4] % colors.length] ?? "");
      context.fillRect(x, y + 1, Math.max(1, long - 1), ROW - 2);
      if (long < LEAST_TEXT_PIXELS) return;
      context.save();
      context.beginPath();
      context.rect(x, y, long - 4, ROW);
      context.clip();
      context.fillStyle = paper;
      context.fillText(data.names[span[5]] ?? "", x + 4, y + ROW / 2);
      context.restore();
    });
  };
  canvas.addEventListener("click", (event) => {
    const [x, row] = [event.offsetX, Math.floor(event.offsetY / ROW)];
    const hit = data.spans.findIndex((span, index) => {
      const [left, , long] = place(index, holder.clientWidth);
      return span[1] === row && x >= left && x <= left + long;
    });
    if (hit >= 0) open(hit);
  });
  draw();
  return draw;
}

// Traces as points, duration over time; a click opens a trace, a rectangle that is drawn searches what lies in it.
//
//   <div data-island="scatter" data-source="points" data-trace-url="/traces/00000000" data-failed-name="failed"
//        data-ok-name="ok" data-query-param="q"></div>
//   <script type="application/json" id="points">[[ms since 1970, ms, failed, "trace", "service · operation"]]</script>
import type { Island } from "./app";
import { font, palette, startDrawing, textElement, token, tooltipStyle } from "./drawing";
import { absoluteTime } from "./times";
import { withUnit } from "./units";

type Point = [at: number, milliseconds: number, failed: boolean, trace: string, what: string];

function tip(point: Point): HTMLElement {
  const box = document.createElement("div");
  box.append(textElement("b", point[4]), textElement("div", absoluteTime(point[0]), "qd-muted"));
  box.append(textElement("div", withUnit(point[1], "ms")));
  return box;
}

function series(name: string, points: Point[], color: string, symbol: string): object {
  return { name, type: "scatter", data: points, symbol, symbolSize: 8, itemStyle: { color, opacity: 0.75 } };
}

function option(points: Point[], ok: string, failed: string): Record<string, unknown> {
  const muted = token("--qd-muted");
  const label = { color: muted, fontFamily: font(), fontSize: 12, hideOverlap: true };
  return {
    animation: false,
    grid: { left: 72, right: 16, top: 36, bottom: 28 },
    legend: { top: 6, right: 12, textStyle: { color: muted, fontFamily: font() } },
    tooltip: { trigger: "item", ...tooltipStyle(), formatter: (hit: { value: Point }) => tip(hit.value) },
    xAxis: {
      type: "time", axisLabel: label, axisLine: { lineStyle: { color: token("--qd-line") } },
      axisTick: { show: false }, splitLine: { show: false },
    },
    yAxis: {
      type: points.some((point) => point[1] <= 0) ? "value" : "log",
      axisLabel: { ...label, formatter: (value: number) => withUnit(value, "ms") },
      splitLine: { lineStyle: { color: token("--qd-line") } },
    },
    series: [
      // Shape tells it as well as colour.
      series(ok, points.filter((point) => !point[2]), palette()[0] ?? "", "circle"),
      series(failed, points.filter((point) => point[2]), token("--qd-bad"), "diamond"),
    ],
  };
}

// A hand that moves a little while it clicks draws no rectangle.
const LEAST_PIXELS = 6;

type Corner = [at: number, milliseconds: number];

/** The query for what began and lasted between two corners, as the query box would have it. */
export function within(query: string, one: Corner, other: Corner): string {
  const [from, to] = [Math.min(one[0], other[0]), Math.max(one[0], other[0])].map((at) => new Date(at).toISOString());
  const [least, most] = [Math.min(one[1], other[1]), Math.max(one[1], other[1])].map((ms) => Math.max(0, Math.round(ms * 1000)));
  const mine = `time:["${from}" TO "${to}"] duration:[${least}us TO ${most}us]`;
  return query.trim() ? `(${query.trim()}) ${mine}` : mine;
}

function searchWithin(parameter: string, one: Corner, other: Corner): void {
  const address = new URL(location.href);
  address.searchParams.set(parameter, within(address.searchParams.get(parameter) ?? "", one, other));
  location.assign(address);
}

/** Let a rectangle be drawn over `element`; `done` gets its corners in pixels. Returns what ends it. */
function startSelecting(element: HTMLElement, done: (from: [number, number], to: [number, number]) => void): () => void {
  const box = textElement("div", "", "qd-scatter-box");
  let from: [number, number] | null = null;
  const place = (event: PointerEvent): [number, number] => {
    const edge = element.getBoundingClientRect();
    const inside = (value: number, size: number): number => Math.min(Math.max(value, 0), size);
    return [inside(event.clientX - edge.left, edge.width), inside(event.clientY - edge.top, edge.height)];
  };
  const onDown = (event: PointerEvent): void => {
    if (event.button === 0 && event.pointerType !== "touch") from = place(event);
  };
  const onMove = (event: PointerEvent): void => {
    if (!from) return;
    const to = place(event);
    if (!box.isConnected && Math.hypot(to[0] - from[0], to[1] - from[1]) < LEAST_PIXELS) return;
    element.append(box);
    box.style.left = `${Math.min(from[0], to[0])}px`;
    box.style.top = `${Math.min(from[1], to[1])}px`;
    box.style.width = `${Math.abs(to[0] - from[0])}px`;
    box.style.height = `${Math.abs(to[1] - from[1])}px`;
  };
  const onUp = (event: PointerEvent): void => {
    if (from && box.isConnected) done(from, place(event));
    from = null;
    box.remove();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    from = null;
    box.remove();
  };
  element.addEventListener("pointerdown", onDown);
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerup", onUp);
  document.addEventListener("keydown", onKey);
  return () => {
    element.removeEventListener("pointerdown", onDown);
    document.removeEventListener("pointermove", onMove);
    document.removeEventListener("pointerup", onUp);
    document.removeEventListener("keydown", onKey);
  };
}

const scatter: Island = (element) => {
  const source = document.getElementById(element.dataset["source"] ?? "");
  const points = JSON.parse(source?.textContent ?? "[]") as Point[];
  const { drawing, stop } = startDrawing(element);
  const draw = (): void => {
    drawing.setOption(option(points, element.dataset["okName"] ?? "", element.dataset["failedName"] ?? ""), true);
  };
  draw();
  let isDrawn = false;
  const stopSelecting = startSelecting(element, (from, to) => {
    isDrawn = true;
    const corners = [from, to].map((pixels) => drawing.convertFromPixel({ gridIndex: 0 }, pixels) as Corner);
    const [one, other] = corners;
    if (one && other) searchWithin(element.dataset["queryParam"] ?? "q", one, other);
  });
  drawing.on("click", (hit) => {
    // The end of a rectangle is no click on what lies below it.
    if (isDrawn) return;
    const trace = (hit.value as Point | undefined)?.[3];
    if (trace) location.assign((element.dataset["traceUrl"] ?? "").replace("00000000", encodeURIComponent(trace)));
  });
  document.addEventListener("qd:theme", draw);
  return () => {
    document.removeEventListener("qd:theme", draw);
    stopSelecting();
    stop();
  };
};
export default scatter;

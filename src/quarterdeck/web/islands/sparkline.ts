// A small line without axes, drawn as SVG: `<span data-island="sparkline" data-url=… data-refresh-seconds="10">`. The same
// answer as a chart's; only the first series is drawn. `data-value` in the nearest [data-spark] gets the last value.
import type { Island } from "./app";
import { withUnit } from "./units";

const space = "http://www.w3.org/2000/svg";

interface Answer {
  unit: string;
  maximum: number | null;
  since: number;
  until: number;
  series: { points: [number, number | null][] }[];
}

function path(points: [number, number][], width: number, height: number, data: Answer): string {
  const top = data.maximum ?? Math.max(...points.map(([, value]) => value), Number.MIN_VALUE);
  const x = (at: number): number => ((at - data.since) / (data.until - data.since)) * width;
  const y = (value: number): number => height - 1 - (Math.min(value, top) / top) * (height - 2);
  return points.map(([at, value], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}

function draw(element: HTMLElement, data: Answer): void {
  const points = (data.series[0]?.points ?? []).filter((point): point is [number, number] => point[1] !== null);
  const last = points.at(-1);
  const value = element.closest("[data-spark]")?.querySelector("[data-value]");
  if (value && last) value.textContent = withUnit(last[1], data.unit);
  if (points.length < 2 || !last) return;
  const [width, height] = [240, 44];
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = path(points, width, height, data);
  const start = ((points[0]![0] - data.since) / (data.until - data.since)) * width;
  const end = ((last[0] - data.since) / (data.until - data.since)) * width;
  for (const [css, d] of [["area", `${line}L${end} ${height}L${start} ${height}Z`], ["line", line]] as const) {
    const shape = document.createElementNS(space, "path");
    shape.setAttribute("class", css);
    shape.setAttribute("d", d);
    svg.append(shape);
  }
  element.replaceChildren(svg);
}

const sparkline: Island = (element) => {
  const load = async (): Promise<void> => {
    if (document.hidden && element.firstChild) return;
    const answer = await fetch(element.dataset["url"] ?? "").catch(() => null);
    if (answer?.ok) draw(element, (await answer.json()) as Answer);
  };
  void load();
  const timer = setInterval(() => void load(), Number(element.dataset["refreshSeconds"] ?? "10") * 1000);
  return () => clearInterval(timer);
};
export default sparkline;

// Traces as points, duration over time; a click opens a trace.
//
//   <div data-island="scatter" data-source="points" data-trace-url="/traces/00000000" data-failed-name="failed"
//        data-ok-name="ok"></div>
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

const scatter: Island = (element) => {
  const source = document.getElementById(element.dataset["source"] ?? "");
  const points = JSON.parse(source?.textContent ?? "[]") as Point[];
  const { drawing, stop } = startDrawing(element);
  const draw = (): void => {
    drawing.setOption(option(points, element.dataset["okName"] ?? "", element.dataset["failedName"] ?? ""), true);
  };
  draw();
  drawing.on("click", (hit) => {
    const trace = (hit.value as Point | undefined)?.[3];
    if (trace) location.assign((element.dataset["traceUrl"] ?? "").replace("00000000", encodeURIComponent(trace)));
  });
  document.addEventListener("qd:theme", draw);
  return () => {
    document.removeEventListener("qd:theme", draw);
    stop();
  };
};
export default scatter;

// Traces as points, duration over time; a click opens a trace, a rectangle that is dragged limits the search to it.
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
    brush: {
      xAxisIndex: 0, yAxisIndex: 0, brushType: "rect", brushMode: "single", transformable: false, toolbox: [],
      brushStyle: { color: token("--qd-sea-soft"), borderColor: token("--qd-sea"), borderWidth: 1, opacity: 0.5 },
    },
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

/** The address of the same search within a rectangle of times and durations (both in milliseconds). */
export function narrowed(address: URL, times: [number, number], durations: [number, number]): string {
  const moment = (at: number): string => new Date(at).toISOString();
  const microseconds = (value: number): string => `${Math.max(0, Math.floor(value * 1000))}us`;
  const within = [
    `duration:[${microseconds(durations[0])} TO ${microseconds(durations[1] + 0.001)}]`,
    `time:[${moment(times[0])} TO ${moment(times[1] + 1)}]`,
  ].join(" ");
  const query = address.searchParams.get("q")?.trim() ?? "";
  address.searchParams.set("q", query ? `(${query}) ${within}` : within);
  return address.href;
}

const scatter: Island = (element) => {
  const source = document.getElementById(element.dataset["source"] ?? "");
  const points = JSON.parse(source?.textContent ?? "[]") as Point[];
  const { drawing, stop } = startDrawing(element);
  const draw = (): void => {
    drawing.setOption(option(points, element.dataset["okName"] ?? "", element.dataset["failedName"] ?? ""), true);
    drawing.dispatchAction({
      type: "takeGlobalCursor", key: "brush", brushOption: { brushType: "rect", brushMode: "single" },
    });
  };
  draw();
  drawing.on("click", (hit) => {
    const trace = (hit.value as Point | undefined)?.[3];
    if (trace) location.assign((element.dataset["traceUrl"] ?? "").replace("00000000", encodeURIComponent(trace)));
  });
  drawing.on("brushEnd", (event) => {
    const area = (event as { areas?: { coordRange?: [[number, number], [number, number]] }[] }).areas?.[0]?.coordRange;
    if (area) location.assign(narrowed(new URL(location.href), area[0], area[1]));
  });
  document.addEventListener("qd:theme", draw);
  return () => {
    document.removeEventListener("qd:theme", draw);
    stop();
  };
};
export default scatter;

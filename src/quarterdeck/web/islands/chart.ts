// One panel of an item's metrics; it asks for its data again every `data-refresh-seconds`, while it can be seen.
//
//   <div data-island="chart" data-url="/items/7/charts/cpu?range=1h" data-refresh-seconds="10" data-group="item-7"
//        data-title="CPU" data-empty="No samples in this time" data-failed="…" data-summary="{name}: now {now}, …"></div>
//
// The server answers {"unit", "stacked", "maximum", "since", "until", "series": [{"name", "points": [[ms, value]]}],
// "marks": [[ms, severity, text]]}; marks are what happened to the item: dashed lines that the tooltip explains.
import type { Island } from "./app";
import { calm, connect, font, palette, startDrawing, textElement, token, tooltipStyle } from "./drawing";
import type { EChartsType } from "./drawing";
import { markData, markNotes, markWords, type Mark } from "./marks";
import { absoluteTime } from "./times";
import { niceMaximum, withUnit } from "./units";

interface Series {
  name: string;
  points: [number, number | null][];
}

interface ChartData {
  unit: string;
  stacked: boolean;
  maximum: number | null;
  since: number;
  until: number;
  series: Series[];
  marks?: Mark[];
}

interface TooltipRow {
  seriesName: string;
  color: string;
  value: [number, number | null];
}

function markLine(data: ChartData): object {
  const lines = markData(data.marks ?? [], data.since, data.until);
  return { silent: true, animation: false, label: { show: false }, data: lines };
}

function tooltip(rows: TooltipRow[], data: ChartData): HTMLElement {
  const { unit } = data;
  const box = document.createElement("div");
  const first = rows[0];
  if (first) box.append(textElement("div", absoluteTime(first.value[0]), "qd-muted"));
  if (first) box.append(...markNotes(data.marks ?? [], first.value[0], data.since, data.until));
  for (const row of rows.filter((row) => row.value[1] !== null).slice(0, 16)) {
    const line = textElement("div", "", "qd-tip");
    const swatch = textElement("i", "");
    swatch.style.background = row.color;
    line.append(swatch, textElement("span", row.seriesName), textElement("b", withUnit(row.value[1] ?? 0, unit)));
    box.append(line);
  }
  return box;
}

function series(data: ChartData): object[] {
  const single = data.series.length === 1;
  return data.series.map((one, index) => ({
    name: one.name,
    type: "line",
    data: one.points,
    showSymbol: one.points.length < 2,
    lineStyle: { width: 1.5 },
    emphasis: { disabled: true },
    ...(index === 0 ? { markLine: markLine(data) } : {}),
    ...(data.stacked ? { stack: "all" } : {}),
    ...(data.stacked || single ? { areaStyle: { opacity: data.stacked ? 0.28 : 0.14 } } : {}),
  }));
}

function highest(data: ChartData): number {
  const sums = new Map<number, number>();
  for (const one of data.series) {
    for (const [at, value] of one.points) {
      sums.set(at, data.stacked ? (sums.get(at) ?? 0) + (value ?? 0) : Math.max(sums.get(at) ?? 0, value ?? 0));
    }
  }
  return Math.max(0, ...sums.values());
}

// Below this width the names of several series do not fit on two lines.
const NARROW_PIXELS = 480;

function option(data: ChartData, width: number): object {
  const muted = token("--qd-muted");
  const label = { color: muted, fontFamily: font(), fontSize: 12, hideOverlap: true };
  const top = data.maximum ?? niceMaximum(data.unit, highest(data));
  return {
    animation: false,
    color: palette(),
    grid: { left: 64, right: 12, top: 12, bottom: data.series.length > 1 ? 52 : 24 },
    legend: {
      show: data.series.length > 1,
      type: width < NARROW_PIXELS ? "scroll" : "plain",
      pageIconColor: muted,
      pageIconInactiveColor: token("--qd-line-strong"),
      pageTextStyle: { color: muted, fontFamily: font() },
      bottom: 0,
      icon: "roundRect",
      itemWidth: 10,
      itemHeight: 4,
      textStyle: { color: muted, fontFamily: font(), fontSize: 12, width: 150, overflow: "truncate" },
    },
    tooltip: {
      trigger: "axis",
      ...tooltipStyle(),
      formatter: (rows: TooltipRow[]) => tooltip(rows, data),
      axisPointer: { type: "line", lineStyle: { color: token("--qd-line-strong") } },
    },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: "shift", filterMode: "none" }],
    xAxis: {
      type: "time",
      min: data.since,
      max: data.until,
      axisLabel: label,
      axisLine: { lineStyle: { color: token("--qd-line") } },
      axisTick: { show: false },
      splitLine: { show: false },
    },
    yAxis: {
      type: "value",
      min: 0,
      splitNumber: 4,
      ...(top ? { max: top, interval: top / 4 } : {}),
      axisLabel: { ...label, formatter: (value: number) => withUnit(value, data.unit) },
      splitLine: { lineStyle: { color: token("--qd-line") } },
    },
    series: series(data),
  };
}

/** Say in words what the drawing shows, for those who do not see it. */
function describe(element: HTMLElement, data: ChartData): void {
  const pattern = element.dataset["summary"] ?? "{name} {now} {highest}";
  const lines = data.series.slice(0, 8).map((one) => {
    const values = one.points.map(([, value]) => value).filter((value): value is number => value !== null);
    const now = values.at(-1);
    if (now === undefined) return one.name;
    return pattern
      .replace("{name}", one.name)
      .replace("{now}", withUnit(now, data.unit))
      .replace("{highest}", withUnit(Math.max(...values), data.unit));
  });
  const told = markWords(data.marks ?? []);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", [element.dataset["title"] ?? "", ...lines, ...told].join(". "));
}

class Chart {
  private data: ChartData | null = null;
  private drawing: EChartsType | null = null;
  private stopDrawing = (): void => {};
  private readonly timer: number;
  private readonly onTheme = (): void => this.draw();

  constructor(private readonly element: HTMLElement) {
    const seconds = Number(element.dataset["refreshSeconds"] ?? "10");
    this.timer = window.setInterval(() => void this.load(), seconds * 1000);
    document.addEventListener("qd:theme", this.onTheme);
    void this.load();
  }

  stop(): void {
    clearInterval(this.timer);
    document.removeEventListener("qd:theme", this.onTheme);
    this.stopDrawing();
  }

  private async load(): Promise<void> {
    if (document.hidden && this.data) return;
    const answer = await fetch(this.element.dataset["url"] ?? "").catch(() => null);
    if (!answer?.ok) {
      // What was drawn stays: stale and said so is better than nothing.
      this.say(this.element.dataset["failed"] ?? "", this.data !== null);
      return;
    }
    this.data = (await answer.json()) as ChartData;
    this.draw();
  }

  private say(text: string, keepDrawing: boolean): void {
    const note = this.element.parentElement?.querySelector<HTMLElement>("[data-chart-note]");
    if (note) {
      note.textContent = text;
      note.hidden = text === "";
    }
    this.element.hidden = !keepDrawing;
  }

  private draw(): void {
    if (!this.data) return;
    const isEmpty = this.data.series.every((one) => one.points.every(([, value]) => value === null));
    this.say(isEmpty ? (this.element.dataset["empty"] ?? "") : "", !isEmpty);
    if (isEmpty) return;
    if (!this.drawing) this.start();
    const zoom = (this.drawing?.getOption() as { dataZoom?: { start: number; end: number }[] })?.dataZoom?.[0];
    const next = option(this.data, this.element.clientWidth) as { dataZoom: object[] };
    if (zoom) next.dataZoom = next.dataZoom.map((one) => ({ ...one, start: zoom.start, end: zoom.end }));
    this.drawing?.setOption(next, { notMerge: true });
    describe(this.element, this.data);
  }

  private start(): void {
    const { drawing, stop } = startDrawing(this.element);
    this.drawing = drawing;
    this.stopDrawing = stop;
    drawing.getZr().on("dblclick", () => drawing.dispatchAction({ type: "dataZoom", start: 0, end: 100 }));
    const group = this.element.dataset["group"];
    if (group && !calm) {
      drawing.group = group;
      connect(group);
    }
  }
}

const chart: Island = (element) => {
  const one = new Chart(element);
  return () => one.stop();
};
export default chart;

// Lines in time, stacked by level; dragging over the bars looks closer. Both ends become ?since= and ?until=.
//
//   <div data-island="log-bars" data-url="/logs/histogram?q=…" data-title="Lines in time" data-failed="…"
//        data-summary="{name}: {count} lines" data-hint="Drag over the bars to look closer."></div>
//
// The server answers {"start": ms, "step": ms, "total", "series": [{"level", "name", "counts"}]}.
import type { Island } from "./app";
import { Dragging } from "./dragging";
import { font, startDrawing, token, tooltipStyle } from "./drawing";
import type { EChartsType } from "./drawing";

interface Bars {
  start: number;
  step: number;
  total: number;
  series: { level: string; name: string; counts: number[] }[];
}

const COLOURS: Record<string, string> = {
  fatal: "--qd-bad",
  error: "--qd-bad",
  warning: "--qd-warn",
  info: "--qd-sea",
  debug: "--qd-idle",
  trace: "--qd-idle",
};

function option(bars: Bars): Record<string, unknown> {
  const muted = token("--qd-muted");
  const label = { color: muted, fontFamily: font(), fontSize: 12, hideOverlap: true };
  const end = bars.start + bars.step * Math.max(1, ...bars.series.map((one) => one.counts.length));
  return {
    animation: false,
    grid: { left: 56, right: 12, top: 8, bottom: 24 },
    tooltip: { trigger: "axis", ...tooltipStyle(), axisPointer: { type: "none" } },
    xAxis: { type: "time", min: bars.start, max: end, axisLabel: label, axisTick: { show: false } },
    yAxis: { type: "value", minInterval: 1, splitNumber: 2, axisLabel: label, splitLine: { lineStyle: { color: token("--qd-line") } } },
    series: bars.series.map((one) => ({
      name: one.name,
      type: "bar",
      stack: "all",
      barCategoryGap: "10%",
      itemStyle: { color: token(COLOURS[one.level] ?? "--qd-muted") || muted, opacity: one.level === "fatal" ? 1 : 0.8 },
      data: one.counts.map((count, index) => [bars.start + (index + 0.5) * bars.step, count]),
    })),
  };
}

class LogBars {
  private bars: Bars | null = null;
  private drawing: EChartsType | null = null;
  private stopDrawing = (): void => {};
  private readonly onTheme = (): void => this.draw();

  constructor(private readonly element: HTMLElement) {
    element.title = element.dataset["hint"] ?? "";
    document.addEventListener("qd:theme", this.onTheme);
    void this.load();
  }

  stop(): void {
    document.removeEventListener("qd:theme", this.onTheme);
    this.stopDrawing();
  }

  private async load(): Promise<void> {
    const answer = await fetch(this.element.dataset["url"] ?? "").catch(() => null);
    if (!answer?.ok) {
      const note = this.element.parentElement?.querySelector<HTMLElement>("[data-chart-note]");
      if (note) {
        note.textContent = this.element.dataset["failed"] ?? "";
        note.hidden = false;
      }
      this.element.hidden = true;
      return;
    }
    this.bars = (await answer.json()) as Bars;
    this.draw();
  }

  private draw(): void {
    if (!this.bars) return;
    this.element.hidden = this.bars.total === 0;
    if (this.bars.total === 0) return;
    if (!this.drawing) this.start();
    this.drawing?.setOption(option(this.bars), { notMerge: true });
    const pattern = this.element.dataset["summary"] ?? "{name} {count}";
    const parts = this.bars.series.map((one) =>
      pattern.replace("{name}", one.name).replace("{count}", String(one.counts.reduce((sum, count) => sum + count, 0))),
    );
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", [this.element.dataset["title"] ?? "", ...parts].join(". "));
  }

  private start(): void {
    const { drawing, stop } = startDrawing(this.element);
    this.drawing = drawing;
    this.stopDrawing = stop;
    new Dragging(this.element, (from, to) => this.zoom([from, to]));
  }

  private zoom(pixels: [number, number]): void {
    const [since, until] = pixels.map((x) => this.drawing!.convertFromPixel({ xAxisIndex: 0 }, x) as unknown as number);
    if (since === undefined || until === undefined || !this.bars) return;
    const { start, step } = this.bars;
    // Whole bars, so that what is counted there is what is seen.
    const low = start + Math.floor((Math.max(since, start) - start) / step) * step;
    const high = start + Math.ceil((until - start) / step) * step;
    const address = new URL(location.href);
    address.searchParams.set("since", String(Math.round(step > 1000 ? low : since)));
    address.searchParams.set("until", String(Math.round(step > 1000 ? high : Math.max(until, since + 1))));
    address.searchParams.delete("after");
    location.assign(address);
  }
}

const logBars: Island = (element) => {
  const one = new LogBars(element);
  return () => one.stop();
};
export default logBars;

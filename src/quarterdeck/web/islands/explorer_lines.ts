// Lines, areas and stacks of the explorer; a week earlier is a dashed line of the same colour.
import { font, palette, textElement, token, tooltipStyle } from "./drawing";
import type { Answer, Line } from "./explorer";
import { markData, markNotes } from "./marks";
import { absoluteTime } from "./times";
import { niceMaximum, withUnit } from "./units";

interface TooltipRow {
  seriesIndex: number;
  seriesName: string;
  color: string;
  value: [number, number | null];
}

const ROWS_MAX = 16;

function points(answer: Answer, values: (number | null)[]): [number, number | null][] {
  return values.map((value, index) => [answer.since + index * answer.step, value]);
}

/** The units of the two axes; a third unit shares the second. */
function units(lines: Line[]): string[] {
  return [...new Set(lines.map((line) => line.unit))].slice(0, 2);
}

/** What a panel says of its scale; the explorer leaves it open. */
export interface Limits {
  minimum: number | null;
  maximum: number | null;
  decimals: number | null;
  thresholds: { value: number; level: string }[];
}

const NO_LIMITS: Limits = { minimum: null, maximum: null, decimals: null, thresholds: [] };

interface Border {
  at: number;
  title: string;
}

/** Thresholds are dashed lines across, in the colour of the level that begins there; what happened stands upright. */
function marks(answer: Answer, limits: Limits, border: Border | null): object {
  const colours: Record<string, string> = { ok: "--qd-good", warn: "--qd-warn", bad: "--qd-bad" };
  const data = limits.thresholds.map((one) => ({
    yAxis: one.value,
    lineStyle: { color: token(colours[one.level] ?? "--qd-muted"), type: "dashed" },
  }));
  const happened = markData(answer.marks ?? [], answer.since, answer.since + answer.step * (answer.points - 1));
  const lines: object[] = [...data, ...happened];
  if (border) {
    const label = { show: true, formatter: border.title, color: token("--qd-muted"), fontFamily: font() };
    lines.push({ xAxis: border.at, lineStyle: { color: token("--qd-ink"), type: "solid", width: 1.5 }, label });
  }
  if (!lines.length) return {};
  return { markLine: { silent: true, animation: false, symbol: "none", label: { show: false }, data: lines } };
}

function series(answer: Answer, view: string, earlier: string, limits: Limits, border: Border | null): object[] {
  const colours = palette();
  const axes = units(answer.series);
  const drawn = answer.series.map((line, index) => ({
    name: line.name,
    type: view === "bar" ? "bar" : "line",
    ...(index === 0 ? marks(answer, limits, border) : {}),
    yAxisIndex: Math.max(0, axes.indexOf(line.unit)),
    data: points(answer, line.values),
    triggerLineEvent: true,
    showSymbol: line.values.filter((value) => value !== null).length < 2,
    symbolSize: 6,
    itemStyle: { color: colours[index % colours.length] },
    lineStyle: { width: 1.5 },
    emphasis: { focus: "series" },
    ...(view === "stacked" || view === "bar" ? { stack: `unit ${line.unit}` } : {}),
    ...(view === "line" || view === "bar" ? {} : { areaStyle: { opacity: view === "stacked" ? 0.3 : 0.14 } }),
  }));
  const before = answer.series.flatMap((line, index) =>
    line.earlier.length
      ? [
          {
            name: earlier.replace("{name}", () => line.name),
            type: "line",
            yAxisIndex: Math.max(0, axes.indexOf(line.unit)),
            data: points(answer, line.earlier),
            showSymbol: false,
            itemStyle: { color: colours[index % colours.length] },
            lineStyle: { width: 1.25, type: "dashed", opacity: 0.75 },
          },
        ]
      : [],
  );
  return [...drawn, ...before];
}

/** The end of a byte axis that reads well, where all values are above zero; else the drawing chooses. */
function ends(answer: Answer, unit: string, view: string): object {
  const lines = answer.series.filter((line) => line.unit === unit);
  if (lines.some((line) => (line.min ?? 0) < 0)) return {};
  const highs = lines.flatMap((line) => [line.max ?? 0, ...line.earlier.map((value) => value ?? 0)]);
  const top = niceMaximum(unit, view === "stacked" || view === "bar" ? stackHeight(lines) : Math.max(0, ...highs));
  return top ? { min: 0, max: top, interval: top / 4, scale: false } : {};
}

function stackHeight(lines: Line[]): number {
  const sums = (lines[0]?.values ?? []).map((_, at) => lines.reduce((sum, line) => sum + (line.values[at] ?? 0), 0));
  return Math.max(0, ...sums, ...lines.flatMap((line) => line.earlier.map((value) => value ?? 0)));
}

function tooltip(rows: TooltipRow[], units: string[], answer: Answer, decimals?: number): HTMLElement {
  const box = document.createElement("div");
  if (rows[0]) {
    const at = rows[0].value[0];
    const until = answer.since + answer.step * answer.points;
    box.append(textElement("div", absoluteTime(at), "qd-muted"), ...markNotes(answer.marks ?? [], at, answer.since, until));
  }
  const known = rows.filter((row) => row.value[1] !== null).sort((a, b) => (b.value[1] ?? 0) - (a.value[1] ?? 0));
  for (const row of known.slice(0, ROWS_MAX)) {
    const line = textElement("div", "", "qd-tip");
    const swatch = textElement("i", "");
    swatch.style.background = row.color;
    const value = withUnit(row.value[1] ?? 0, units[row.seriesIndex] ?? "", decimals);
    line.append(swatch, textElement("span", row.seriesName.slice(0, 90)), textElement("b", value));
    box.append(line);
  }
  if (known.length > ROWS_MAX) box.append(textElement("div", `+${known.length - ROWS_MAX}`, "qd-muted"));
  return box;
}

function fixedEnds(limits: Limits): object {
  return {
    ...(limits.minimum === null ? {} : { min: limits.minimum }),
    ...(limits.maximum === null ? {} : { max: limits.maximum }),
    ...(limits.minimum === null && limits.maximum === null ? {} : { interval: undefined }),
  };
}

export function lineOption(
  answer: Answer,
  view: string,
  earlier: string,
  limits: Limits = NO_LIMITS,
  border: Border | null = null,
): Record<string, unknown> {
  const decimals = limits.decimals ?? undefined;
  const label = { color: token("--qd-muted"), fontFamily: font(), fontSize: 12, hideOverlap: true };
  const axes = units(answer.series);
  const withEarlier = answer.series.filter((line) => line.earlier.length);
  const unitOf = [...answer.series, ...withEarlier].map((line) => line.unit);
  return {
    animation: false,
    grid: { left: 72, right: axes.length > 1 ? 72 : 12, top: border ? 28 : 12, bottom: 28 },
    tooltip: {
      trigger: "axis",
      ...tooltipStyle(),
      formatter: (rows: TooltipRow[]) => tooltip(rows, unitOf, answer, decimals),
      axisPointer: { type: "line", lineStyle: { color: token("--qd-line-strong") } },
    },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: "shift", filterMode: "none" }],
    xAxis: {
      type: "time",
      min: answer.since,
      max: answer.since + answer.step * (answer.points - 1),
      axisLabel: label,
      axisLine: { lineStyle: { color: token("--qd-line") } },
      axisTick: { show: false },
      splitLine: { show: false },
    },
    yAxis: axes.map((unit, index) => ({
      type: "value",
      splitNumber: 4,
      scale: view === "line",
      ...ends(answer, unit, view),
      ...fixedEnds(limits),
      axisLabel: { ...label, formatter: (value: number) => withUnit(value, unit, decimals) },
      splitLine: { show: index === 0, lineStyle: { color: token("--qd-line") } },
    })),
    series: series(answer, view, earlier, limits, border),
  };
}

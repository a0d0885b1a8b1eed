// The heat map: a row for each series, a column for each step, the value as colour.
import { font, textElement, token, tooltipStyle } from "./drawing";
import type { Answer } from "./explorer";
import { markData, markNotes } from "./marks";
import { absoluteTime } from "./times";
import { withUnit } from "./units";

// Below this width the names of the rows take a third of the drawing, not more.
const NARROW_PIXELS = 600;

function time(moment: number): string {
  return new Intl.DateTimeFormat(document.documentElement.lang, {
    month: "numeric",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(moment);
}

function cells(answer: Answer): [number, number, number][] {
  return answer.series.flatMap((line, row) =>
    line.values.flatMap((value, column): [number, number, number][] => (value === null ? [] : [[column, row, value]])),
  );
}

/** What happened, at the columns of its times: the axis is one of categories. */
function happened(answer: Answer): object {
  const { since, step } = answer;
  const columns = (answer.marks ?? []).map(([at, severity, text]): [number, string, string] => [Math.round((at - since) / step), severity, text]);
  return { silent: true, symbol: "none", label: { show: false }, data: markData(columns, 0, answer.points - 1) };
}

export function heatOption(answer: Answer, width: number): Record<string, unknown> {
  const label = { color: token("--qd-muted"), fontFamily: font(), fontSize: 12 };
  const found = cells(answer);
  const values = found.map(([, , value]) => value);
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const unit = answer.series[0]?.unit ?? "";
  const names = answer.series.map((line) => line.name);
  const left = width < NARROW_PIXELS ? 110 : 220;
  return {
    animation: false,
    grid: { left, right: 12, top: 8, bottom: 72 },
    tooltip: {
      ...tooltipStyle(),
      formatter: ({ value: [column, row, value] }: { value: [number, number, number] }) => {
        const box = textElement("div", absoluteTime(answer.since + column * answer.step), "qd-muted");
        const line = textElement("div", "", "qd-tip");
        line.append(textElement("span", names[row] ?? ""), textElement("b", withUnit(value, answer.series[row]?.unit ?? "")));
        const at = answer.since + column * answer.step;
        box.append(line, ...markNotes(answer.marks ?? [], at, answer.since, answer.since + answer.step * (answer.points - 1)));
        return box;
      },
    },
    xAxis: {
      type: "category",
      data: Array.from({ length: answer.points }, (_, index) => time(answer.since + index * answer.step)),
      axisLabel: { ...label, hideOverlap: true },
      axisTick: { show: false },
    },
    // Two series may have one name: rows are told apart by their number.
    yAxis: {
      type: "category",
      inverse: true,
      data: names.map((_, index) => String(index)),
      axisTick: { show: false },
      axisLabel: {
        ...label,
        width: left - 16,
        overflow: "truncate",
        formatter: (index: string) => names[Number(index)] ?? "",
      },
    },
    visualMap: {
      type: "continuous",
      min: values.length ? low : 0,
      max: low === high ? high + 1 : high,
      orient: "horizontal",
      left: "center",
      bottom: 4,
      itemHeight: 120,
      itemWidth: 12,
      text: [withUnit(high, unit), withUnit(low, unit)],
      textStyle: label,
      inRange: { color: [token("--qd-sea-soft"), token("--qd-sea"), token("--qd-warn"), token("--qd-bad")] },
    },
    series: [{ type: "heatmap", data: found, progressive: 0, emphasis: { itemStyle: { borderColor: token("--qd-ink"), borderWidth: 1 } }, markLine: happened(answer) }],
  };
}

// What happened to items, as dashed lines across a chart that its tooltip explains. See web/marks.py.
import { textElement, token } from "./drawing";
import { absoluteTime } from "./times";

export type Mark = [at: number, severity: string, text: string];

// A mark is told where the pointer is as near to it as this part of the chart's width.
const NEAR = 0.012;
const TOLD_MARKS = 6;
const TONES: Record<string, string> = { error: "--qd-bad", critical: "--qd-bad", warning: "--qd-warn" };

/** The lines of ECharts' `markLine.data`, from `since` to `until` in ms. */
export function markData(marks: Mark[], since: number, until: number): object[] {
  const line = ([at, severity]: Mark): object => {
    const color = token(TONES[severity] ?? "--qd-info");
    return { xAxis: at, lineStyle: { color, type: "dashed", width: 1 }, itemStyle: { color }, symbol: ["none", "circle"], symbolSize: 6 };
  };
  return marks.filter(([at]) => at >= since && at <= until).map(line);
}

/** What a tooltip at the time `at` says of the marks near it. */
export function markNotes(marks: Mark[], at: number, since: number, until: number): HTMLElement[] {
  const reach = (until - since) * NEAR;
  const near = marks.filter((mark) => Math.abs(mark[0] - at) <= reach).slice(-TOLD_MARKS);
  return near.map((mark) => textElement("div", `┆ ${absoluteTime(mark[0])} ${mark[2]}`, "qd-tip-mark"));
}

/** The newest marks in words. */
export function markWords(marks: Mark[]): string[] {
  return marks.slice(-TOLD_MARKS).map(([at, , text]) => `${absoluteTime(at)}: ${text}`);
}

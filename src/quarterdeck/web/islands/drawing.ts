// What charts and graphs share: ECharts with only the parts we use, colours from the page's tokens, tooltips as DOM nodes.
import { BarChart, GraphChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  DataZoomInsideComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import { connect, init, registerLocale, use, type EChartsType } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";
import chinese from "echarts/i18n/langZH-obj.js";

use([
  LineChart,
  BarChart,
  GraphChart,
  ScatterChart,
  HeatmapChart,
  VisualMapContinuousComponent,
  GridComponent,
  TooltipComponent,
  MarkLineComponent,
  LegendComponent,
  MarkLineComponent,
  DataZoomInsideComponent,
  LabelLayout,
  CanvasRenderer,
]);

registerLocale("ZH", chinese);
const locale = document.documentElement.lang.startsWith("zh") ? "ZH" : "EN";

export { connect, type EChartsType };
export { textElement } from "./text";

export const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Return the value of a token, such as "--qd-muted". */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Colours that stay apart from each other in both themes, also for most colour-blind people (after Okabe and Ito). */
export function palette(): string[] {
  const dark = document.documentElement.dataset["bsTheme"] === "dark";
  return dark
    ? ["#58c4d2", "#f0a35a", "#8bb5f5", "#e58fc0", "#7fd49b", "#d8cf6a", "#b9a0f0", "#ff8f85", "#9cadb8"]
    : ["#0a7f92", "#c2620a", "#2b5fb0", "#a8387a", "#1b7a43", "#8a7400", "#6b3fa0", "#b3261e", "#566672"];
}

export function font(): string {
  return getComputedStyle(document.body).fontFamily;
}

/** Start ECharts in `element`; it follows the element's size. Returns it and what stops it. */
export function startDrawing(element: HTMLElement): { drawing: EChartsType; stop: () => void } {
  const drawing = init(element, null, { renderer: "canvas", locale });
  const observer = new ResizeObserver(() => drawing.resize());
  observer.observe(element);
  return {
    drawing,
    stop: () => {
      observer.disconnect();
      drawing.dispose();
    },
  };
}

export function tooltipStyle(): object {
  return {
    renderMode: "html",
    confine: true,
    backgroundColor: token("--qd-surface"),
    borderColor: token("--qd-line"),
    textStyle: { color: token("--qd-ink"), fontFamily: font(), fontSize: 13 },
    transitionDuration: calm ? 0 : 0.15,
  };
}

// The panels that are no charts: numbers, gauges, bars, a table. Everything is an element with text.
import { textElement } from "./drawing";
import type { Answer, Line } from "./explorer";
import { withUnit } from "./units";

export interface PanelLine extends Line {
  sum: number | null;
  labels: Record<string, string>;
}

export interface PanelOptions {
  kind: string;
  draw: string;
  reduce: "last" | "mean" | "min" | "max" | "sum";
  decimals: number | null;
  minimum: number | null;
  maximum: number | null;
  thresholds: { value: number; level: string }[];
}

export interface PanelAnswer extends Answer {
  series: PanelLine[];
  panel: PanelOptions;
}

export interface Words {
  series: string;
  value: string;
}

/** What the panel shows of a series. */
export function figure(line: PanelLine, panel: PanelOptions): number | null {
  return panel.reduce === "mean" ? line.avg : line[panel.reduce];
}

export function figureText(line: Line, value: number | null, panel: PanelOptions): string {
  return value === null ? "–" : withUnit(value, line.unit, panel.decimals ?? undefined);
}

/** The level that a value has reached, "" below every threshold. */
export function levelOf(value: number | null, panel: PanelOptions): string {
  if (value === null) return "";
  const reached = panel.thresholds.filter((one) => value >= one.value).sort((a, b) => b.value - a.value);
  return reached[0]?.level ?? "";
}

/** The scale's ends: those of the panel, else from zero (or the lowest) to the highest; of shares to the whole. */
function scale(answer: PanelAnswer): [number, number] {
  const { panel } = answer;
  const values = answer.series.map((line) => figure(line, panel)).filter((value): value is number => value !== null);
  const unit = answer.series[0]?.unit ?? "";
  const whole = unit === "percent" ? 100 : unit === "ratio" ? 1 : 0;
  const low = panel.minimum ?? Math.min(0, ...values);
  const high = panel.maximum ?? Math.max(whole, ...values);
  return [low, high > low ? high : low + 1];
}

function share(value: number | null, [low, high]: [number, number]): number {
  return value === null ? 0 : Math.max(0, Math.min(1, (value - low) / (high - low)));
}

export function numbers(answer: PanelAnswer): HTMLElement {
  const list = textElement("ul", "", "qd-numbers");
  const isOne = answer.series.length === 1;
  for (const line of answer.series) {
    const value = figure(line, answer.panel);
    const entry = textElement("li", "");
    entry.append(textElement("b", figureText(line, value, answer.panel), `qd-level ${levelOf(value, answer.panel)}`));
    if (!isOne) entry.append(textElement("span", line.name));
    entry.title = line.full;
    list.append(entry);
  }
  return list;
}

const SVG = "http://www.w3.org/2000/svg";

/** A half circle around the number: two arcs, of which the upper is as long as the share. */
function arc(part: number, css: string): SVGElement {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M 10 60 A 50 50 0 0 1 110 60");
  path.setAttribute("pathLength", "100");
  path.setAttribute("stroke-dasharray", `${part * 100} 200`);
  path.setAttribute("class", css);
  return path;
}

export function gauges(answer: PanelAnswer): HTMLElement {
  const list = textElement("ul", "", "qd-gauges");
  const ends = scale(answer);
  for (const line of answer.series) {
    const value = figure(line, answer.panel);
    const level = levelOf(value, answer.panel);
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("viewBox", "0 0 120 66");
    drawing.setAttribute("aria-hidden", "true");
    drawing.append(arc(1, "qd-arc"), arc(share(value, ends), `qd-arc full ${level}`));
    const entry = textElement("li", "");
    entry.title = line.full;
    const text = textElement("b", figureText(line, value, answer.panel), `qd-level ${level}`);
    entry.append(drawing as unknown as HTMLElement, text, textElement("span", line.name));
    list.append(entry);
  }
  return list;
}

export function bars(answer: PanelAnswer): HTMLElement {
  const list = textElement("ul", "", "qd-bars");
  const ends = scale(answer);
  const ordered = [...answer.series].sort((a, b) => (figure(b, answer.panel) ?? 0) - (figure(a, answer.panel) ?? 0));
  for (const line of ordered) {
    const value = figure(line, answer.panel);
    const entry = textElement("li", "");
    const bar = textElement("i", "", `qd-bar ${levelOf(value, answer.panel)}`);
    bar.style.width = `${share(value, ends) * 100}%`;
    const track = textElement("div", "", "qd-bar-track");
    track.append(bar);
    const name = textElement("span", line.name);
    name.title = line.full;
    entry.append(name, textElement("b", figureText(line, value, answer.panel)), track);
    list.append(entry);
  }
  return list;
}

/** A column for each label in which the series differ, and the value. */
export function table(answer: PanelAnswer, words: Words): HTMLElement {
  const names = [...new Set(answer.series.flatMap((line) => Object.keys(line.labels)))].sort();
  const differing = names.filter((name) => new Set(answer.series.map((line) => line.labels[name] ?? "")).size > 1);
  const columns = differing.length ? differing : names.slice(0, 3);
  const element = textElement("table", "", "qd-table");
  const head = textElement("tr", "");
  const titles = columns.length ? columns : [words.series];
  head.append(...[...titles, words.value].map((title, index) => cell("th", title, index === titles.length ? "num" : "")));
  const headSection = textElement("thead", "");
  headSection.append(head);
  const body = textElement("tbody", "");
  for (const line of answer.series) {
    const value = figure(line, answer.panel);
    const row = textElement("tr", "");
    const texts = columns.length ? columns.map((name) => line.labels[name] ?? "") : [line.name];
    row.append(...texts.map((text) => textElement("td", text, "wrap")));
    const level = levelOf(value, answer.panel);
    const shown = textElement("td", "", "num");
    shown.append(textElement("span", figureText(line, value, answer.panel), `qd-level ${level}`));
    row.append(shown);
    body.append(row);
  }
  element.append(headSection, body);
  const wrap = textElement("div", "", "qd-table-wrap");
  wrap.append(element);
  wrap.tabIndex = 0;
  wrap.setAttribute("role", "group");
  wrap.setAttribute("aria-label", words.series);
  return wrap;
}

function cell(tag: string, text: string, css: string): HTMLElement {
  const element = textElement(tag, text, css);
  element.setAttribute("scope", "col");
  return element;
}

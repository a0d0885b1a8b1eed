// The answers of the explorer's queries: a drawing, and a table that says the same in words and is its legend.
//
//   <section data-island="explorer" data-url="/metrics/data?q=up" data-view="line" data-refresh-seconds="0"
//            data-empty="…" data-failed="…" data-left-out="{n} more …" data-earlier="{name}, …" data-summary="{name}: …">
//     <p data-note>  <div data-drawing hidden>  <div data-table hidden><table>…<tbody></tbody>
//
// A drawing of two times has `data-border`, where the second begins; see explorer_window.ts for times that are chosen.
// The server answers {"since", "step", "points", "left_out", "marks", "series": [{"query", "name", "full", "unit", "item",
// "narrow", "values", "earlier", "last", "min", "max", "avg"}], "errors": [{"query", "message", "hint", "marked"}]}.
import type { Island } from "./app";
import { palette, startDrawing, textElement, token } from "./drawing";
import type { EChartsType } from "./drawing";
import { heatOption } from "./explorer_heat";
import { lineOption } from "./explorer_lines";
import { offerWindows } from "./explorer_window";
import { markWords, type Mark } from "./marks";
import { withUnit } from "./units";

export interface Line {
  query: number;
  name: string;
  full: string;
  unit: string;
  item: { name: string; url: string } | null;
  narrow: string;
  values: (number | null)[];
  earlier: (number | null)[];
  last: number | null;
  min: number | null;
  max: number | null;
  avg: number | null;
}

export interface QueryError {
  query: number;
  message: string;
  hint: string;
  marked: { before: string; at: string; after: string } | null;
}

export interface Answer {
  since: number;
  step: number;
  points: number;
  left_out: number;
  marks?: Mark[];
  series: Line[];
  errors: QueryError[];
}

function number(value: number | null, unit: string): HTMLElement {
  return textElement("td", value === null ? "–" : withUnit(value, unit), "num");
}

function link(text: string, url: string): HTMLAnchorElement {
  const element = document.createElement("a");
  element.href = url;
  element.textContent = text;
  return element;
}

function item(line: Line): HTMLElement {
  const cell = textElement("td", "");
  if (line.item) cell.append(link(line.item.name, line.item.url));
  return cell;
}

class Explorer {
  private answer: Answer | null = null;
  private drawing: EChartsType | null = null;
  private stopDrawing = (): void => {};
  private readonly timer: number;
  private readonly view: string;
  private readonly canvas: HTMLElement;
  private readonly onTheme = (): void => this.show();
  private readonly png = document.querySelector<HTMLButtonElement>("[data-png]");
  private readonly onPng = (): void => this.save();

  constructor(private readonly element: HTMLElement) {
    this.view = element.dataset["view"] ?? "line";
    this.canvas = element.querySelector("[data-drawing]")!;
    const seconds = Number(element.dataset["refreshSeconds"] ?? "0");
    this.timer = seconds ? window.setInterval(() => void this.load(), seconds * 1000) : 0;
    document.addEventListener("qd:theme", this.onTheme);
    this.png?.addEventListener("click", this.onPng);
    void this.load();
  }

  stop(): void {
    clearInterval(this.timer);
    document.removeEventListener("qd:theme", this.onTheme);
    this.png?.removeEventListener("click", this.onPng);
    this.stopDrawing();
  }

  private words(name: string): string {
    return this.element.dataset[name] ?? "";
  }

  private async load(): Promise<void> {
    if (document.hidden && this.answer) return;
    const answer = await fetch(this.words("url")).catch(() => null);
    // What was drawn stays: stale and said so is better than nothing.
    if (!answer?.ok) return this.say(this.words("failed"));
    this.answer = (await answer.json()) as Answer;
    this.show();
  }

  private say(text: string): void {
    const note = this.element.querySelector<HTMLElement>("[data-note]")!;
    note.textContent = text;
    note.hidden = text === "";
  }

  private show(): void {
    const { answer } = this;
    if (!answer) return;
    const isEmpty = answer.series.length === 0;
    const leftOut = answer.left_out ? this.words("leftOut").replace("{n}", String(answer.left_out)) : "";
    this.say(isEmpty && !answer.errors.length ? this.words("empty") : leftOut);
    this.showErrors(answer.errors);
    this.canvas.hidden = isEmpty || this.view === "table";
    const table = this.element.querySelector<HTMLElement>("[data-table]");
    if (table) table.hidden = isEmpty;
    table?.querySelector("tbody")?.replaceChildren(...answer.series.map((line, index) => this.row(line, index)));
    if (!this.canvas.hidden) this.draw(answer);
  }

  /** A query that does not parse has its error from the server already. */
  private showErrors(errors: QueryError[]): void {
    for (const box of document.querySelectorAll<HTMLElement>("[data-query-error]")) {
      const index = Number(box.dataset["queryError"]);
      const error = errors.find((one) => one.query === index);
      const isTold = document.getElementById(`q${index}-error`) !== null;
      box.hidden = !error || isTold;
      if (error && !isTold) box.replaceChildren(textElement("strong", error.message), textElement("span", error.hint));
    }
  }

  private row(line: Line, index: number): HTMLElement {
    const row = document.createElement("tr");
    const name = textElement("th", "", "wrap");
    name.setAttribute("scope", "row");
    if (this.view !== "table" && this.view !== "heat") {
      const swatch = textElement("i", "", "qd-swatch");
      swatch.style.background = palette()[index % palette().length] ?? "";
      name.append(swatch);
    }
    const text = this.view === "table" ? line.full : line.name;
    const shown = line.narrow ? link(text, line.narrow) : textElement("span", text);
    shown.title = line.narrow ? this.words("narrow").replace("{name}", line.full) : line.full;
    name.append(shown);
    row.append(name);
    // Where each row is an item, there is no column to name it again.
    if (this.element.querySelector("[data-items]")) row.append(item(line));
    row.append(...[line.last, line.min, line.max, line.avg].map((value) => number(value, line.unit)));
    return row;
  }

  private draw(answer: Answer): void {
    if (!this.drawing) this.start();
    const isHeat = this.view === "heat";
    if (isHeat) this.canvas.style.height = `${Math.max(160, Math.min(answer.series.length, 100) * 22 + 90)}px`;
    this.drawing?.resize();
    const option: Record<string, unknown> = isHeat
      ? heatOption(answer, this.canvas.clientWidth)
      : lineOption(answer, this.view, this.words("earlier"), undefined, this.border());
    this.drawing?.setOption(option, { notMerge: true });
    const lines = answer.series.slice(0, 8).map((line) =>
      this.words("summary")
        .replace("{name}", () => line.name)
        .replace("{last}", line.last === null ? "–" : withUnit(line.last, line.unit))
        .replace("{highest}", line.max === null ? "–" : withUnit(line.max, line.unit)),
    );
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", [...lines, ...markWords(answer.marks ?? [])].join(". "));
  }

  private border(): { at: number; title: string } | null {
    const at = Number(this.words("border"));
    return at ? { at, title: this.words("borderTitle") } : null;
  }

  private start(): void {
    const { drawing, stop } = startDrawing(this.canvas);
    this.drawing = drawing;
    this.stopDrawing = stop;
    drawing.on("click", (event) => this.narrow(event as { seriesIndex?: number; data?: unknown }));
    if (this.view !== "heat") offerWindows(this.element, this.canvas, drawing, () => this.ends());
    drawing.getZr().on("dblclick", () => drawing.dispatchAction({ type: "dataZoom", start: 0, end: 100 }));
  }

  private ends(): [number, number] {
    const { since, step, points } = this.answer ?? { since: 0, step: 0, points: 1 };
    return [since, since + step * (points - 1)];
  }

  /** A click on a series: its index, in the heat map the row of the cell. */
  private narrow(event: { seriesIndex?: number; data?: unknown }): void {
    const at = this.view === "heat" ? (event.data as number[])[1] : event.seriesIndex;
    const line = this.answer?.series[at ?? -1];
    if (line?.narrow) location.assign(line.narrow);
  }

  private save(): void {
    if (!this.drawing) return;
    const image = this.drawing.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: token("--qd-surface") });
    const file = link("", image);
    file.download = "metrics.png";
    file.click();
  }
}

const explorer: Island = (element) => {
  const one = new Explorer(element);
  return () => one.stop();
};
export default explorer;

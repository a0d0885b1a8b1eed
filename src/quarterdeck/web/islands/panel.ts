// One panel of a dashboard: asks when it comes into view, again by the clock, and draws by its kind.
//
//   <div data-island="panel" data-url="/dashboards/hosts/panels/1/data?…" data-refresh-seconds="30" data-empty="…"
//        data-failed="…" data-left-out="{n} more …" data-summary="{name}: …" data-series="Series" data-value="Value">
//     <p data-note>  <div data-content>
//
// The server answers as for the explorer, with {"panel": {"kind", "draw", "reduce", "minimum", …}} and "sum", "labels".
import type { Island } from "./app";
import { palette, startDrawing, textElement, type EChartsType } from "./drawing";
import { heatOption } from "./explorer_heat";
import { lineOption } from "./explorer_lines";
import { bars, figure, figureText, gauges, numbers, table, type PanelAnswer, type Words } from "./panel_figures";

const FIGURES: Record<string, (answer: PanelAnswer, words: Words) => HTMLElement> = {
  stat: numbers,
  gauge: gauges,
  bars,
  table,
};

class Panel {
  private answer: PanelAnswer | null = null;
  private drawing: EChartsType | null = null;
  private stopDrawing = (): void => {};
  private timer = 0;
  private readonly content: HTMLElement;
  private readonly observer: IntersectionObserver;
  private readonly sizes = new ResizeObserver(() => this.openToKeys());
  private readonly onTheme = (): void => this.show();

  constructor(private readonly element: HTMLElement) {
    this.content = element.querySelector("[data-content]")!;
    // What nobody sees asks nothing: a board of fifty panels is not fifty queries at once.
    this.observer = new IntersectionObserver((entries) => this.onSeen(entries), { rootMargin: "200px" });
    this.observer.observe(element);
    this.sizes.observe(element);
    document.addEventListener("qd:theme", this.onTheme);
  }

  stop(): void {
    clearInterval(this.timer);
    this.observer.disconnect();
    this.sizes.disconnect();
    document.removeEventListener("qd:theme", this.onTheme);
    this.stopDrawing();
  }

  private words(name: string): string {
    return this.element.dataset[name] ?? "";
  }

  private onSeen(entries: IntersectionObserverEntry[]): void {
    const isSeen = entries.some((entry) => entry.isIntersecting);
    clearInterval(this.timer);
    if (!isSeen) return;
    if (!this.answer) void this.load();
    const seconds = Number(this.words("refreshSeconds") || "0");
    if (seconds) this.timer = window.setInterval(() => void this.load(), seconds * 1000);
  }

  private async load(): Promise<void> {
    if (document.hidden && this.answer) return;
    const answer = await fetch(this.words("url")).catch(() => null);
    // What was drawn stays: stale and said so is better than nothing.
    if (!answer?.ok) return this.say(this.words("failed"));
    this.answer = (await answer.json()) as PanelAnswer;
    this.show();
  }

  private say(text: string, isBad = false): void {
    const note = this.element.querySelector<HTMLElement>("[data-note]")!;
    note.textContent = text;
    note.hidden = text === "";
    note.classList.toggle("qd-bad", isBad);
  }

  private show(): void {
    const { answer } = this;
    if (!answer) return;
    const error = answer.errors[0];
    const leftOut = answer.left_out ? this.words("leftOut").replace("{n}", String(answer.left_out)) : "";
    if (error) this.say(`${error.message} ${error.hint}`.trim(), true);
    else this.say(answer.series.length ? leftOut : this.words("empty"));
    this.content.hidden = answer.series.length === 0;
    if (!this.content.hidden) this.draw(answer);
    this.openToKeys();
  }

  /** What scrolls is reached by Tab, or its end is seen by those with a mouse only. */
  private openToKeys(): void {
    for (const one of [this.element, this.content.querySelector<HTMLElement>(".qd-panel-legend")]) {
      if (!one) continue;
      if (one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    }
  }

  private draw(answer: PanelAnswer): void {
    const { kind } = answer.panel;
    if (kind === "timeseries" || kind === "heatmap") return this.drawChart(answer);
    const draw = FIGURES[kind];
    if (draw) this.content.replaceChildren(draw(answer, { series: this.words("series"), value: this.words("value") }));
  }

  private drawChart(answer: PanelAnswer): void {
    if (!this.drawing) this.start();
    const isHeat = answer.panel.kind === "heatmap";
    const canvas = this.content.querySelector<HTMLElement>(".qd-panel-chart")!;
    const option = isHeat ? heatOption(answer, canvas.clientWidth) : lineOption(answer, answer.panel.draw, "", answer.panel);
    this.drawing?.resize();
    this.drawing?.setOption(option, { notMerge: true });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.summary(answer));
    this.content.querySelector(".qd-panel-legend")!.replaceChildren(...(isHeat ? [] : this.legend(answer)));
  }

  private summary(answer: PanelAnswer): string {
    const told = answer.series.slice(0, 8).map((line) =>
      this.words("summary")
        .replace("{name}", () => line.name)
        .replace("{last}", figureText(line, line.last, answer.panel))
        .replace("{highest}", figureText(line, line.max, answer.panel)),
    );
    return told.join(". ");
  }

  private legend(answer: PanelAnswer): HTMLElement[] {
    const colours = palette();
    return answer.series.map((line, index) => {
      const entry = textElement("li", "");
      const swatch = textElement("i", "", "qd-swatch");
      swatch.style.background = colours[index % colours.length] ?? "";
      const name = textElement("span", line.name);
      name.title = line.full;
      entry.append(swatch, name, textElement("b", figureText(line, figure(line, answer.panel), answer.panel)));
      return entry;
    });
  }

  private start(): void {
    const canvas = textElement("div", "", "qd-panel-chart");
    const legend = textElement("ul", "", "qd-panel-legend");
    this.content.replaceChildren(canvas, legend);
    const { drawing, stop } = startDrawing(canvas);
    this.drawing = drawing;
    this.stopDrawing = stop;
  }
}

const panel: Island = (element) => {
  const one = new Panel(element);
  return () => one.stop();
};
export default panel;

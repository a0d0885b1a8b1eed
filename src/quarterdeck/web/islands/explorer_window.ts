// A time that is chosen on the explorer's chart by dragging: what changed in it, or a closer look.
//
//   <section data-island="explorer" data-changed-url="/metrics/changed?q=up" data-window-title="{since} to {until}">
//     <div data-drawing>  <p data-window hidden><span data-window-text>  <a data-window-changed>
//     <button data-window-closer>  <button data-window-clear>
import { Dragging } from "./dragging";
import type { EChartsType } from "./drawing";
import { absoluteTime } from "./times";

/** Offer what can be done with a time that is dragged over; `ends` are those of the drawing, in ms. */
export function offerWindows(element: HTMLElement, canvas: HTMLElement, drawing: EChartsType, ends: () => [number, number]): void {
  const bar = element.querySelector<HTMLElement>("[data-window]");
  if (!bar) return;
  const dragging = new Dragging(canvas, (from, to) => choose(from, to), true);
  let chosen: [number, number] = [0, 0];

  const clear = (): void => {
    bar.hidden = true;
    dragging.clear();
  };

  function choose(from: number, to: number): void {
    const [low, high] = ends();
    const at = (x: number): number => Math.round(drawing.convertFromPixel({ xAxisIndex: 0 }, x) as unknown as number);
    chosen = [Math.max(low, at(from)), Math.min(high, at(to))];
    if (!(chosen[0] < chosen[1])) return clear();
    const [since, until] = chosen;
    const text = element.dataset["windowTitle"] ?? "{since} {until}";
    bar!.querySelector("[data-window-text]")!.textContent = text
      .replace("{since}", absoluteTime(since))
      .replace("{until}", absoluteTime(until));
    const address = new URL(element.dataset["changedUrl"] ?? "", location.href);
    address.searchParams.set("since", String(since));
    address.searchParams.set("until", String(until));
    bar!.querySelector<HTMLAnchorElement>("[data-window-changed]")!.href = address.href;
    bar!.hidden = false;
  }

  bar.querySelector("[data-window-clear]")!.addEventListener("click", clear);
  bar.querySelector("[data-window-closer]")!.addEventListener("click", () => {
    drawing.dispatchAction({ type: "dataZoom", startValue: chosen[0], endValue: chosen[1] });
    clear();
  });
}

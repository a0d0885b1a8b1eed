// One run while it goes: lines as hosts print them, and the part of the page that changed fetched anew.
//
//   <div data-island="run" data-live="/runs/7/live" data-part="/runs/7/part" data-failed="…">
//     <div id="run-part">…</div> … <div data-lines></div>
import htmx from "htmx.org";
import type { Island } from "./app";
import { textElement } from "./text";

interface News {
  kind: "run" | "host" | "output";
  is_ended?: boolean;
  name?: string;
  stream?: string;
  text?: string;
}

const LINES_MAX = 1000;
// What changed is fetched no more often than that; each time takes the server some milliseconds.
const PAUSE_MS = 700;

class Run {
  private readonly source: EventSource;
  private readonly lines: HTMLElement;
  private readonly note: HTMLElement | null;
  private timer = 0;

  constructor(private readonly element: HTMLElement) {
    this.lines = element.querySelector<HTMLElement>("[data-lines]")!;
    this.note = element.querySelector<HTMLElement>("[data-note]");
    element.addEventListener("htmx:beforeSwap", this.keep);
    this.source = new EventSource(element.dataset["live"] ?? "");
    this.source.addEventListener("open", () => this.say(""));
    this.source.addEventListener("message", (event: MessageEvent<string>) => this.hear(JSON.parse(event.data) as News));
    this.source.addEventListener("problem", (event) => {
      const problem = JSON.parse((event as MessageEvent<string>).data) as { detail: string; hint: string };
      this.stop();
      this.say(`${problem.detail} ${problem.hint}`.trim());
    });
    // The browser opens it again by itself, and hears everything anew.
    this.source.addEventListener("error", () => {
      this.lines.replaceChildren();
      this.say(this.element.dataset["failed"] ?? "");
    });
  }

  stop(): void {
    this.source.close();
    window.clearTimeout(this.timer);
  }

  private say(text: string): void {
    if (this.note) this.note.textContent = text;
  }

  private hear(news: News): void {
    if (news.kind === "output") {
      this.print(news);
      return;
    }
    if (news.is_ended) {
      this.stop();
      void this.refresh();
    } else if (!this.timer) {
      this.timer = window.setTimeout(() => void this.refresh(), PAUSE_MS);
    }
  }

  /** A question that is being asked is about a button that must still be there when it is answered. */
  private readonly keep = (event: Event): void => {
    const detail = (event as CustomEvent<{ shouldSwap: boolean }>).detail;
    if (!document.querySelector("dialog[open]") || !detail.shouldSwap) return;
    detail.shouldSwap = false;
    this.timer ||= window.setTimeout(() => void this.refresh(), PAUSE_MS);
  };

  private async refresh(): Promise<void> {
    this.timer = 0;
    await htmx.ajax("get", this.element.dataset["part"] ?? "", { target: "#run-part", swap: "innerHTML" });
  }

  private print(news: News): void {
    const wasAtEnd = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 40;
    for (const line of (news.text ?? "").replace(/\n$/, "").split("\n")) {
      const row = textElement("div", "", news.stream === "stderr" ? "is-stderr" : "");
      row.append(textElement("b", news.name ?? ""), ` ${line}`);
      this.lines.append(row);
    }
    while (this.lines.childElementCount > LINES_MAX) this.lines.firstElementChild?.remove();
    if (wasAtEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }
}

const run: Island = (element) => {
  const one = new Run(element);
  return () => one.stop();
};
export default run;

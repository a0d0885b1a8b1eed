// The switch of the live tail: new lines come as server-sent events and go on top of the list, as text.
//
//   <button aria-pressed="false" data-island="log-tail" data-url="/logs/tail?q=…" data-list="log-rows" data-failed="…">
import type { Island } from "./app";
import { textElement } from "./text";
import { absoluteTime } from "./times";

interface Fresh {
  at: number;
  level: string;
  level_title: string;
  service: string;
  host: string;
  message: string;
}

const SHOWN_MAX = 500;
const TONES: Record<string, string> = { fatal: "bad", error: "bad", warning: "warn" };

function row(line: Fresh): HTMLElement {
  const item = document.createElement("li");
  const box = textElement("div", "", "qd-log-fresh");
  box.dataset["level"] = line.level;
  box.append(textElement("span", absoluteTime(line.at), "at"));
  if (line.level) box.append(textElement("span", line.level_title, `qd-badge ${TONES[line.level] ?? ""}`.trim()));
  for (const text of [line.service, line.host]) if (text) box.append(textElement("span", text, "cell"));
  box.append(textElement("span", line.message.slice(0, 600), "qd-line"));
  item.append(box);
  return item;
}

class LogTail {
  private source: EventSource | null = null;
  private readonly note = document.getElementById("log-tail-note");

  constructor(private readonly button: HTMLElement) {
    button.addEventListener("click", () => (this.source ? this.stop() : this.start()));
  }

  stop(): void {
    this.source?.close();
    this.source = null;
    this.button.setAttribute("aria-pressed", "false");
    this.say("");
  }

  private start(): void {
    this.button.setAttribute("aria-pressed", "true");
    const source = new EventSource(this.button.dataset["url"] ?? "");
    this.source = source;
    source.addEventListener("open", () => this.say(""));
    source.addEventListener("message", (event: MessageEvent<string>) => this.add(JSON.parse(event.data) as Fresh));
    source.addEventListener("problem", (event) => {
      const problem = JSON.parse((event as MessageEvent<string>).data) as { detail: string; hint: string };
      this.stop();
      this.say(`${problem.detail} ${problem.hint}`.trim());
    });
    // The browser opens it again by itself.
    source.addEventListener("error", () => this.say(this.button.dataset["failed"] ?? ""));
  }

  private say(text: string): void {
    if (this.note) this.note.textContent = text;
  }

  private add(line: Fresh): void {
    const list = document.getElementById(this.button.dataset["list"] ?? "");
    list?.prepend(row(line));
    while (list && list.childElementCount > SHOWN_MAX) list.lastElementChild?.remove();
  }
}

const logTail: Island = (element) => {
  const one = new LogTail(element);
  return () => one.stop();
};
export default logTail;

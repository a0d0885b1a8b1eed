// A recording of a terminal (asciicast v2 in pieces): played, sought in, or followed while it is still being made.
//
//   <div data-island="replay" data-events="/terminals/7/events" data-columns="80" data-rows="24" data-live data-words='…'>
//     <button data-play>…</button> <input type="range" data-seek> <span data-time></span> <select data-speed>…</select>
//     <span data-note></span> <div data-screen></div> <ol data-commands></ol>
//   </div>
import type { Terminal } from "@xterm/xterm";
import type { Island } from "./app";
import { openScreen, type Screen } from "./screen";
import { textElement } from "./text";

type Event_ = [seconds: number, code: "o" | "r" | "m", data: string];
interface Piece {
  events: string;
  next: string;
  is_more: boolean;
  is_ended: boolean;
}

const FOLLOW_MS = 1000;
const FONT_MAX = 14;
const FONT_MIN = 5;
// Pauses longer than that are cut when asked for: nobody wants to watch someone think.
const PAUSE_SECONDS = 2;
// Written to the screen at once when it is sought; then the page gets a turn.
const BATCH_CHARACTERS = 256 << 10;

class Replay {
  private readonly events: Event_[] = [];
  private readonly words: Record<string, string>;
  private readonly terminal: Terminal;
  private readonly seek: HTMLInputElement | null;
  /** How many events are on the screen, and which second of the recording that is. */
  private shown = 0;
  private at = 0;
  private seconds = 0;
  private isPlaying = false;
  private isStopped = false;
  private isSeeking = false;
  private last = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly screen: Screen,
  ) {
    this.words = JSON.parse(element.dataset["words"] ?? "{}") as Record<string, string>;
    this.terminal = screen.terminal;
    this.seek = element.querySelector<HTMLInputElement>("[data-seek]");
    this.resize(Number(element.dataset["columns"]), Number(element.dataset["rows"]));
    element.querySelector("[data-play]")?.addEventListener("click", () => this.toggle());
    this.seek?.addEventListener("input", () => void this.go(Number(this.seek?.value)));
    window.addEventListener("resize", this.fit);
    void this.load();
  }

  stop(): void {
    this.isStopped = true;
    window.removeEventListener("resize", this.fit);
    this.screen.stop();
  }

  private get isLive(): boolean {
    return "live" in this.element.dataset;
  }

  private part(name: string): HTMLElement | null {
    return this.element.querySelector<HTMLElement>(`[data-${name}]`);
  }

  private say(text: string): void {
    const note = this.part("note");
    if (note) note.textContent = text;
  }

  private async load(): Promise<void> {
    let next = "";
    for (;;) {
      const piece = await this.fetch(next);
      if (!piece || this.isStopped) return;
      this.take(piece.events);
      next = piece.next || next;
      if (this.isLive) await this.show(this.events.length);
      if (piece.is_more) continue;
      if (piece.is_ended) break;
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    }
    if (this.isLive) this.say(this.words["ended"] ?? "");
    else this.ready();
  }

  private async fetch(next: string): Promise<Piece | null> {
    const address = this.element.dataset["events"] ?? "";
    for (;;) {
      try {
        const answer = await fetch(next ? `${address}?next=${encodeURIComponent(next)}` : address);
        if (answer.ok) {
          if (this.isLive) this.say(this.words["live"] ?? "");
          return (await answer.json()) as Piece;
        }
        this.say(this.words[answer.status === 404 ? "gone" : "failed"] ?? "");
        if (answer.status < 500) return null;
      } catch {
        this.say(this.words["failed"] ?? "");
      }
      if (this.isStopped) return null;
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS * 3));
    }
  }

  private take(lines: string): void {
    for (const line of lines.split("\n")) {
      if (!line) continue;
      const event = JSON.parse(line) as Event_;
      this.events.push(event);
      this.seconds = event[0];
      if (event[1] === "m") this.command(event);
    }
    if (this.seek) this.seek.max = String(this.seconds);
    this.time();
  }

  private command([seconds, , text]: Event_): void {
    const list = this.part("commands");
    if (!list) return;
    const button = textElement("button", "", "qd-terminal-command") as HTMLButtonElement;
    button.type = "button";
    button.append(textElement("span", clock(seconds), "qd-muted"), textElement("code", text));
    button.addEventListener("click", () => void this.go(seconds));
    const row = document.createElement("li");
    row.append(button);
    list.append(row);
    const card = list.closest<HTMLElement>("[data-commands-card]");
    if (card) card.hidden = false;
  }

  private ready(): void {
    this.element.dataset["ready"] = "1";
    for (const one of this.element.querySelectorAll<HTMLButtonElement>("[data-play],[data-seek]")) one.disabled = false;
    this.say(this.events.length ? "" : (this.words["empty"] ?? ""));
    if (this.events.length) this.toggle();
  }

  private toggle(): void {
    this.isPlaying = !this.isPlaying;
    const play = this.part("play");
    if (play) play.dataset["state"] = this.isPlaying ? "playing" : "paused";
    const label = this.words[this.isPlaying ? "pause" : "play"] ?? "";
    play?.setAttribute("aria-label", label);
    play?.setAttribute("title", label);
    if (!this.isPlaying) return;
    if (this.shown >= this.events.length) void this.go(0);
    this.last = performance.now();
    requestAnimationFrame(this.tick);
  }

  private readonly tick = (now: number): void => {
    if (!this.isPlaying || this.isStopped) return;
    const speed = Number(this.element.querySelector<HTMLSelectElement>("[data-speed]")?.value ?? 1);
    if (!this.isSeeking) {
      this.at += ((now - this.last) / 1000) * speed;
      this.skip();
      let until = this.shown;
      while (until < this.events.length && this.events[until]![0] <= this.at) until++;
      if (until > this.shown) void this.show(until);
      this.time();
    }
    this.last = now;
    if (this.shown < this.events.length) requestAnimationFrame(this.tick);
    else this.toggle();
  };

  private skip(): void {
    const next = this.events[this.shown];
    const skips = this.element.querySelector<HTMLInputElement>("[data-skip]")?.checked;
    if (skips && next && next[0] - this.at > PAUSE_SECONDS) this.at = next[0] - PAUSE_SECONDS;
  }

  /** Show the recording as it was at a second of it: from the beginning, when that is behind. */
  private async go(seconds: number): Promise<void> {
    this.at = seconds;
    this.time();
    if (this.isSeeking) return;
    this.isSeeking = true;
    try {
      for (;;) {
        const wanted = this.at;
        let until = 0;
        while (until < this.events.length && this.events[until]![0] <= wanted) until++;
        if (until < this.shown) {
          this.terminal.reset();
          this.resize(Number(this.element.dataset["columns"]), Number(this.element.dataset["rows"]));
          this.shown = 0;
        }
        await this.show(until);
        if (this.at === wanted || this.isStopped) break;
      }
    } finally {
      this.isSeeking = false;
      this.last = performance.now();
    }
  }

  private async show(until: number): Promise<void> {
    let text = "";
    const from = this.shown;
    this.shown = until;
    for (const [, code, data] of this.events.slice(from, until)) {
      if (code === "o") text += data;
      if (text.length > BATCH_CHARACTERS || (code === "r" && text)) {
        await this.write(text);
        text = "";
      }
      if (code === "r") this.resize(...(data.split("x").map(Number) as [number, number]));
    }
    if (text) await this.write(text);
  }

  private write(text: string): Promise<void> {
    return new Promise((resolve) => this.terminal.write(text, resolve));
  }

  private resize(columns: number, rows: number): void {
    if (columns > 0 && rows > 0) this.terminal.resize(columns, rows);
    this.fit();
  }

  /** The letters become as large as the width allows. */
  private readonly fit = (): void => {
    const width = this.part("screen")?.clientWidth ?? 0;
    const size = Math.floor((width - 20) / (this.terminal.cols * 0.605));
    this.terminal.options.fontSize = Math.min(FONT_MAX, Math.max(FONT_MIN, size));
  };

  private time(): void {
    const place = this.part("time");
    if (place) place.textContent = `${clock(Math.min(this.at, this.seconds))} / ${clock(this.seconds)}`;
    if (this.seek && document.activeElement !== this.seek) this.seek.value = String(this.at);
    this.seek?.setAttribute("aria-valuetext", clock(this.at));
  }
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (number: number): string => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

const replay: Island = (element) => {
  let one: Replay | null = null;
  let isStopped = false;
  void openScreen(element.querySelector<HTMLElement>("[data-screen]")!, true).then((screen) => {
    if (isStopped) screen.stop();
    else one = new Replay(element, screen);
  });
  return () => {
    isStopped = true;
    one?.stop();
  };
};
export default replay;

// A terminal on a host. Frames of bytes are what is typed and printed; text frames are JSON, see jobs/terminals/serving.py.
//
//   <div data-island="terminal" data-stream="/api/v1/terminals/7/stream" data-words='{"open": "…", "exited": "…", …}'>
//     <span data-status></span> <button data-close>…</button>
//     <div data-notice hidden></div> <div data-screen></div> <div data-after hidden>…</div>
//   </div>
import { FitAddon } from "@xterm/addon-fit";
import type { Island } from "./app";
import { openScreen, type Screen } from "./screen";
import { textElement } from "./text";

interface Said {
  kind: "open" | "idle" | "end";
  seconds?: number | null;
  why?: string;
  exit_code?: number | null;
  code?: string;
  detail?: string;
  hint?: string;
}

// So much is drawn between two words about it; the server lets 512 KB be on the way.
const SEEN_BYTES = 64 << 10;
// The server takes messages of 256 KB.
const PIECE_BYTES = 64 << 10;

class Connection {
  private socket: WebSocket | null = null;
  private readonly fit = new FitAddon();
  private readonly words: Record<string, string>;
  private readonly watcher: ResizeObserver;
  private seen = 0;
  private isOpen = false;
  private isOver = false;

  constructor(
    private readonly element: HTMLElement,
    private readonly screen: Screen,
  ) {
    this.words = JSON.parse(element.dataset["words"] ?? "{}") as Record<string, string>;
    const terminal = screen.terminal;
    terminal.loadAddon(this.fit);
    this.fit.fit();
    this.watcher = new ResizeObserver(() => this.fit.fit());
    this.watcher.observe(this.part("screen"));
    terminal.onData((text) => this.type(new TextEncoder().encode(text)));
    terminal.onBinary((text) => this.type(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => this.say({ kind: "size", columns: cols, rows }));
    terminal.attachCustomKeyEventHandler((event) => this.key(event));
    this.part("close").addEventListener("click", () => this.say({ kind: "close" }));
    window.addEventListener("beforeunload", this.warn);
    this.connect();
  }

  stop(): void {
    window.removeEventListener("beforeunload", this.warn);
    this.watcher.disconnect();
    this.socket?.close();
    this.screen.stop();
  }

  private part(name: string): HTMLElement {
    return this.element.querySelector<HTMLElement>(`[data-${name}]`)!;
  }

  private connect(): void {
    const address = new URL(this.element.dataset["stream"] ?? "", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("columns", String(this.screen.terminal.cols));
    address.searchParams.set("rows", String(this.screen.terminal.rows));
    this.status("connecting");
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data === "string") this.hear(JSON.parse(event.data) as Said);
      else this.print(new Uint8Array(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (!this.isOver) this.end("gone", event.reason, "");
    });
  }

  /** What is drawn is told, so that no more is sent than can be. */
  private print(data: Uint8Array): void {
    this.screen.terminal.write(data, () => {
      this.seen += data.length;
      if (this.seen < SEEN_BYTES) return;
      this.say({ kind: "seen", bytes: this.seen });
      this.seen = 0;
    });
  }

  private hear(said: Said): void {
    if (said.kind === "open") {
      this.isOpen = true;
      this.status("open");
      const { cols, rows } = this.screen.terminal;
      this.say({ kind: "size", columns: cols, rows });
      this.screen.terminal.focus();
    } else if (said.kind === "idle") {
      this.notice(said.seconds == null ? "" : (this.words["idle"] ?? "").replace("{seconds}", String(said.seconds)));
    } else {
      const code = typeof said.exit_code === "number" ? ` (${said.exit_code})` : "";
      this.end(said.why ?? "gone", `${said.detail ?? ""}${code}`, said.hint ?? "", said.code);
    }
  }

  private end(why: string, detail: string, hint: string, code = ""): void {
    this.isOver = true;
    this.isOpen = false;
    this.status(`why-${why}`);
    this.element.dataset["ended"] = why;
    this.screen.terminal.options.disableStdin = true;
    this.notice([detail.trim(), hint].filter(Boolean).join(" — "));
    for (const one of this.element.querySelectorAll<HTMLElement>("[data-while-open]")) one.hidden = true;
    this.part("after").hidden = false;
    const keys = this.element.querySelector<HTMLElement>("[data-host-keys]");
    if (keys) keys.hidden = !code.startsWith("host_key");
  }

  private status(name: string): void {
    this.part("status").textContent = this.words[name] ?? "";
  }

  private notice(text: string): void {
    const place = this.part("notice");
    place.replaceChildren(...(text ? [textElement("p", text)] : []));
    place.hidden = !text;
  }

  private type(data: Uint8Array<ArrayBuffer>): void {
    if (!this.isOpen || this.socket?.readyState !== WebSocket.OPEN) return;
    for (let at = 0; at < data.length; at += PIECE_BYTES) this.socket.send(data.subarray(at, at + PIECE_BYTES));
  }

  private say(what: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(what));
  }

  /** Ctrl+C copies what is selected, and Ctrl+F6 leaves the terminal: Tab is the shell's. */
  private key(event: KeyboardEvent): boolean {
    const terminal = this.screen.terminal;
    if (event.type !== "keydown" || !event.ctrlKey) return true;
    if (event.key === "F6") {
      (this.isOver ? this.part("after").querySelector("a") : this.part("close"))?.focus();
      return false;
    }
    if (event.key === "c" && terminal.hasSelection()) {
      void navigator.clipboard?.writeText(terminal.getSelection());
      terminal.clearSelection();
      return false;
    }
    return true;
  }

  private readonly warn = (event: BeforeUnloadEvent): void => {
    if (this.isOpen) event.preventDefault();
  };
}

const terminal: Island = (element) => {
  let connection: Connection | null = null;
  let isStopped = false;
  void openScreen(element.querySelector<HTMLElement>("[data-screen]")!, false).then((screen) => {
    if (isStopped) screen.stop();
    else connection = new Connection(element, screen);
  });
  return () => {
    isStopped = true;
    connection?.stop();
  };
};
export default terminal;

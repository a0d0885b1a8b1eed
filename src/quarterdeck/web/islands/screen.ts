// The screen of a terminal, live or replayed: xterm.js in our colours and under our policy.
import { type ITheme, Terminal } from "@xterm/xterm";

const ANSI = {
  light: {
    black: "#12202e", red: "#b3261e", green: "#1b7a43", yellow: "#8a5800",
    blue: "#2b5fb0", magenta: "#6b3fa0", cyan: "#0a6c7c", white: "#566672",
    brightBlack: "#566672", brightRed: "#c93a31", brightGreen: "#1f8a4c", brightYellow: "#9a6400",
    brightBlue: "#3a70c4", brightMagenta: "#7c4fb2", brightCyan: "#0a7c8e", brightWhite: "#12202e",
  },
  dark: {
    black: "#263642", red: "#ff8f85", green: "#5fcf8d", yellow: "#f0b65a",
    blue: "#8bb5f5", magenta: "#c4a3ee", cyan: "#58c4d2", white: "#c9d4db",
    brightBlack: "#9cadb8", brightRed: "#ffb0a8", brightGreen: "#8fe0b0", brightYellow: "#f7cf8c",
    brightBlue: "#b0cdf9", brightMagenta: "#d9c3f5", brightCyan: "#86d8e2", brightWhite: "#ffffff",
  },
} as const;
const FONT = '"IBM Plex Mono", ui-monospace, "SF Mono", "Noto Sans Mono CJK SC", monospace';

function theme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const isDark = document.documentElement.dataset["bsTheme"] === "dark";
  return {
    ...ANSI[isDark ? "dark" : "light"],
    background: colour("--qd-surface"),
    foreground: colour("--qd-ink"),
    cursor: colour("--qd-sea"),
    cursorAccent: colour("--qd-surface"),
    selectionBackground: colour("--qd-sea-soft"),
  };
}

/** Open the terminal so that its style elements carry the page's nonce: the policy takes no others. */
function openWithNonce(terminal: Terminal, place: HTMLElement): void {
  const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
  // xterm.js has an option for the document that it uses, and one place that does not look at it (6.0.0, Viewport.ts).
  const create = document.createElement.bind(document);
  const createWithNonce = (name: string, options?: ElementCreationOptions): HTMLElement => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  Object.defineProperty(document, "createElement", { configurable: true, value: createWithNonce });
  try {
    terminal.open(place);
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}

export interface Screen {
  terminal: Terminal;
  stop: () => void;
}

/** Draw a screen into `place`; `readOnly` takes no keys. The font is there before anything is measured. */
export async function openScreen(place: HTMLElement, readOnly: boolean, fontSize = 14): Promise<Screen> {
  await document.fonts.load(`${fontSize}px "IBM Plex Mono"`);
  const terminal = new Terminal({
    theme: theme(),
    fontFamily: FONT,
    fontSize,
    lineHeight: 1.2,
    disableStdin: readOnly,
    cursorBlink: false,
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    // A host's links (OSC 8) lead nowhere: their text may say something else than where they go.
    linkHandler: { activate: () => undefined },
  });
  openWithNonce(terminal, place);
  const looks = new MutationObserver(() => (terminal.options.theme = theme()));
  looks.observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  return {
    terminal,
    stop: () => {
      looks.disconnect();
      terminal.dispose();
    },
  };
}

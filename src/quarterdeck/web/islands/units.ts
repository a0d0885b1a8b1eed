// Numbers with units, as the server writes them (web/formatting.py).

const language = document.documentElement.lang || "en";
const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 2 });
const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** How plain and fine numbers are written: as usual, or with a fixed number of decimals. */
interface Formats {
  plain: Intl.NumberFormat;
  fine: Intl.NumberFormat;
}

function formats(decimals?: number): Formats {
  if (decimals === undefined) return { plain, fine };
  const fixed = new Intl.NumberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return { plain: fixed, fine: fixed };
}

function inBytes(value: number, as: Formats): string {
  let amount = value;
  let unit = 0;
  while (Math.abs(amount) >= 1024 && unit < binary.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${as.plain.format(amount)} ${binary[unit]}`;
}

function inNumber(value: number, as: Formats): string {
  if (Math.abs(value) >= 1e6) return short.format(value);
  return (Math.abs(value) < 10 ? as.fine : as.plain).format(value);
}

function inSeconds(value: number, as: Formats): string {
  const size = Math.abs(value);
  if (size === 0 || size >= 1) return `${inNumber(value, as)} s`;
  return size >= 1e-3 ? `${inNumber(value * 1e3, as)} ms` : `${inNumber(value * 1e6, as)} µs`;
}

/** `unit` is "bytes", "bytes/s", "/s", "ratio", "percent", "seconds" or a word that follows the number. */
export function withUnit(value: number, unit: string, decimals?: number): string {
  const as = formats(decimals);
  if (unit === "bytes") return inBytes(value, as);
  if (unit === "bytes/s") return `${inBytes(value, as)}/s`;
  if (unit === "/s") return `${inNumber(value, as)}/s`;
  if (unit === "percent") return `${inNumber(value, as)}%`;
  if (unit === "seconds") return inSeconds(value, as);
  if (unit === "ratio") return `${(Math.abs(value) < 0.1 ? as.fine : as.plain).format(value * 100)}%`;
  return unit ? `${inNumber(value, as)} ${unit}` : inNumber(value, as);
}

/** The step between axis labels that reads well: powers of 1024 for bytes, of 10 for the rest. */
export function niceMaximum(unit: string, highest: number): number | undefined {
  if (unit !== "bytes" && unit !== "bytes/s") return undefined;
  if (highest <= 0) return 1024;
  const base = 1024 ** Math.floor(Math.log(highest) / Math.log(1024));
  const steps = [1, 2, 4, 5, 8, 10, 16, 20, 32, 40, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024];
  return base * (steps.find((step) => step * base >= highest) ?? 1024);
}

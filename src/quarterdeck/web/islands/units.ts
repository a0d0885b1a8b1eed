// Numbers with units, as the server writes them (web/formatting.py).

const language = document.documentElement.lang || "en";
const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function inBytes(value: number): string {
  let amount = value;
  let unit = 0;
  while (Math.abs(amount) >= 1024 && unit < binary.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${plain.format(amount)} ${binary[unit]}`;
}

/** `unit` is "bytes", "bytes/s", "ratio", "seconds" or a word that follows the number. */
export function withUnit(value: number, unit: string): string {
  if (unit === "bytes") return inBytes(value);
  if (unit === "bytes/s") return `${inBytes(value)}/s`;
  if (unit === "ratio") return `${(Math.abs(value) < 0.1 ? fine : plain).format(value * 100)}%`;
  const number = Math.abs(value) < 10 ? fine.format(value) : plain.format(value);
  return unit ? `${number} ${unit}` : number;
}

/** The step between axis labels that reads well: powers of 1024 for bytes, of 10 for the rest. */
export function niceMaximum(unit: string, highest: number): number | undefined {
  if (unit !== "bytes" && unit !== "bytes/s") return undefined;
  if (highest <= 0) return 1024;
  const base = 1024 ** Math.floor(Math.log(highest) / Math.log(1024));
  const steps = [1, 2, 4, 5, 8, 10, 16, 20, 32, 40, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024];
  return base * (steps.find((step) => step * base >= highest) ?? 1024);
}

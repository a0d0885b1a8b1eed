// A trace's spans as the server sends them, and which of them can be seen while some are folded.

/** Parent's position (-1 for a root), depth, start and duration in microseconds, positions of service and name, kind,
 * flags (1 failed, 2 parent missing, 4 cut circle, 8 clock adjusted), id. */
export type Span = [
  parent: number, depth: number, start: number, duration: number, service: number, name: number, kind: string,
  flags: number, id: string,
];

export interface TraceData {
  trace: string;
  duration: number;
  services: string[];
  names: string[];
  spans: Span[];
  critical: [span: number, start: number, end: number][];
}

export const FAILED = 1;
export const ORPHAN = 2;
export const SKEWED = 8;

/** The spans that are not below a folded one; they stand depth first, so a folded span's children follow it. */
export function visibleSpans(spans: Span[], folded: ReadonlySet<number>): number[] {
  const found: number[] = [];
  let hiddenBelow = Infinity;
  spans.forEach((span, index) => {
    if (span[1] > hiddenBelow) return;
    hiddenBelow = folded.has(index) ? span[1] : Infinity;
    found.push(index);
  });
  return found;
}

export function hasChildren(spans: Span[], index: number): boolean {
  return spans[index + 1]?.[0] === index;
}

/** Microseconds as a person reads them. */
export function inWords(microseconds: number, language: string): string {
  const [size, unit] = microseconds >= 1e6 ? [1e6, "s"] : microseconds >= 1000 ? [1000, "ms"] : [1, "µs"];
  const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(microseconds / size);
  return `${number} ${unit}`;
}

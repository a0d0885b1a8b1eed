// `<time datetime="2026-01-02T03:04:05Z" data-relative>`: relative text that keeps itself true, and on hover the
// absolute time in the person's own zone with the zone's name; with `data-date` the day instead. An element with
// `data-time-zone` names that zone. The server's UTC text stands until this script runs.

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const language = document.documentElement.lang || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" });

/** "3 min. ago" for a moment in milliseconds since 1970. */
export function relativeTime(moment: number): string {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

export function absoluteTime(moment: number): string {
  return absolute.format(moment);
}

function nameZone(): void {
  const { timeZone } = absolute.resolvedOptions();
  for (const element of document.querySelectorAll("[data-time-zone]")) element.textContent = timeZone;
}

function renew(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    const moment = Date.parse(element.dateTime);
    if (Number.isNaN(moment)) continue;
    const { relative, date } = element.dataset;
    const isAbsolute = relative === undefined && date === undefined;
    if (date !== undefined) element.textContent = day.format(moment);
    else element.textContent = isAbsolute ? absoluteTime(moment) : relativeTime(moment);
    element.title = isAbsolute ? relativeTime(moment) : absoluteTime(moment);
  }
}

export function startTimes(): void {
  renew(document);
  nameZone();
  setInterval(() => renew(document), 15_000);
  document.addEventListener("htmx:afterSettle", () => {
    renew(document);
    nameZone();
  });
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Format a duration: 12 ms, 3.4 s, 2 m 05 s, 1 h 12 m, 3 d 4 h. */
export function duration(ms: number): string {
  if (ms < 0 || !Number.isFinite(ms)) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 59_500) return `${Math.round(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  const minutes = Math.round(ms / MINUTE);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** Format a relative time: "now", "12 s ago", "in 5 m"; the date after a week. */
export function ago(at: number, now: number): string {
  const ms = now - at;
  const size = Math.abs(ms);
  if (size < 1500) return "now";
  if (size >= 7 * DAY) return new Date(at).toISOString().slice(0, 10);
  const text = coarse(size);
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** Format a size: 512 B, 1.4 kB, 23 MB. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 99.5 ? Math.round(size) : Number(size.toPrecision(2))} ${units[unit] ?? ""}`;
}

/** Format an integer: 12,345. */
export function count(number: number): string {
  return number.toLocaleString("en");
}

/** Format a count: 1 run, 2 runs, 12,345 runs. `some` is an irregular plural; `more` marks a lower bound. */
export function counted(number: number, one: string, { some = `${one}s`, more = false } = {}): string {
  return `${count(number)}${more ? "+" : ""} ${number === 1 && !more ? one : some}`;
}

/** Format a date and local time in milliseconds: 2026-11-22 23:19:04.120. */
export function exact(at: number): string {
  const date = new Date(at);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${clock(at)}`;
}

/** Format the time of day: 23:19:04.120. */
export function clock(at: number): string {
  const date = new Date(at);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Shorten an id. The server's ids start with a timestamp, so the end distinguishes neighbours. */
export function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id;
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}

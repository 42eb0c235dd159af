/* Money, times and counts as text: the only place of the front end that makes them. */

const NUMBER = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** 1234567 as 1,234,567. */
export const count = (value: number): string => NUMBER.format(value);

/** 1234567 as 1.2M. */
export const short = (value: number): string => SHORT.format(value);

/** A number and its noun, in the plural where it is not one. */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A span in whole seconds: 42 s, 3 min 07 s, 2 h 05 min. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60) % 60;
  const hours = Math.floor(s / 3600);
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(s % 60)} s`;
}

/** A span for a narrow column: 1.2 s, 42 s, 3m 07s, 2h 05m. */
export const brief = (ms: number): string =>
  ms < 60_000 ? took(ms) : duration(ms).replace(/ (min|h|s)/g, (_, unit: string) => unit[0] ?? "");

/** A finished span: with a tenth below ten seconds. */
export const took = (ms: number): string => (ms < 10_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : duration(ms));

/** The moment of a launch, as short as it is clear: the time today, the day before that. */
export function moment(ms: number, now: number): string {
  const then = new Date(ms);
  if (then.toDateString() === new Date(now).toDateString()) return then.toLocaleTimeString("en-GB");
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  const day = { day: "numeric", month: "short" } as const;
  return then.toLocaleDateString("en-GB", sameYear ? day : { ...day, year: "numeric" });
}

/** Dollars: two places from a dime on, two figures below. */
export function dollars(value: number): string {
  if (value === 0) return "$0";
  if (value >= 0.1) return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${Number(value.toPrecision(2))}`;
}

/** How many in a time: 12/s, 30/min. */
export const speed = (perSecond: number): string =>
  perSecond >= 1 ? `${short(perSecond)}/s` : `${short(60 * perSecond)}/min`;

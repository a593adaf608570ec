/** Numbers, times and amounts as people read them. Counts and amounts stay exact: they are added as whole numbers. */

import type { Amount } from "./contract";

const LOCALE = "en-GB";
const whole = new Intl.NumberFormat(LOCALE);
const timeOfDay = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});
const day = new Intl.DateTimeFormat(LOCALE, { weekday: "short", day: "numeric", month: "short" });
const minute = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });
const hour = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const count = (value: number | string | bigint): string => whole.format(typeof value === "string" ? BigInt(value) : value);
export const clock = (time: string | number): string => timeOfDay.format(new Date(time));
export const moment = (time: string): string => dayAndTime.format(new Date(time));
export const dayOf = (time: Date): string => minute.format(time);
export const bucketName = (time: string | number, isDay: boolean): string => (isDay ? day : hour).format(new Date(time));

export function plural(number: number | string, one: string, more = `${one}s`): string {
  return `${count(number)} ${Number(number) === 1 ? one : more}`;
}

/** A share in per cent; a dash where there is no whole. */
export function share(part: number, of: number): string {
  return of ? `${((100 * part) / of).toFixed(part === of ? 0 : 1)} %` : "–";
}

/** What became of a number since the period before. */
export function change(now: number, before: number): string {
  if (now === before) return "no change";
  if (!before) return "none before";
  if (now >= 10 * before) return `${Math.round(now / before)} times as many`;
  const percent = (100 * (now - before)) / before;
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} %`;
}

export function bytes(value: number | string): string {
  let left = Number(value);
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit++;
  }
  return `${unit && left < 100 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

export function seconds(value: number): string {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  if (value < 172_800) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86_400)} days`;
}

/** Sums of exact decimal texts, by currency, in order of the currency. */
export function sumAmounts(lists: Iterable<readonly Amount[]>): Amount[] {
  const sums = new Map<string, string>();
  for (const amounts of lists) for (const { currency, amount } of amounts) sums.set(currency, add(sums.get(currency) ?? "0", amount));
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([currency, amount]) => ({ currency, amount }));
}

/** The sum of two decimal texts, with the decimals of the longer one. */
export function add(a: string, b: string): string {
  const decimals = Math.max(...[a, b].map((one) => (one.split(".")[1] ?? "").length));
  const sum = [a, b].map((one) => scaled(one, decimals)).reduce((x, y) => x + y);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(decimals + 1, "0");
  const text = decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits;
  return sum < 0n ? `-${text}` : text;
}

function scaled(text: string, decimals: number): bigint {
  const [head = "0", tail = ""] = text.replace("-", "").split(".");
  const value = BigInt(head + tail.padEnd(decimals, "0"));
  return text.startsWith("-") ? -value : value;
}

/** An amount with its thousands set apart, and not one digit else. */
export function money({ currency, amount }: Amount): string {
  const [head = "", tail] = amount.split(".");
  return `${head.replace(/\B(?=(\d{3})+$)/g, ",")}${tail ? `.${tail}` : ""} ${currency}`;
}

export const total = (values: Iterable<string>): number => [...values].reduce((sum, one) => sum + Number(one), 0);

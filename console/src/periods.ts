/** Periods of time as readers choose them, and the one before each, equally long. Days are the reader's own. */

import { place } from "./address";

export interface Period {
  readonly from: Date;
  readonly to: Date;
  /** How many days of the calendar it covers, the last one perhaps in part; 0: it is the last 24 hours. */
  readonly days: number;
  /** Buckets: days, or hours where it is short. */
  readonly isDay: boolean;
}

export const PERIODS = [["1d", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["90d", "Last 90 days"], ["own", "From – to"]] as const;
export const USUAL = "30d";

/** The period that the address names. `from` and `to` are days, both included. */
export function period(now: Date): Period {
  const { range = USUAL, from, to } = place.value.filters;
  if (range === "own") {
    const first = dayOf(from) ?? startOfDay(now);
    const last = dayOf(to) ?? startOfDay(now);
    const end = startOfDay(last < first ? first : last, 1);
    const days = daysOf(first, end);
    return { from: first, to: end, days, isDay: days > 2 };
  }
  if (range === "1d") return { from: new Date(now.getTime() - 24 * HOUR_MS), to: now, days: 0, isDay: false };
  const days = Number.parseInt(range, 10) || 30;
  return { from: startOfDay(now, 1 - days), to: now, days, isDay: true };
}

/** As long, and just before: by whole days, so that a Monday is compared with a day as long as it is now. */
export function before({ from, to, days, isDay }: Period): Period {
  if (!days) return { from: new Date(2 * from.getTime() - to.getTime()), to: from, days, isDay };
  return { from: startOfDay(from, -days), to: shifted(to, -days), days, isDay };
}

/** Starts of its buckets, in milliseconds. */
export function buckets({ from, to, isDay }: Period): number[] {
  const starts: number[] = [];
  const hour = new Date(from).setMinutes(0, 0, 0);
  const start = (index: number): number => (isDay ? startOfDay(from, index).getTime() : hour + index * HOUR_MS);
  for (let index = 0; start(index) < to.getTime(); index++) starts.push(start(index));
  return starts;
}

/** Rows by the bucket that each begins in; what begins in none is of the first. */
export function inBuckets<T>(starts: readonly number[], rows: readonly T[], startOf: (row: T) => number): T[][] {
  const found: T[][] = starts.map(() => []);
  for (const row of rows) {
    let index = starts.length - 1;
    while (index > 0 && starts[index]! > startOf(row)) index--;
    found[index]?.push(row);
  }
  return found;
}

const HOUR_MS = 3_600_000;

/** The start of a day, and of the one so many days later: not 24 hours apart where clocks change, and not always at 0:00. */
function startOfDay(date: Date, later = 0): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + later);
}

/** The same time of another day. */
function shifted(date: Date, days: number): Date {
  if (date.getTime() === startOfDay(date).getTime()) return startOfDay(date, days);
  const moved = new Date(date);
  moved.setDate(moved.getDate() + days);
  return moved;
}

const daysOf = (first: Date, end: Date): number => Math.round((end.getTime() - first.getTime()) / (24 * HOUR_MS));

function dayOf(text: string | undefined): Date | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? "");
  return found ? new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3])) : undefined;
}

/** Periods of time as readers choose them, and the one before each, equally long. Days are the reader's own. */

import { place } from "./address";

export interface Period {
  readonly from: Date;
  readonly to: Date;
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
    const end = shifted(last < first ? first : last, 1);
    return { from: first, to: end, isDay: end.getTime() - first.getTime() > 2 * 86_400_000 };
  }
  if (range === "1d") return { from: new Date(now.getTime() - 86_400_000), to: now, isDay: false };
  const days = Number.parseInt(range, 10) || 30;
  return { from: shifted(startOfDay(now), 1 - days), to: now, isDay: true };
}

/** As long, and just before: by whole days, so that a Monday is compared with a day as long as it is now. */
export function before({ from, to, isDay }: Period): Period {
  const days = Math.max(1, Math.ceil((to.getTime() - from.getTime()) / 86_400_000));
  return { from: shifted(from, -days), to: shifted(to, -days), isDay };
}

/** Starts of its buckets, in milliseconds. */
export function buckets({ from, to, isDay }: Period): number[] {
  const starts: number[] = [];
  const first = isDay ? startOfDay(from) : new Date(new Date(from).setMinutes(0, 0, 0));
  for (let at = first; at < to; at = isDay ? shifted(at, 1) : new Date(at.getTime() + 3_600_000)) starts.push(at.getTime());
  return starts;
}

export function shifted(date: Date, days: number): Date {
  const moved = new Date(date);
  moved.setDate(moved.getDate() + days);
  return moved;
}

export function startOfDay(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

function dayOf(text: string | undefined): Date | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? "");
  return found ? new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3])) : undefined;
}

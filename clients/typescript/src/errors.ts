// The errors of this client. None of them quotes a value of an event.

import type { Event } from "./events.js";

/** The number of events in words. */
export function counted(events: number): string {
  return events === 1 ? "1 event" : `${events} events`;
}

/** A builder's argument is wrong; the message begins with its name. */
export class ArgumentError extends Error {
  override name = "ArgumentError";

  constructor(
    readonly argument: string,
    what: string,
  ) {
    super(`${argument}: ${what}`);
  }
}

/** The queue has no room and `whenFull` is "error". The event was not taken. */
export class QueueFullError extends Error {
  override name = "QueueFullError";
}

/** The client is closed. The event was not taken. */
export class ClosedError extends Error {
  override name = "ClosedError";
}

/** The service answered with another number of receipts than it was sent events; which are stored is unknown. */
export class ReceiptCountError extends Error {
  override name = "ReceiptCountError";
}

/**
 * `close` ran out of time, or events had failed of which no hook was told. `events` are those that were left at the end; they
 * may be sent again: their ids make that harmless. `count` includes those that had failed before.
 */
export class UndeliveredError extends Error {
  override name = "UndeliveredError";
  declare readonly events: readonly Event[];

  constructor(
    events: readonly Event[],
    readonly count: number,
    address: string,
    cause: Error | undefined,
  ) {
    super(`${counted(count)} not delivered to ${address}: ${cause?.message ?? "no answer yet"}`, { cause });
    // Not enumerable: what prints an error prints its properties, and these are personal.
    Object.defineProperty(this, "events", { value: events });
  }
}

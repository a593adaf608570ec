// What a client can be told, with defaults for a backend beside a node.

import type { EventReceipt } from "./gen/qrumb/v1/receipt_pb.js";
import type { Event } from "./events.js";
import { ArgumentError } from "./errors.js";

/** Settings of a client. Times are milliseconds. */
export interface Settings {
  /** A batch is due when it has so many events; 1 to 1,000. Default 500. */
  maxBatchEvents?: number;
  /** Or when one event more would make it larger than this. A larger event goes alone. Default 1,048,576. */
  maxBatchBytes?: number;
  /** Or so long after its first event was queued. Default 100. */
  maxBatchDelayMs?: number;
  /** Events without a verdict, those of the call under way included. Default 10,000. */
  maxQueueEvents?: number;
  /** And their bytes. An event always fits into an empty queue. Default 33,554,432. */
  maxQueueBytes?: number;
  /** What `send` does without room: wait for it, or reject with QueueFullError. Default "block". */
  whenFull?: "block" | "error";
  /** Deadline of one call. Running out of it is tried again. Default 10,000. */
  callTimeoutMs?: number;
  /** First wait before a repetition; doubles each time. Default 100. */
  firstBackoffMs?: number;
  /** Longest wait that this client chooses by itself. Default 10,000. */
  maxBackoffMs?: number;
  /**
   * Called with every verdict, in the order of the events. What it throws is given to process.emitWarning. Without it
   * rejections are written to console.error.
   */
  onReceipt?: (receipt: EventReceipt, event: Event) => void;
  /**
   * Called for every event that has no verdict and never will have. Without it failures are written to console.error, and
   * `close` rejects.
   */
  onFailure?: (event: Event, error: Error) => void;
}

type Hooks = "onReceipt" | "onFailure";

/** Settings with nothing left open but the hooks. */
export type FullSettings = Required<Omit<Settings, Hooks>> & Pick<Settings, Hooks>;

const DEFAULTS: FullSettings = {
  maxBatchEvents: 500,
  maxBatchBytes: 1_048_576,
  maxBatchDelayMs: 100,
  maxQueueEvents: 10_000,
  maxQueueBytes: 33_554_432,
  whenFull: "block",
  callTimeoutMs: 10_000,
  firstBackoffMs: 100,
  maxBackoffMs: 10_000,
};
const HOOKS: readonly string[] = ["onReceipt", "onFailure"] satisfies Hooks[];

/** The settings over the defaults. Throws ArgumentError. */
export function complete(settings: Settings): FullSettings {
  const full = { ...DEFAULTS };
  for (const [name, value] of Object.entries(settings)) {
    if (!Object.hasOwn(DEFAULTS, name) && !HOOKS.includes(name)) throw new ArgumentError(name, "is not a setting");
    if (value !== undefined) Object.assign(full, { [name]: value });
  }
  for (const [name, value] of Object.entries(full)) {
    if (typeof value === "number" && !(value >= (name === "maxBatchDelayMs" ? 0 : 1))) {
      throw new ArgumentError(name, "is too small");
    }
  }
  // The service takes no more in one call.
  if (full.maxBatchEvents > 1000) throw new ArgumentError("maxBatchEvents", "is above 1,000");
  if (full.whenFull !== "block" && full.whenFull !== "error") {
    throw new ArgumentError("whenFull", "is not block or error");
  }
  return full;
}

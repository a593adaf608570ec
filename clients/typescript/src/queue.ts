// Events without a verdict: those that wait, in one lane for each kind, and those of the call under way. Bounded by
// number and bytes; nothing leaves but by `take` and then `done`.

import type { Event } from "./events.js";
import type { FullSettings } from "./settings.js";

/** An event in the queue. `order` counts what was ever queued. */
export interface Item {
  readonly event: Event;
  /** The event as it is sent, whatever becomes of the object. */
  readonly payload: Uint8Array;
  readonly order: number;
  readonly queuedAt: number;
}

// A field's number and the length before each event of a batch.
const FRAME_BYTES = 4;

interface Lane {
  items: Item[];
  bytes: number;
}

/** The queue and the rule when a batch is due. Knows no clock and no network. */
export class Queue {
  private readonly lanes: Record<Event["$typeName"], Lane> = {
    "qrumb.v1.ServerEvent": { items: [], bytes: 0 },
    "qrumb.v1.BrowserEvent": { items: [], bytes: 0 },
    "qrumb.v1.ScanSession": { items: [], bytes: 0 },
  };
  private underWay: readonly Item[] = [];
  private nextOrder = 0;
  private events = 0;
  private bytes = 0;
  private flushedBefore = 0;

  constructor(private readonly settings: FullSettings) {}

  /** Events without a verdict. */
  get length(): number {
    return this.events;
  }

  /** Whether an event of this size may be added. One always fits into an empty queue. */
  hasRoom(payload: Uint8Array): boolean {
    const { maxQueueEvents, maxQueueBytes } = this.settings;
    return this.events === 0 || (this.events < maxQueueEvents && this.bytes + sizeOf(payload) <= maxQueueBytes);
  }

  add(event: Event, payload: Uint8Array, now: number): void {
    const lane = this.lanes[event.$typeName];
    lane.items.push({ event, payload, order: this.nextOrder++, queuedAt: now });
    lane.bytes += sizeOf(payload);
    this.bytes += sizeOf(payload);
    this.events += 1;
  }

  /** Makes everything that is queued by now due; returns the order before which all is then to be answered. */
  flush(): number {
    this.flushedBefore = this.nextOrder;
    return this.nextOrder;
  }

  /** Whether every event queued before `order` has its verdict. */
  isAnswered(order: number): boolean {
    const oldest = [this.underWay[0], ...this.all.map((lane) => lane.items[0])];
    return oldest.every((item) => item === undefined || item.order >= order);
  }

  /** When a batch is due: 0 is at once, Infinity is never, as nothing waits. */
  get due(): number {
    return Math.min(...this.all.map((lane) => this.dueTime(lane)));
  }

  /** The batch that is due first, now under way. */
  take(): readonly Item[] {
    const waiting = this.all.filter((lane) => lane.items.length > 0);
    const [next] = waiting.sort((a, b) => this.dueTime(a) - this.dueTime(b) || first(a) - first(b));
    this.underWay = next === undefined ? [] : this.cut(next);
    return this.underWay;
  }

  /** The batch under way has its verdicts, or never will; or so many events have that come first of it. */
  done(count: number): void {
    for (const item of this.underWay.slice(0, count)) this.bytes -= sizeOf(item.payload);
    this.events -= count;
    this.underWay = this.underWay.slice(count);
  }

  /** Empties the queue and returns what was in it, in order. */
  drain(): readonly Item[] {
    const waiting = this.all.flatMap((lane) => lane.items).sort((a, b) => a.order - b.order);
    const all = [...this.underWay, ...waiting];
    this.underWay = [];
    for (const lane of this.all) Object.assign(lane, { items: [], bytes: 0 });
    this.events = this.bytes = 0;
    return all;
  }

  private get all(): Lane[] {
    return Object.values(this.lanes);
  }

  private dueTime(lane: Lane): number {
    const oldest = lane.items[0];
    if (oldest === undefined) return Infinity;
    const { maxBatchEvents, maxBatchBytes, maxBatchDelayMs } = this.settings;
    const full = lane.items.length >= maxBatchEvents || lane.bytes >= maxBatchBytes;
    return full || oldest.order < this.flushedBefore ? 0 : oldest.queuedAt + maxBatchDelayMs;
  }

  private cut(lane: Lane): readonly Item[] {
    const { maxBatchEvents, maxBatchBytes } = this.settings;
    let count = 0;
    let bytes = 0;
    for (const item of lane.items) {
      if (count > 0 && (count >= maxBatchEvents || bytes + sizeOf(item.payload) > maxBatchBytes)) break;
      bytes += sizeOf(item.payload);
      count += 1;
    }
    lane.bytes -= bytes;
    return lane.items.splice(0, count);
  }
}

function first(lane: Lane): number {
  return lane.items[0]?.order ?? Infinity;
}

/** Bytes of an event within a batch. */
function sizeOf(payload: Uint8Array): number {
  return payload.length + FRAME_BYTES;
}

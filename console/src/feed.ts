/** What arrives, as the Live page shows it: stored rows and rejected events, newest first, as many as a page can bear.
 *
 * Only what the node has stored or rejected is a row, so nothing that is shown vanishes later. What was sent from this
 * console is a row from its receipt on, and changes as its receipt does. */

import { signal } from "@preact/signals";

import { ask } from "./api";
import type { EventRow, Fate, Receipt, RejectedEvent } from "./contract";
import { isOfTheKey, turnedAway } from "./session";

export type State = "spooled" | "stored" | "duplicate" | "rejected";

export interface Arrival {
  readonly id: string;
  readonly eventId: string;
  readonly time: number;
  readonly state: State;
  readonly name: string;
  readonly row?: EventRow;
  readonly rejected?: RejectedEvent;
}

interface Tail {
  readonly rows: EventRow[];
  readonly cursor: string;
}

/** Rows that are kept; older ones fall off. */
export const KEPT = 5000;
/** Rows asked for at first, and in one go later. */
const FIRST = 200;
const PAGE = 1000;
/** Full pages that are followed in one turn, before it jumps to the newest. */
const PAGES = 5;
const REJECTED_PAGE = 200;
const PAUSE_MS = 2000;
/** Rejected events are listed by the time of receipt, and turn up within this of it. */
const LATE_MS = 60_000;

/** Events that were sent from this console and are not in a list yet, by their id. */
const sent = new Map<string, Arrival>();

export function sentFromHere(eventId: string, name: string): void {
  sent.set(eventId, { id: `sent ${eventId}`, eventId, time: Date.now(), state: "spooled", name });
}

export class Feed {
  /** What is shown. */
  readonly arrivals = signal<readonly Arrival[]>([]);
  /** How many arrived since the pause. */
  readonly held = signal(0);
  readonly isPaused = signal(false);
  /** Whether the first answer is there. */
  readonly isRead = signal(false);
  /** More came at a time than the page follows, so some were passed over. */
  readonly jumped = signal(false);
  readonly error = signal<Error | undefined>(undefined);

  #waiting: readonly Arrival[] = [];
  #cursor = "";
  #seenRejected = new Set<string>();
  #rejectedSince = 0;
  readonly #ended = new AbortController();
  #timer = 0;

  constructor(readonly site: string) {
    void this.#turn();
  }

  end(): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  pause(): void {
    this.isPaused.value = true;
  }

  resume(): void {
    this.isPaused.value = false;
    this.#show(this.#waiting);
    this.#waiting = [];
    this.held.value = 0;
  }

  async #turn(): Promise<void> {
    try {
      if (!document.hidden || !this.isRead.value) {
        const [stored, rejected] = await Promise.all([this.#stored(), this.#rejected()]);
        const found = [...stored, ...rejected];
        await this.#followSent(found);
        this.#take(found);
        this.isRead.value = true;
        this.error.value = undefined;
      }
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      if (isOfTheKey(error)) return turnedAway(error);
      this.error.value = error as Error;
    }
    if (!this.#ended.signal.aborted) this.#timer = window.setTimeout(() => void this.#turn(), PAUSE_MS);
  }

  async #stored(): Promise<Arrival[]> {
    const found: Arrival[] = [];
    for (let page = 0; ; page++) {
      if (page === PAGES) {
        this.jumped.value = true;
        this.#cursor = "";
      }
      const limit = this.#cursor || page ? PAGE : FIRST;
      const tail: Tail = await this.#ask("tail", { cursor: this.#cursor, limit });
      const isWhole = this.#cursor !== "" && tail.rows.length === limit;
      this.#cursor = tail.cursor;
      found.push(...told(tail.rows.map(asArrival)));
      if (!isWhole) return found;
    }
  }

  async #rejected(): Promise<Arrival[]> {
    const since = this.#rejectedSince ? new Date(this.#rejectedSince - LATE_MS).toISOString() : undefined;
    const { rejected_events, next_page_token } = await this.#ask<{ rejected_events: RejectedEvent[]; next_page_token: string }>(
      "rejected-events", { since_time: since, page_size: REJECTED_PAGE });
    const page = told(rejected_events.map(asRejection));
    const found = page.filter((one) => !this.#seenRejected.has(one.id));
    // A page of nothing but new ones, and more behind it.
    if (since && next_page_token && found.length === page.length) this.jumped.value = true;
    for (const one of found) this.#rejectedSince = Math.max(this.#rejectedSince, one.time);
    this.#seenRejected = new Set(page.map((one) => one.id));
    return found;
  }

  /** What was sent from here: asked for until it turns up in a list. */
  async #followSent(found: readonly Arrival[]): Promise<void> {
    for (const one of [...found, ...this.arrivals.value]) if (!one.id.startsWith("sent ")) sent.delete(one.eventId);
    for (const one of sent.values()) {
      const receipt: Receipt = await this.#ask(`receipts/${one.eventId}`, {});
      sent.set(one.eventId, { ...one, state: stateOf(receipt.fate) });
    }
  }

  #take(found: readonly Arrival[]): void {
    if (!this.isPaused.value) return this.#show(found);
    this.#waiting = bounded([...this.#waiting, ...found]);
    this.held.value += found.length;
  }

  #show(found: readonly Arrival[]): void {
    const shown = this.arrivals.value.filter((one) => !one.id.startsWith("sent "));
    const own = [...sent.values()];
    if (!found.length && !own.length && shown.length === this.arrivals.value.length) return;
    this.arrivals.value = bounded([...new Map([...shown, ...found, ...own].map((one) => [one.id, one])).values()]);
  }

  #ask<T>(path: string, params: Record<string, string | number | undefined>): Promise<T> {
    return ask(`/v1/sites/${encodeURIComponent(this.site)}/${path}`, params, this.#ended.signal);
  }
}

function bounded(arrivals: Arrival[]): readonly Arrival[] {
  return arrivals.sort((a, b) => b.time - a.time).slice(0, KEPT);
}

/** Tell apart what is alike: two copies of an event that came in one batch. */
function told(arrivals: Arrival[]): Arrival[] {
  const seen = new Map<string, number>();
  return arrivals.map((one) => {
    const before = seen.get(one.id) ?? 0;
    seen.set(one.id, before + 1);
    return before ? { ...one, id: `${one.id} ${before}` } : one;
  });
}

function asArrival(row: EventRow): Arrival {
  const time = Date.parse(row.received_time);
  const place = `${row.event_id} ${row.received_time} ${row.source} ${row.is_duplicate}`;
  return { id: place, eventId: row.event_id, time, state: row.is_duplicate ? "duplicate" : "stored", name: row.event_type || row.event_name, row };
}

function asRejection(rejected: RejectedEvent): Arrival {
  const time = Date.parse(rejected.received_time);
  const name = /"event_(?:type|name)": ?"([^"\\]{1,128})"/.exec(rejected.payload)?.[1] ?? "";
  return { id: `rejected ${rejected.event_id} ${rejected.received_time}`, eventId: rejected.event_id, time, state: "rejected", name, rejected };
}

const STATES: Readonly<Record<Fate, State>> = { NOT_SEEN: "spooled", SPOOLED: "spooled", STORED: "stored", DUPLICATE: "duplicate", REJECTED: "rejected" };
const stateOf = (fate: Fate): State => STATES[fate];

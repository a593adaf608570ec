// Events on their way: batches, one call at a time, repeated until the collector has answered. An event keeps its id,
// and one that has its verdict, whatever it is, is never sent again.

import { warn } from "./say.js";
import { wellFormedJson } from "./text.js";
import type { Receipt, TagEvent } from "./types.js";

/** What came back: the status, and the delay that it states in milliseconds (0: none). */
export interface Reply {
  status: number;
  delay: number;
  text: () => Promise<string>;
}

export interface OutboxOptions {
  limit: number;
  delay: number;
  /** Does one call; `last` if the page may be gone before its answer. Rejects if there is none. */
  post: (body: string, last: boolean) => Promise<Reply>;
  isOnline: () => boolean;
  onReceipt?: (receipt: Receipt) => void;
}

// Browsers let 64 KiB of bodies outlive a page, all calls under way together; some is left for others.
const BUDGET_BYTES = 60000;
const MOST_EVENTS = 100;
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 60000;
const RETRIED = [0, 408, 429, 502, 503, 504];
// It is unknown which event made the whole call wrong.
const CALL_REFUSED = [400, 413];

/** Whether a repetition may help. 0 is not an answer at all. */
export function isRetried(status: number): boolean {
  return RETRIED.indexOf(status) >= 0;
}

/** Wait before the next attempt, which `attempt` failures came before; `random` is in [0, 1). */
export function backoff(
  attempt: number,
  random: number,
  stated: number,
  first = FIRST_BACKOFF_MS,
  longest = LONGEST_BACKOFF_MS,
): number {
  if (stated) return stated + (random * stated) / 4;
  const full = Math.min(longest, first * Math.pow(2, attempt - 1));
  return full / 2 + (random * full) / 2;
}

export class Outbox {
  private waiting: TagEvent[] = [];
  private flying = 0;
  private flyingBytes = 0;
  private failures = 0;
  private quietUntil = 0;
  private alone = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: OutboxOptions) {}

  /** Takes an event, if there is room. */
  add(event: TagEvent): boolean {
    if (this.waiting.length + this.flying >= this.options.limit) return false;
    this.waiting.push(event);
    if (!this.timer) this.schedule(this.options.delay);
    return true;
  }

  /** Events that no call under way has. */
  left(): TagEvent[] {
    return this.waiting;
  }

  /** Sends what waits; `last` if the page may end: then as much as outlives it, but not before a stated delay is over. */
  flush(last = false): void {
    if (!this.options.isOnline() || Date.now() < this.quietUntil) return;
    while (this.waiting.length && (last || !this.flying)) {
      const texts = this.cut();
      if (!texts.length) return;
      this.call(this.waiting.splice(0, texts.length), `{"events":[${texts.join()}]}`, last);
    }
  }

  // Browsers cut the fraction of a time and may be early besides: a timer that is, is set again.
  private schedule(milliseconds: number): void {
    clearTimeout(this.timer);
    const quiet = Math.ceil(this.quietUntil - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (Date.now() < this.quietUntil) this.schedule(0);
      else this.flush();
    }, Math.max(milliseconds, quiet));
  }

  private cut(): string[] {
    const texts: string[] = [];
    let bytes = this.flyingBytes;
    for (const event of this.waiting.slice(0, this.alone ? 1 : MOST_EVENTS)) {
      const text = wellFormedJson(event);
      bytes += size(text) + 1;
      if (bytes > BUDGET_BYTES && (texts.length || this.flyingBytes)) break;
      texts.push(text);
    }
    return texts;
  }

  private call(events: TagEvent[], body: string, last: boolean): void {
    const bytes = size(body);
    this.flying += events.length;
    this.flyingBytes += bytes;
    if (this.alone) this.alone--;
    const done = (reply?: Reply) => {
      this.flying -= events.length;
      this.flyingBytes -= bytes;
      this.answered(events, reply);
    };
    this.options.post(body, last).then(done, () => done());
  }

  private answered(events: TagEvent[], reply?: Reply): void {
    const status = reply ? reply.status : 0;
    let wait = 0;
    if (isRetried(status)) {
      this.waiting = events.concat(this.waiting);
      const stated = reply ? reply.delay : 0;
      wait = backoff(++this.failures, Math.random(), stated);
      if (stated) this.quietUntil = Date.now() + wait;
    } else {
      this.failures = 0;
      if (CALL_REFUSED.indexOf(status) >= 0 && events.length > 1) {
        this.waiting = events.concat(this.waiting);
        this.alone = events.length;
      } else if (reply) this.report(reply);
    }
    if (this.waiting.length) this.schedule(wait);
  }

  // A refusal is said on the console as it came, with its status; receipts go to the page.
  private report(reply: Reply): void {
    const { status } = reply;
    reply
      .text()
      .then((text) => {
        if (status >= 300) warn(status + " " + text);
        else if (text) (JSON.parse(text).receipts as Receipt[]).forEach((one) => this.received(one));
      })
      .catch(() => {});
  }

  private received(receipt: Receipt): void {
    for (const { field, description } of receipt.violations || []) warn(`rejected: ${field} ${description}`);
    if (this.options.onReceipt) this.options.onReceipt(receipt);
  }
}

function size(text: string): number {
  return new Blob([text]).size;
}

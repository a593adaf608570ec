// What a client says of events that were not delivered, and of a service that does not answer: to the caller's hooks, and
// to the console where there are none. No line quotes an event.

import { counted } from "./errors.js";
import { type Event } from "./events.js";
import { type EventReceipt, EventReceipt_Outcome } from "./gen/qrumb/v1/receipt_pb.js";
import type { FullSettings } from "./settings.js";

// A full queue refuses many a second, and so does a rule that every event breaks. Each is counted.
const BETWEEN_LINES_MS = 1000;
// A service that has not answered for so long is told of, once, while it is tried again.
const SILENCE_MS = 5000;

/** Tells of one client's events. */
export class Report {
  /** Why the last call or event failed. */
  cause: Error | undefined;
  private silentSince: number | undefined;
  private isSilenceTold = false;
  private readonly quietUntil = { loss: 0, rejection: 0 };

  constructor(
    private readonly address: string,
    private readonly hooks: Pick<FullSettings, "onReceipt" | "onFailure">,
  ) {}

  /** Receipts of the events, in their order. */
  receipts(receipts: readonly EventReceipt[], events: readonly Event[]): void {
    const { onReceipt } = this.hooks;
    if (onReceipt) {
      events.forEach((event, index) => {
        const receipt = receipts[index];
        if (receipt) guarded(() => onReceipt(receipt, event));
      });
      return;
    }
    const rejected = receipts.filter(({ outcome }) => outcome === EventReceipt_Outcome.REJECTED);
    const [first] = rejected;
    if (first === undefined || !this.maySay("rejection")) return;
    const [rule] = first.violations;
    const why = rule ? `${rule.field}: ${rule.description}` : "no reason was given";
    console.error(`qrumb: ${this.address} rejected ${rejected.length} of ${counted(receipts.length)}: ${why}`);
  }

  /** Events have failed for good. */
  failed(events: readonly Event[], error: Error): void {
    this.cause = error;
    if (this.tell(events, error)) return;
    console.error(`qrumb: ${counted(events.length)} not delivered to ${this.address}: ${error.message}`);
  }

  /** An event was not taken. */
  lost(event: Event, error: Error): void {
    this.cause = error;
    if (this.tell([event], error) || !this.maySay("loss")) return;
    console.error(`qrumb: an event was not taken: ${error.message}`);
  }

  /** Gives the events to the hook; false where there is none. */
  tell(events: readonly Event[], error: Error): boolean {
    const { onFailure } = this.hooks;
    if (onFailure) for (const event of events) guarded(() => onFailure(event, error));
    return onFailure !== undefined;
  }

  /** A call failed and is repeated after so long. A silence that will then have lasted 5 s is told of, once. */
  tried(error: Error, waiting: number, waitMs: number): void {
    this.cause = error;
    this.silentSince ??= Date.now();
    const silence = Date.now() - this.silentSince;
    if (silence + waitMs < SILENCE_MS || this.isSilenceTold) return;
    this.isSilenceTold = true;
    const [since, next] = [silence, waitMs].map((time) => Math.round(time / 1000));
    console.error(
      `qrumb: ${this.address} has not answered for ${since} s, ${counted(waiting)} waiting for the next try in ${next} s: ${error.message}`,
    );
  }

  /** The service said something, if only a refusal. */
  answered(): void {
    this.silentSince = undefined;
    if (this.isSilenceTold) console.error(`qrumb: ${this.address} answers again`);
    this.isSilenceTold = false;
  }

  private maySay(what: "loss" | "rejection"): boolean {
    const now = Date.now();
    if (now < this.quietUntil[what]) return false;
    this.quietUntil[what] = now + BETWEEN_LINES_MS;
    return true;
  }
}

// A hook that throws must not stop the sender.
function guarded(hook: () => void): void {
  try {
    hook();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

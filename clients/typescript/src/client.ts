// The client: a queue, one sender that takes batches out of it, one call at a time. Every event that was taken ends in
// exactly one of three ways: accepted, rejected (both with a receipt) or failed.

import { setTimeout as sleep } from "node:timers/promises";

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { fromEnvironment } from "./address.js";
import { encode } from "./encode.js";
import { ClosedError, QueueFullError, ReceiptCountError, UndeliveredError } from "./errors.js";
import { type Event, scanSession, type ScanSessionInput } from "./events.js";
import { BrowserEventSchema } from "./gen/qrumb/v1/browser_event_pb.js";
import { type EventReceipt, EventReceipt_Outcome } from "./gen/qrumb/v1/receipt_pb.js";
import { ScanSessionSchema } from "./gen/qrumb/v1/scan_session_pb.js";
import { ServerEventSchema } from "./gen/qrumb/v1/server_event_pb.js";
import { type Item, Queue } from "./queue.js";
import { Report } from "./report.js";
import { backoff, isRetried, statedDelay } from "./retry.js";
import { complete, type FullSettings, type Settings } from "./settings.js";
import { type Connection, grpcTransport, isScan, isServerEvent, type Transport } from "./transport.js";
import { uuid7 } from "./uuid.js";

/** What became of the events: `sent` is always the sum of the others but `retried`, which counts calls. */
export interface Counters {
  readonly sent: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly failed: number;
  readonly waiting: number;
  readonly retried: number;
}

interface Waiter {
  event: Event;
  payload: Uint8Array;
  taken: () => void;
  refused: (error: Error) => void;
}

// As long as the other clients wait.
const CLOSE_TIMEOUT_MS = 30_000;

/** Sends events to qrumb. Call `close` before the process ends. */
export class Client {
  private readonly settings: FullSettings;
  private readonly transport: Transport;
  private readonly queue: Queue;
  private readonly report: Report;
  private readonly address: string;
  private readonly waiters: Waiter[] = [];
  private readonly flushes = new Set<() => void>();
  private readonly ending = new AbortController();
  private readonly counted = { sent: 0, accepted: 0, rejected: 0, failed: 0, retried: 0 };
  private wake: () => void = () => {};
  private sender: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** `connection` says where the service is, or is a transport of your own. Throws ArgumentError. */
  constructor(connection: Connection | Transport, settings: Settings = {}) {
    this.settings = complete(settings);
    this.queue = new Queue(this.settings);
    this.transport = "collect" in connection ? connection : grpcTransport(connection);
    this.address = "collect" in connection ? "the service" : connection.address;
    this.report = new Report(this.address, this.settings);
  }

  /**
   * A client of QRUMB_URL (or grpc://127.0.0.1:9090) with the key QRUMB_KEY; what `connection` has counts more. Throws
   * ArgumentError, which names the variable.
   */
  static fromEnv(settings: Settings = {}, connection: Partial<Connection> = {}): Client {
    return new Client({ ...fromEnvironment(process.env), ...connection }, settings);
  }

  get counters(): Counters {
    return { ...this.counted, waiting: this.queue.length };
  }

  /**
   * Puts an event into the queue and resolves with its event_id once it is in. The event gets an id and a time here if
   * it has none, and is sent as it is now, whatever becomes of the object.
   *
   * Rejects with QueueFullError (only with whenFull "error") or ClosedError; then the event was not taken.
   */
  async send(event: Event): Promise<string> {
    if (this.closing) throw new ClosedError("the client is closed");
    const payload = complement(event);
    if (this.waiters.length === 0 && this.queue.hasRoom(payload)) {
      this.take(event, payload);
    } else if (this.settings.whenFull === "error") {
      throw this.queueFull();
    } else {
      await new Promise<void>((taken, refused) => this.waiters.push({ event, payload, taken, refused }));
    }
    return idOf(event);
  }

  /**
   * Puts an event into the queue if there is room this very moment; never waits and never throws for want of it. One that
   * was not taken has failed: it is counted so and given to onFailure. Returns whether it was taken.
   */
  offer(event: Event): boolean {
    const payload = complement(event);
    if (!this.closing && this.waiters.length === 0 && this.queue.hasRoom(payload)) {
      this.take(event, payload);
      return true;
    }
    this.counted.sent += 1;
    this.counted.failed += 1;
    this.report.lost(event, this.closing ? new ClosedError("the client is closed") : this.queueFull());
    return false;
  }

  /** One call now, without queue and repetition. A rejected event is a receipt too, not an error. */
  async collect(event: Event): Promise<EventReceipt> {
    if (this.closing) throw new ClosedError("the client is closed");
    const payload = complement(event);
    const [receipt] = await this.transport.collect([event], this.settings.callTimeoutMs, undefined, [payload]);
    if (receipt === undefined) throw new ReceiptCountError("no receipt");
    return receipt;
  }

  /**
   * Registers the scan that a session began with; the redirect of the QR code does so, before or after the session's
   * events. The same one again changes nothing.
   */
  async registerScanSession(session: ScanSessionInput): Promise<void> {
    await this.transport.register(scanSession(session), this.settings.callTimeoutMs);
  }

  /** Sends what is queued by now without delay; whether all of it was answered within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    const order = this.queue.flush();
    if (this.queue.isAnswered(order)) return true;
    this.start();
    let check = () => {};
    const answered = new Promise<boolean>((resolve) => {
      check = () => this.queue.isAnswered(order) && resolve(true);
    });
    const timer = new AbortController();
    this.flushes.add(check);
    try {
      const ranOut = sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false);
      return await Promise.race([answered, ranOut]);
    } finally {
      timer.abort();
      this.flushes.delete(check);
    }
  }

  /**
   * Flushes and ends the client. Rejects with UndeliveredError if events are left, which were given to onFailure; and if events
   * had failed before and there is no onFailure.
   */
  close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    this.closing ??= this.end(timeoutMs);
    return this.closing;
  }

  private async end(timeoutMs: number): Promise<void> {
    for (const waiter of this.waiters.splice(0)) waiter.refused(new ClosedError("the client was closed meanwhile"));
    await this.flush(timeoutMs);
    this.ending.abort();
    this.wake();
    await this.sender;
    const left = this.queue.drain().map((item) => item.event);
    this.transport.close();
    this.counted.failed += left.length;
    const count = this.settings.onFailure ? left.length : this.counted.failed;
    if (count === 0) return;
    const error = new UndeliveredError(left, count, this.address, this.report.cause);
    this.report.tell(left, error);
    throw error;
  }

  private queueFull(): QueueFullError {
    return new QueueFullError(`${this.queue.length} events wait; this one was not taken`);
  }

  private take(event: Event, payload: Uint8Array): void {
    this.queue.add(event, payload, Date.now());
    this.counted.sent += 1;
    this.start();
  }

  // The sender lives only while there is something to send: an idle client holds nothing open but its connection.
  private start(): void {
    this.wake();
    this.sender ??= this.run();
  }

  private async run(): Promise<void> {
    await undefined; // `sender` must be set before this can clear it
    while (!this.ending.signal.aborted) {
      const { due } = this.queue;
      if (due === Infinity) break;
      if (due > Date.now()) await this.pause(due);
      else await this.deliver(this.queue.take());
    }
    this.sender = undefined;
  }

  // Until the time has come, or something was added that makes a batch due sooner.
  private async pause(until: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, until - Date.now());
      this.wake = () => {
        if (this.queue.due >= until && !this.ending.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = () => {};
  }

  private async deliver(batch: readonly Item[]): Promise<void> {
    const events = batch.map((item) => item.event);
    const payloads = batch.map((item) => item.payload);
    const { signal } = this.ending;
    for (let attempt = 1; !signal.aborted; attempt++) {
      if (attempt > 1) this.counted.retried += 1;
      try {
        const receipts = await this.transport.collect(events, this.settings.callTimeoutMs, signal, payloads);
        this.report.answered();
        this.settle(events, receipts);
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        const delay = this.delayAfter(error, attempt);
        if (delay === undefined) this.report.answered();
        if (delay === undefined && isDivided(events, error)) {
          // All are registered or none: in the end the one that is refused is alone.
          const middle = batch.length >> 1;
          await this.deliver(batch.slice(0, middle));
          await this.deliver(batch.slice(middle));
          return;
        }
        if (delay === undefined) {
          this.fail(events, error);
          this.free(events.length);
          return;
        }
        this.report.tried(error, this.queue.length, delay);
        await sleep(delay, undefined, { signal }).catch(() => {});
      }
    }
  }

  // Milliseconds to wait before the repetition, or undefined if none can help.
  private delayAfter(error: unknown, attempt: number): number | undefined {
    if (!(error instanceof ConnectError)) return undefined;
    const stated = statedDelay(error);
    const code = isOfConnection(error) ? Code.Unavailable : error.code;
    if (!isRetried(code, stated !== undefined)) return undefined;
    return backoff(this.settings, attempt, Math.random(), stated);
  }

  private settle(events: readonly Event[], receipts: readonly EventReceipt[]): void {
    for (const { outcome } of receipts) {
      this.counted[outcome === EventReceipt_Outcome.REJECTED ? "rejected" : "accepted"] += 1;
    }
    this.report.receipts(receipts, events);
    this.free(events.length);
  }

  private fail(events: readonly Event[], error: Error): void {
    this.counted.failed += events.length;
    this.report.failed(events, error);
  }

  private free(count: number): void {
    this.queue.done(count);
    for (let waiter = this.waiters[0]; waiter && this.queue.hasRoom(waiter.payload); waiter = this.waiters[0]) {
      this.waiters.shift();
      this.take(waiter.event, waiter.payload);
      waiter.taken();
    }
    for (const check of this.flushes) check();
  }
}

// Gives the event its id and time, and returns it as bytes.
function complement(event: Event): Uint8Array {
  if (isScan(event)) {
    event.scanSessionId ||= uuid7();
    event.scanTime ??= timestampFromMs(Date.now());
    return encode(ScanSessionSchema, event);
  }
  event.eventId ||= uuid7();
  event.eventTime ??= timestampFromMs(Date.now());
  return isServerEvent(event) ? encode(ServerEventSchema, event) : encode(BrowserEventSchema, event);
}

function idOf(event: Event): string {
  return isScan(event) ? event.scanSessionId : event.eventId;
}

// Whether a batch that broke a rule is one of scans, and is sent again in halves.
function isDivided([first, ...others]: readonly Event[], error: unknown): boolean {
  const brokeARule = error instanceof ConnectError && error.code === Code.InvalidArgument;
  return brokeARule && first !== undefined && isScan(first) && others.length > 0;
}

// A connection that was refused or broke is not an answer of the service, whatever code the library gives it.
function isOfConnection(error: ConnectError): boolean {
  const code: unknown = error.cause instanceof Error && "code" in error.cause ? error.cause.code : "";
  return typeof code === "string" && /^(E[A-Z]+|ERR_(HTTP2|STREAM)_\w+)$/.test(code);
}

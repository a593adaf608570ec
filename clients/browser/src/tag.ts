// The tag: commands in, events out. Consent decides what an event may carry and what may be kept in the browser.

import { uuid7 } from "./ids.js";
import { Outbox } from "./outbox.js";
import { device, watchClicks, watchForms, watchHistory } from "./page.js";
import { post } from "./post.js";
import { warn } from "./say.js";
import { read, write } from "./storage.js";
import { cut } from "./text.js";
import type { Call, Consent, Metadata, Options, Receipt, TagEvent } from "./types.js";
import { bare, sendable, valueOf, without } from "./urls.js";

const SESSION_KEY = "qrumb.scan";
const LONGEST_SESSION = 128;
const LONGEST_TITLE = 1024;
// Pages that navigate by script set their title a moment later.
const TITLE_SETTLES_MS = 100;

/** The consent that is said: one that is not known is as good as none given yet. */
export function known(state: unknown): Consent {
  if (/^(granted|denied|pending)$/.test(state as string)) return state as Consent;
  warn(`unknown consent ${state}: pending`);
  return "pending";
}

/** Takes from the event what this consent does not allow. The collector sees to it once more. */
export function restrict(event: TagEvent, consent: Consent | undefined): void {
  event.consent = consent;
  if (consent !== "denied") return;
  // The scan session is said, so that the QR code can be counted, and kept nowhere: not here, not there.
  event.page_url = bare(event.page_url || "");
  event.referrer = bare(event.referrer || "");
  delete event.metadata;
  delete event.device;
}

export class Tag {
  private readonly parameter: string;
  private readonly limit: number;
  private readonly outbox: Outbox;
  private readonly storeKey: string;
  private consent: Consent | undefined;
  private held: TagEvent[] = [];
  private session = "";
  private url: string;
  private referrer: string;
  private settle: () => void = nothing;

  constructor(
    private readonly options: Options,
    time: number,
  ) {
    this.parameter = options.scanParameter || "qrs";
    this.limit = options.limit || 200;
    this.storeKey = "qrumb.events." + options.site;
    const base = (options.endpoint || "").replace(/\/$/, "");
    const endpoint = base + (options.path || "/collect/batch");
    if (/[^/:]\/./.test(base)) warn("endpoint has a path, events go to " + endpoint);
    this.outbox = new Outbox({
      limit: this.limit,
      delay: options.delay === undefined ? 500 : options.delay,
      post: (body, last) => post(endpoint, body, last),
      isOnline: () => navigator.onLine !== false,
      onReceipt: (receipt) => {
        this.show(receipt);
        if (options.onReceipt) options.onReceipt(receipt);
      },
    });
    this.land();
    this.url = this.here();
    this.referrer = sendable(document.referrer, this.parameter);
    this.setConsent(options.consent === undefined ? undefined : known(options.consent));
    this.watch();
    if (options.pageviews !== false) this.pageview(undefined, time);
  }

  /** Records an event; "" if there is no room for it. */
  record(type: string, metadata?: Metadata, time = Date.now()): string {
    const event = this.event(type, metadata, time);
    return this.put(event) ? event.event_id : "";
  }

  /** Records a pageview, a moment later: when its title has settled. */
  pageview(metadata?: Metadata, time = Date.now()): string {
    this.settle();
    const event = this.event("pageview", metadata, time);
    const page = pageOf(this.here());
    const settle = () => {
      if (this.settle !== settle) return;
      this.settle = nothing;
      if (page === pageOf(this.here())) event.page_title = title();
      this.put(event);
    };
    this.settle = settle;
    setTimeout(settle, TITLE_SETTLES_MS);
    return event.event_id;
  }

  /** From now on, and for what was held back. */
  setConsent(state?: Consent): void {
    this.settle();
    this.consent = state;
    if (state === "pending") return;
    if (state === "denied") {
      write("sessionStorage", SESSION_KEY, "");
      write("localStorage", this.storeKey, "");
    } else {
      if (this.session) write("sessionStorage", SESSION_KEY, this.session);
      else this.session = read("sessionStorage", SESSION_KEY);
      this.restore();
    }
    for (const event of this.held.splice(0)) {
      if (!event.scan_session_id && this.session) event.scan_session_id = this.session;
      this.put(event);
    }
  }

  /** The scan session, as far as the site's backend may know it. */
  scanSession(): string {
    return this.consent === "denied" || this.consent === "pending" ? "" : this.session;
  }

  /** Sends what waits, now. */
  flush(): void {
    this.settle();
    this.outbox.flush();
  }

  private event(type: string, metadata: Metadata | undefined, time: number): TagEvent {
    return {
      site_id: this.options.site,
      event_id: uuid7(time),
      event_time: new Date(time).toISOString(),
      event_type: String(type),
      scan_session_id: this.session || undefined,
      page_url: this.here(),
      page_title: title(),
      referrer: this.referrer,
      device: device(),
      metadata: copied(metadata),
    };
  }

  private put(event: TagEvent): boolean {
    if (this.consent === "pending") return this.held.length < this.limit && this.held.push(event) > 0;
    restrict(event, this.consent);
    this.show(event);
    return this.outbox.add(event);
  }

  private show(said: TagEvent | Receipt): void {
    if (this.options.debug) console.log("qrumb", said);
  }

  // The scan session out of the landing URL, and the address without it.
  private land(): void {
    const session = valueOf(location.href, this.parameter);
    if (!session) return;
    if (session.length <= LONGEST_SESSION) this.session = session;
    try {
      history.replaceState(history.state, "", without(location.href, this.parameter));
    } catch {
      // A sandboxed page may not; what is sent is without it all the same.
    }
  }

  private here(): string {
    return sendable(location.href, this.parameter);
  }

  private watch(): void {
    const { pageviews, clicks, forms } = this.options;
    const record = (type: string, metadata?: Metadata) => void this.record(type, metadata);
    if (pageviews !== false) watchHistory(() => this.moved());
    if (clicks !== false) watchClicks(record);
    if (forms !== false) watchForms(record);
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.leave();
      else this.back();
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.back();
      if (pageviews !== false) this.pageview();
    });
  }

  // A new address, but for the fragment, is a new page.
  private moved(): void {
    const url = this.here();
    const before = this.url;
    this.url = url;
    if (pageOf(url) === pageOf(before)) return;
    this.referrer = before;
    this.pageview();
  }

  private leave(): void {
    this.settle();
    this.outbox.flush(true);
    const left = this.outbox.left();
    if (this.options.persist && this.consent === "granted" && left.length) {
      write("localStorage", this.storeKey, JSON.stringify(left));
    }
  }

  // The page lives on: what was kept for the next one is still here.
  private back(): void {
    if (this.options.persist && this.consent === "granted") write("localStorage", this.storeKey, "");
    this.flush();
  }

  private restore(): void {
    if (!this.options.persist || this.consent !== "granted") return;
    try {
      const kept: TagEvent[] = JSON.parse(read("localStorage", this.storeKey) || "[]");
      write("localStorage", this.storeKey, "");
      kept.forEach((event) => this.outbox.add(event));
    } catch {
      // Not ours.
    }
  }
}

/** The commands, those before `init` too. Nothing that goes wrong in here reaches the page. */
export function commands(): { run: (call: Call) => string | void; isNamed: () => boolean } {
  let tag: Tag | undefined;
  let early: Call[] = [];
  let named = false;

  function init(options: Options, time: number): void {
    if (!options || !options.site) throw new Error("init needs a site");
    named = true;
    // A page that is rendered ahead may never be seen.
    if ((document as { prerendering?: boolean }).prerendering) {
      document.addEventListener("prerenderingchange", () => start(options, Date.now()), { once: true });
    } else start(options, time);
  }

  function start(options: Options, time: number): void {
    tag = new Tag(options, time);
    for (const call of early.splice(0)) run(call);
  }

  function run(call: Call): string | void {
    const [time, [name, first, second]] = [call[0], Array.from(call[1])];
    try {
      if (name === "init") return tag ? undefined : init(first as Options, time);
      if (!tag) {
        early.push(call);
        return "";
      }
      if (name === "event") return tag.record(first as string, second as Metadata, time);
      if (name === "pageview") return tag.pageview(first as Metadata, time);
      if (name === "session") return tag.scanSession();
      if (name === "consent") tag.setConsent(known(first));
      if (name === "flush") tag.flush();
    } catch (error) {
      warn("" + error);
    }
    return "";
  }

  return { run, isNamed: () => named };
}

// The URL without its fragment.
function pageOf(url: string): string {
  return url.split("#")[0];
}

function nothing(): void {}

function title(): string {
  return cut(document.title, LONGEST_TITLE);
}

// As it is now; only an object can be metadata, and one wrong event must not spoil its batch.
function copied(metadata?: Metadata): Metadata | undefined {
  if (!metadata || typeof metadata !== "object" || Array.isArray(metadata)) return undefined;
  return JSON.parse(JSON.stringify(metadata));
}

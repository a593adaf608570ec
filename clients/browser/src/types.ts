// What a page says to the tag, and the tag to the collector.

/** The visitor's answer to the consent question. */
export type Consent = "granted" | "denied" | "pending";

/** What JSON can say. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** Fields of the page's own. */
export interface Metadata {
  [name: string]: Json | undefined;
}

/** The collector's verdict on one event. */
export interface Receipt {
  event_id: string;
  outcome: "ACCEPTED" | "REJECTED";
  received_time: string;
  violations: { field: string; reason: string; description: string }[];
  warnings: { field: string; code: string; description: string }[];
}

export interface Options {
  /** The tracking site. */
  site: string;
  /** Where the collector is, such as https://collect.example. Default: the page's own origin. */
  endpoint?: string;
  /** Path of the batch call, where a proxy of the site gives it another name. Default /collect/batch. */
  path?: string;
  /** Parameter of the landing URL that has the scan session. Default qrs. */
  scanParameter?: string;
  /** What is known of the visitor's consent. Absent: the site's default, as the collector knows it. */
  consent?: Consent;
  /** Pageviews by themselves, those of the History API included. Default true. */
  pageviews?: boolean;
  /** Clicks on elements with data-qrumb-event and on links to other hosts. Default true. */
  clicks?: boolean;
  /** Submitted forms: id, name and path, never what was typed in. Default true. */
  forms?: boolean;
  /** Keep what could not be sent in localStorage, for the next page; only ever with consent granted. Default false. */
  persist?: boolean;
  /** How long events wait for others to go with, in milliseconds. Default 500. */
  delay?: number;
  /** Most events that wait; more are not taken. Default 200. */
  limit?: number;
  /** Show each event and each receipt on the console. Default false. */
  debug?: boolean;
  /** Called with every verdict. */
  onReceipt?: (receipt: Receipt) => void;
}

/** The one function of the tag. */
export interface Qrumb {
  (command: "init", options: Options): void;
  (command: "consent", state: Consent): void;
  /** Records an event; returns its event_id, or "" if it was not taken or the tag is not there yet. */
  (command: "event", type: string, metadata?: Metadata): string;
  (command: "pageview", metadata?: Metadata): string;
  /** Sends what waits, now. */
  (command: "flush"): void;
  /** The scan session, for the site's own backend; "" without one, or without consent to pass it on. */
  (command: "session"): string;
}

/** A BrowserEvent as the collector's JSON has it. */
export interface TagEvent {
  site_id: string;
  event_id: string;
  event_time: string;
  event_type: string;
  scan_session_id?: string;
  consent?: string;
  page_url?: string;
  page_title?: string;
  referrer?: string;
  device?: { [name: string]: string | number };
  metadata?: Metadata;
}

/** A command and the time it was given at. */
export type Call = [time: number, words: ArrayLike<unknown>];

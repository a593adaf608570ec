// Carries a scan from the landing to the sale. The landing's address names the session (`qrs=`). Its signature says that a
// redirect of the site made it, and its UUIDv7 says when, so a cookie needs nothing else.

import { AsyncLocalStorage } from "node:async_hooks";

import { ArgumentError } from "./errors.js";
import { SESSION_PARAMETER } from "./redirect.js";
import { isSigned } from "./signing.js";

/** How scans are carried. */
export interface CarryInput {
  siteId: string;
  /** Of the redirects; several while one is being replaced. */
  secrets: string | readonly string[];
  /** How long after its scan a session is carried. Default 30. */
  days?: number;
  /** Name of the cookie. Default qrs. */
  cookie?: string;
  /** Whether the cookie goes over HTTPS alone; browsers make an exception for this machine. Default true. */
  secure?: boolean;
}

/** What a request carries. `keep` is the cookie's new value: empty to delete it, undefined to leave it. */
export interface Carried {
  session: string;
  keep?: string;
  maxAge: number;
}

const DAY_SECONDS = 86_400;
// Nothing that a cookie could not hold as it is.
const SESSION = /^[A-Za-z0-9._~-]{1,128}$/;
const SEVENTH = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\.[^.]*$/i;
const NOTHING: Carried = { session: "", maxAge: 0 };
const current = new AsyncLocalStorage<string>();

/** The scan session of the request that is being answered, for `serverEvent`; empty: none. */
export function currentSession(): string {
  return current.getStore() ?? "";
}

/** Runs what answers a request, with what it carries as the current session. */
export function carrying<T>(carried: Carried, answer: () => T): T {
  return current.run(carried.session, answer);
}

/** Reads what requests carry. Throws ArgumentError. */
export class Carry {
  readonly cookie: string;
  private readonly siteId: string;
  private readonly secrets: readonly string[];
  private readonly mostSeconds: number;
  private readonly secure: boolean;

  constructor({ siteId, secrets, days = 30, cookie = SESSION_PARAMETER, secure = true }: CarryInput) {
    this.secrets = typeof secrets === "string" ? [secrets] : [...secrets];
    if (!this.secrets.length || this.secrets.includes("")) throw new ArgumentError("secrets", "there is none, or an empty one");
    if (!(days >= 1)) throw new ArgumentError("days", "is not 1 or more");
    if (!/^[A-Za-z0-9_-]+$/.test(cookie)) throw new ArgumentError("cookie", "has not characters of A-Z a-z 0-9 _ -");
    this.siteId = siteId;
    this.mostSeconds = days * DAY_SECONDS;
    this.cookie = cookie;
    this.secure = secure;
  }

  /**
   * What a request carries that has this query and this cookie (empty: none). Consent that is `denied` carries nothing and
   * deletes the cookie. `granted` keeps the session, and the last scan wins. `pending`, or any other word, carries what
   * the address says, for this request alone.
   */
  read(query: string, cookie: string, consent: string): Carried {
    const deleted = cookie ? { ...NOTHING, keep: "" } : NOTHING;
    if (consent === "denied") return deleted;
    const named = new URLSearchParams(query).getAll(SESSION_PARAMETER);
    const landed = named.find((session) => this.secondsLeft(session)) ?? "";
    if (consent !== "granted") return { ...NOTHING, session: landed };
    if (landed && landed !== cookie) return { session: landed, keep: landed, maxAge: this.secondsLeft(landed) };
    return this.secondsLeft(cookie) ? { ...NOTHING, session: cookie } : deleted;
  }

  /** The header Set-Cookie that the answer needs; empty: none. */
  setCookie({ keep, maxAge }: Carried): string {
    if (keep === undefined) return "";
    return `${this.cookie}=${keep}; Max-Age=${maxAge}; Path=/; HttpOnly; ${this.secure ? "Secure; " : ""}SameSite=Lax`;
  }

  // How long it is carried from now on; 0: not at all, as it is too old or not signed.
  private secondsLeft(session: string): number {
    if (!SESSION.test(session) || !this.secrets.some((secret) => isSigned(secret, this.siteId, session))) return 0;
    const found = SEVENTH.exec(session);
    // The name of a redirect of one's own says no time.
    if (found === null) return this.mostSeconds;
    const scanned = Number.parseInt(`${found[1]}${found[2]}`, 16) / 1000;
    return Math.min(this.mostSeconds, Math.max(0, Math.trunc(scanned + this.mostSeconds - Date.now() / 1000)));
  }
}

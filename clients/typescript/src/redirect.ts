// The redirect behind a QR code: a scan becomes a session, and its visitor is sent on at once. Where to stands in the
// caller's own table; no answer waits for the collector or depends on it, as scans go through the client's queue.

import type { IncomingHttpHeaders } from "node:http";

import type { JsonObject } from "@bufbuild/protobuf";

import type { Client } from "./client.js";
import { ArgumentError } from "./errors.js";
import { type ConsentState, scanSession, type ScanSessionInput } from "./events.js";
import type { ScanSession } from "./gen/qrumb/v1/scan_session_pb.js";
import { readDigitalLink } from "./gs1.js";
import { signScanSessionId } from "./signing.js";
import { uuid7 } from "./uuid.js";

/** What a redirect is made of. */
export interface RedirectInput {
  /** Registers the scans, in the background. */
  client: Pick<Client, "offer">;
  siteId: string;
  /** Signs the sessions (`qrumb sites session-secret`); what carries them needs the same one. */
  secret: string;
  /** URL by QR code, which is a GTIN of 14 digits for GS1 Digital Links. */
  destinations: Readonly<Record<string, string>>;
}

/** What is known of a request beside its headers. */
export interface RedirectRequest {
  /** HEAD is answered like GET and is not a scan. Default GET. */
  method?: string;
  /** As it came, without its `?`; it is forwarded. */
  query?: string;
  /** The visitor's address, not a proxy's; gives country and city and is dropped. */
  clientIp?: string;
  /** The visitor's, where it is known already. */
  consent?: ConsentState;
  /** What is known of the code, such as its campaign or its print run. */
  labels?: JsonObject;
}

/** What to answer. `session` is the scan's signed id; empty where nothing was counted. */
export interface RedirectAnswer {
  status: number;
  headers: Record<string, string>;
  session: string;
}

/** Where the tag and the middlewares look for the session. */
export const SESSION_PARAMETER = "qrs";

// A browser's guess is not a visit, and what it fetched early it would show later: the tap must come here itself.
const EARLY_HEADERS = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
const EARLY = ["prefetch", "prerender", "preview"];
// No copy may answer in our stead, and no search engine shall keep an address of ours.
const HEADERS = { "Cache-Control": "private, no-store", "X-Robots-Tag": "noindex" };
const SITE_ID = /^[A-Za-z0-9_-]{1,64}$/;
const DESTINATION = /^https?:\/\/[^/?#\\][!-~]*$/i;
const LONGEST_CODE = 128;
// What of a query may not stand in a header as it is.
const NOT_IN_A_QUERY = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]/gu;

/** Answers the requests that scans make. Throws ArgumentError. */
export class Redirect {
  private readonly destinations: ReadonlyMap<string, string>;

  constructor(private readonly input: RedirectInput) {
    if (!SITE_ID.test(input.siteId)) throw new ArgumentError("siteId", "has not 1 to 64 characters of A-Z a-z 0-9 _ -");
    if (!input.secret) throw new ArgumentError("secret", "is empty: anybody could make up sessions");
    this.destinations = new Map(Object.entries(input.destinations));
    for (const [code, url] of this.destinations) {
      const name = JSON.stringify(code);
      if (!code || code.length > LONGEST_CODE) {
        throw new ArgumentError("destinations", `the code ${name} has not 1 to ${LONGEST_CODE} characters`);
      }
      if (!DESTINATION.test(url) || !isUrl(url)) {
        throw new ArgumentError("destinations", `the URL of ${name} is not absolute, http or https, and of ASCII`);
      }
    }
  }

  /**
   * What the address of a QR code answers; a scan is registered in the background. `code` is one of the table, or the
   * path of a GS1 Digital Link.
   */
  answer(code: string, headers: IncomingHttpHeaders | Headers, request: RedirectRequest = {}): RedirectAnswer {
    const { method = "GET", query = "", clientIp = "", consent, labels = {} } = request;
    const link = this.destinations.has(code) ? undefined : readDigitalLink(code);
    const qrCodeId = link?.gtin ?? code;
    const destination = this.destinations.get(qrCodeId);
    const given = texts(headers);
    if (method !== "GET" && method !== "HEAD") return answered(405, { Allow: "GET, HEAD" });
    if (destination === undefined) return answered(404);
    if (isEarly(given)) return answered(503);
    const landing = withQuery(destination, forwarded(query));
    if (method === "HEAD") return answered(302, { Location: landing });

    const { siteId, secret, client } = this.input;
    const session = signScanSessionId(secret, siteId, uuid7());
    const plain = { siteId, scanSessionId: session, qrCodeId, clientIp, landingPageUrl: landing };
    const scan = withKnown(plain, { ...(consent && { consent }), labels: { ...link?.labels, ...labels } });
    scan.requestMethod = method;
    scan.userAgent = given.get("user-agent") ?? ""; // that there was none is said too: programs have none
    scan.referrer = given.get("referer") ?? "";
    const hints = { brands: "sec-ch-ua", mobile: "sec-ch-ua-mobile", platform: "sec-ch-ua-platform" };
    if (Object.values(hints).some((name) => given.has(name))) {
      const [brands = "", mobile = "", platform = ""] = Object.values(hints).map((name) => given.get(name));
      scan.clientHints = { $typeName: "qrumb.v1.ClientHints", brands, mobile, platform };
    }
    client.offer(scan);
    return answered(302, { Location: withQuery(landing, `${SESSION_PARAMETER}=${session}`) }, session);
  }
}

// With what the caller knows. A mistake of the program is said: no visitor is kept for it.
function withKnown(plain: ScanSessionInput, known: Pick<ScanSessionInput, "consent" | "labels">): ScanSession {
  try {
    return scanSession({ ...plain, ...known });
  } catch (error) {
    process.emitWarning(`qrumb: a scan is registered without its consent and labels: ${String(error)}`);
    return scanSession(plain);
  }
}

function answered(status: number, headers: Record<string, string> = {}, session = ""): RedirectAnswer {
  return { status, headers: { ...HEADERS, ...headers }, session };
}

function texts(headers: IncomingHttpHeaders | Headers): ReadonlyMap<string, string> {
  const pairs: Iterable<[string, unknown]> = headers instanceof Headers ? headers : Object.entries(headers);
  const given = new Map<string, string>();
  for (const [name, value] of pairs) if (value !== undefined) given.set(name.toLowerCase(), String(value));
  return given;
}

function isEarly(headers: ReadonlyMap<string, string>): boolean {
  return EARLY_HEADERS.some((name) =>
    (headers.get(name) ?? "").toLowerCase().split(/[;,\s]+/).some((token) => EARLY.includes(token)),
  );
}

// The query as it may stand in a header, without a session that a third party put there.
function forwarded(query: string): string {
  const encoded = query.replace(NOT_IN_A_QUERY, (letter) =>
    Array.from(Buffer.from(letter), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
  return encoded.split("&").filter((pair) => pair && nameOf(pair) !== SESSION_PARAMETER).join("&");
}

function nameOf(pair: string): string {
  return [...new URLSearchParams(`&${pair}`).keys()][0] ?? "";
}

function withQuery(url: string, query: string): string {
  if (!query) return url;
  const [, path = "", own = "", fragment = ""] = /^([^?#]*)\??([^#]*)(.*)$/s.exec(url) ?? [];
  const joint = own && !own.endsWith("&") ? "&" : "";
  return `${path}?${own}${joint}${query}${fragment}`;
}

function isUrl(text: string): boolean {
  try {
    return new URL(text).hostname !== "";
  } catch {
    return false;
  }
}

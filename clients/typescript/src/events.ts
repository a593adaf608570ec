// Builders of events. They refuse what a program gets wrong, a mistyped argument or a raw number without its country;
// the contract's rules are the server's to judge.

import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

import { ArgumentError } from "./errors.js";
import { type BrowserEvent, BrowserEventSchema } from "./gen/qrumb/v1/browser_event_pb.js";
import { Consent_State } from "./gen/qrumb/v1/consent_pb.js";
import type { DeviceSchema } from "./gen/qrumb/v1/device_pb.js";
import { type ScanSession, ScanSessionSchema } from "./gen/qrumb/v1/scan_session_pb.js";
import { type ServerEvent, ServerEventSchema } from "./gen/qrumb/v1/server_event_pb.js";
import { emailHash, phoneHash } from "./hashes.js";
import { isUuid } from "./uuid.js";

/** What a client takes. */
export type Event = ServerEvent | BrowserEvent | ScanSession;

/** The visitor's answer to the consent question. */
export type ConsentState = "granted" | "denied" | "pending";

interface Common {
  siteId: string;
  /** Names the event for ever. Made by `send` if absent; give your own, such as `eventIdFor("purchase", orderNumber)`. */
  eventId?: string;
  /** When it happened. By default the time of `send`. */
  eventTime?: Date;
  consent?: ConsentState;
}

/** A conversion that a backend reports. */
export interface ServerEventInput extends Common {
  scanSessionId: string;
  /** Such as purchase, signup, lead, refund. */
  eventName: string;
  /** Raw; hashed here, so that it never leaves the process. */
  email?: string;
  emailHash?: string;
  /** Raw, with its country code; hashed here. */
  phone?: string;
  phoneHash?: string;
  externalId?: string;
  /** Needs `currency`. A decimal as a text, such as "49.90", is welcome. */
  amount?: number | string;
  /** ISO 4217, such as EUR. */
  currency?: string;
  properties?: JsonObject;
  /** The visitor's address, not this machine's. */
  clientIp?: string;
  userAgent?: string;
}

/** Something that a visitor did on a page. */
export interface BrowserEventInput extends Common {
  scanSessionId?: string;
  /** Such as pageview, click, form_submit. */
  eventType: string;
  pageUrl?: string;
  pageTitle?: string;
  referrer?: string;
  device?: MessageInitShape<typeof DeviceSchema>;
  metadata?: JsonObject;
}

/** One scan of a QR code. */
export interface ScanSessionInput {
  siteId: string;
  scanSessionId: string;
  qrCodeId: string;
  /** Default: now. */
  scanTime?: Date;
  /** The user, where the redirect knows one. */
  userId?: string;
  consent?: ConsentState;
  /** The visitor's address, not this machine's. */
  clientIp?: string;
  /** Where the visitor was sent. */
  landingPageUrl?: string;
  /** What is known of the code, such as its campaign or its print run. */
  labels?: JsonObject;
}

/** A scan session, for `send` or `offer`. Throws ArgumentError. */
export function scanSession(input: ScanSessionInput): ScanSession {
  const { consent, scanTime, labels, ...texts } = input;
  const session = create(ScanSessionSchema, {
    ...texts,
    consent: consentOf(consent),
    scanTime: timestampFromMs(timeOf("scanTime", scanTime ?? new Date())),
  });
  const given = fields("labels", labels);
  if (given) session.labels = given;
  return session;
}

/** A server event. Throws ArgumentError. */
export function serverEvent(input: ServerEventInput): ServerEvent {
  const event = create(ServerEventSchema, {
    ...common(input),
    scanSessionId: input.scanSessionId,
    eventName: input.eventName,
    clientIp: input.clientIp ?? "",
    userAgent: input.userAgent ?? "",
  });
  const identifiers = {
    emailHash: either(input, "email", "emailHash", emailHash),
    phoneHash: either(input, "phone", "phoneHash", phoneHash),
    externalId: input.externalId ?? "",
  };
  if (Object.values(identifiers).some(Boolean)) {
    event.userIdentifiers = { $typeName: "qrumb.v1.UserIdentifiers", ...identifiers };
  }
  const { amount, currency } = input;
  if (amount !== undefined || currency) {
    if (amount === undefined) throw new ArgumentError("amount", "is missing beside currency");
    if (!currency) throw new ArgumentError("currency", "is missing beside amount");
    event.conversionValue = { $typeName: "qrumb.v1.ConversionValue", amount: finite(amount), currency };
  }
  const properties = fields("properties", input.properties);
  if (properties) event.properties = properties;
  return event;
}

/** A browser event, for servers that render pages or pass events on. Throws ArgumentError. */
export function browserEvent(input: BrowserEventInput): BrowserEvent {
  const event = create(BrowserEventSchema, {
    ...common(input),
    scanSessionId: input.scanSessionId ?? "",
    eventType: input.eventType,
    pageUrl: input.pageUrl ?? "",
    pageTitle: input.pageTitle ?? "",
    referrer: input.referrer ?? "",
    ...(input.device && { device: input.device }),
  });
  const metadata = fields("metadata", input.metadata);
  if (metadata) event.metadata = metadata;
  return event;
}

const CONSENT = { granted: Consent_State.GRANTED, denied: Consent_State.DENIED, pending: Consent_State.PENDING };

function common(input: Common) {
  const { siteId, eventId = "", eventTime, consent } = input;
  if (eventId && !isUuid(eventId)) throw new ArgumentError("eventId", "is not a UUID");
  return {
    siteId,
    eventId: eventId.toLowerCase(),
    consent: consentOf(consent),
    ...(eventTime !== undefined && { eventTime: timestampFromMs(timeOf("eventTime", eventTime)) }),
  };
}

function consentOf(consent: ConsentState | undefined): Consent_State {
  if (consent !== undefined && !Object.hasOwn(CONSENT, consent)) {
    throw new ArgumentError("consent", "is not granted, denied or pending");
  }
  return consent ? CONSENT[consent] : Consent_State.CONSENT_UNSPECIFIED;
}

function timeOf(argument: string, time: Date): number {
  if (!(time instanceof Date && Number.isFinite(time.getTime()))) {
    throw new ArgumentError(argument, "is not a valid Date");
  }
  return time.getTime();
}

function either<R extends "email" | "phone", H extends "emailHash" | "phoneHash">(
  input: Pick<ServerEventInput, R | H>,
  raw: R,
  hashed: H,
  hash: (text: string) => string,
): string {
  const text: string | undefined = input[raw];
  const ready: string | undefined = input[hashed];
  if (text !== undefined && ready !== undefined) throw new ArgumentError(raw, `give it or ${hashed}, not both`);
  return text === undefined ? (ready ?? "") : hash(text);
}

function finite(amount: number | string): number {
  const number = typeof amount === "string" && !amount.trim() ? NaN : Number(amount);
  if (!Number.isFinite(number)) throw new ArgumentError("amount", "is not a finite number");
  return number;
}

// Through JSON and back: the event keeps what the object was when it was built, and only what JSON can say.
// Beyond what the collector takes (5), and far below what would make it refuse the whole batch.
const MAX_LEVELS = 20;

/** Objects and lists inside each other, this one included. */
function levels(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(levels));
}

function fields(argument: string, value: JsonObject | undefined): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) throw new ArgumentError(argument, "is not an object");
  let text: string;
  try {
    text = JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner === "number" && !Number.isFinite(inner)) throw new TypeError("holds NaN or infinity");
      return inner;
    });
  } catch (error) {
    throw new ArgumentError(argument, error instanceof Error ? `cannot be JSON: ${error.message.split("\n")[0]}` : "");
  }
  const copy = JSON.parse(text) as JsonObject;
  if (levels(copy) > MAX_LEVELS) throw new ArgumentError(argument, `is nested deeper than ${MAX_LEVELS}`);
  return Object.keys(copy).length ? copy : undefined;
}

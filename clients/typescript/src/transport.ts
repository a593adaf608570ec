// Calls of the service, over gRPC. Everything of the network is behind this narrow interface.

import { readFileSync } from "node:fs";

import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { compressionGzip, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { checkedKey, parseAddress } from "./address.js";
import { repeated } from "./encode.js";
import { ArgumentError, ReceiptCountError } from "./errors.js";
import type { Event } from "./events.js";
import {
  BatchCollectBrowserEventsRequestSchema,
  BatchCollectServerEventsRequestSchema,
  CollectorService,
} from "./gen/qrumb/v1/collector_service_pb.js";
import { type EventReceipt, EventReceipt_Outcome, EventReceiptSchema } from "./gen/qrumb/v1/receipt_pb.js";
import { type ScanSession } from "./gen/qrumb/v1/scan_session_pb.js";
import {
  BatchRegisterScanSessionsRequestSchema,
  type BatchRegisterScanSessionsResponse,
  ScanSessionService,
} from "./gen/qrumb/v1/scan_session_service_pb.js";
import type { ServerEvent } from "./gen/qrumb/v1/server_event_pb.js";

/** How to reach the service. */
export interface Connection {
  /** Such as grpc://127.0.0.1:9090, or grpcs:// for TLS. http:// and https:// are the same. */
  address: string;
  /** Key of the site, sent as `authorization: Bearer`. Only over TLS or to this machine. */
  key?: string;
  /** Compress requests. Worth it across a network, not on one machine. Default none. */
  compression?: "gzip";
  /** Authorities to trust instead of the system's, as PEM text or the file's URL. */
  ca?: string | URL;
  /** Certificate and key of this client for mutual TLS, as `ca`. */
  certificate?: { chain: string | URL; key: string | URL };
}

/** One call after another; `close` ends the connection. */
export interface Transport {
  /** A receipt for each event, in their order. All events are of one kind; `payloads` are the same ones as protobuf. */
  collect(
    events: readonly Event[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
    payloads: readonly Uint8Array[],
  ): Promise<EventReceipt[]>;
  register(session: ScanSession, timeoutMs: number): Promise<void>;
  close(): void;
}

// Smaller messages grow by being compressed.
const COMPRESS_FROM_BYTES = 1024;

/** The kind of an event decides which call takes it. */
export function isServerEvent(event: Event): event is ServerEvent {
  return event.$typeName === "qrumb.v1.ServerEvent";
}

/** Scans are events whose id is their session's. */
export function isScan(event: Event): event is ScanSession {
  return event.$typeName === "qrumb.v1.ScanSession";
}

/** The transport that a client uses if it is given none. */
export function grpcTransport(connection: Connection): Transport {
  const { key, compression, ca, certificate } = connection;
  const { target, isSecure } = parseAddress(connection.address);
  if (!isSecure && (ca ?? certificate) !== undefined) {
    throw new ArgumentError("address", "has no TLS, which certificates need; it begins with grpcs:// or https://");
  }
  const address = `${isSecure ? "https" : "http"}://${target}`;
  const tls = {
    ...(ca !== undefined && { ca: pem(ca) }),
    ...(certificate && { cert: pem(certificate.chain), key: pem(certificate.key) }),
  };
  const sessionManager = new Http2SessionManager(address, {}, tls);
  const transport = createGrpcTransport({
    baseUrl: address,
    sessionManager,
    interceptors: key ? [withKey(checkedKey(key))] : [],
    ...(compression === "gzip" && { sendCompression: compressionGzip, compressMinBytes: COMPRESS_FROM_BYTES }),
  });
  const collector = createClient(CollectorService, transport);
  const sessions = createClient(ScanSessionService, transport);
  return {
    async collect(events, timeoutMs, signal, payloads) {
      const options = { timeoutMs, ...(signal && { signal }) };
      const first = events[0];
      if (first === undefined) return [];
      const { receipts } = isServerEvent(first)
        ? await collector.batchCollectServerEvents(withAll(BatchCollectServerEventsRequestSchema, payloads), options)
        : isScan(first)
          ? receiptsOf(
              await sessions.batchRegisterScanSessions(withAll(BatchRegisterScanSessionsRequestSchema, payloads), options),
            )
          : await collector.batchCollectBrowserEvents(withAll(BatchCollectBrowserEventsRequestSchema, payloads), options);
      if (receipts.length !== events.length) {
        throw new ReceiptCountError(`${receipts.length} receipts for ${events.length} events`);
      }
      return receipts;
    },
    async register(scanSession, timeoutMs) {
      await sessions.registerScanSession({ scanSession }, { timeoutMs });
    },
    close: () => sessionManager.abort(),
  };
}

// A batch of what is in bytes already: its field 1, which is unknown to the message, so that it goes as it is.
function withAll<Desc extends DescMessage>(schema: Desc, payloads: readonly Uint8Array[]): MessageShape<Desc> {
  const request = create(schema);
  request.$unknown = [{ no: 1, wireType: WireType.LengthDelimited, data: repeated(payloads).subarray(1) }];
  return request;
}

// Scans are registered all or none, so each gets a receipt that says ACCEPTED, with the warnings that concern it.
function receiptsOf({ scanSessions, warnings }: BatchRegisterScanSessionsResponse): { receipts: EventReceipt[] } {
  const receipts = scanSessions.map(({ scanSessionId }) =>
    create(EventReceiptSchema, { eventId: scanSessionId, outcome: EventReceipt_Outcome.ACCEPTED }),
  );
  for (const warning of warnings) {
    const [, place, field] = /^scan_sessions\[(\d+)\]\.?(.*)$/.exec(warning.field) ?? [];
    receipts[Number(place)]?.warnings.push({ ...warning, field: field ?? "" });
  }
  return { receipts };
}

function withKey(key: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${key}`);
    return next(request);
  };
}

function pem(source: string | URL): string | Buffer {
  return source instanceof URL ? readFileSync(source) : source;
}

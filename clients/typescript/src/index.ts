// Node client of qrumb.

export { Carry, type CarryInput, type Carried, carrying, currentSession } from "./carry.js";
export { Client, type Counters } from "./client.js";
export { ArgumentError, ClosedError, QueueFullError, ReceiptCountError, UndeliveredError } from "./errors.js";
export {
  browserEvent,
  type BrowserEventInput,
  type ConsentState,
  type Event,
  scanSession,
  type ScanSessionInput,
  serverEvent,
  type ServerEventInput,
} from "./events.js";
export type { BrowserEvent } from "./gen/qrumb/v1/browser_event_pb.js";
export {
  type EventReceipt,
  EventReceipt_Outcome as Outcome,
  type EventWarning,
  EventWarning_Code as WarningCode,
  type Violation,
  Violation_Reason as Reason,
} from "./gen/qrumb/v1/receipt_pb.js";
export type { ScanSession } from "./gen/qrumb/v1/scan_session_pb.js";
export type { ServerEvent } from "./gen/qrumb/v1/server_event_pb.js";
export { emailHash, phoneHash } from "./hashes.js";
export { Redirect, type RedirectAnswer, type RedirectInput, type RedirectRequest } from "./redirect.js";
export type { Settings } from "./settings.js";
export { signScanSessionId } from "./signing.js";
export type { Connection, Transport } from "./transport.js";
export { eventIdFor, uuid7 } from "./uuid.js";

// Ids of events: UUIDs of version 7, which sort by the time they were made at, and of version 5, made of a name.

import { createHash, randomUUID } from "node:crypto";

import { ArgumentError } from "./errors.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A new UUIDv7: the time in front, and the random digits of a UUIDv4 behind, whose variant is the same. */
export function uuid7(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

// The same in every client; of its own, so that other UUIDv5 of the same texts are other ids.
const NAMESPACE = Buffer.from("6f201f8452765a2b945b49f1a94eb63e", "hex");

/**
 * The UUIDv5 of an event that has a name elsewhere: `eventIdFor("purchase", order.number)`. The same texts give the same
 * id in every client and every process, so that a job that runs twice counts once. The event's name belongs to it: an
 * order's refund is another event than its purchase. Throws ArgumentError where one of the two is empty: all such events
 * would be one.
 */
export function eventIdFor(eventName: string, key: string): string {
  if (!eventName) throw new ArgumentError("eventName", "is empty");
  if (!key) throw new ArgumentError("key", "is empty");
  const bytes = createHash("sha1").update(NAMESPACE).update(`${eventName}\n${key}`, "utf8").digest();
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Whether the text is a UUID in its common form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

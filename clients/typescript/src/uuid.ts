// UUIDs of version 7: they sort by the time they were made at.

import { randomUUID } from "node:crypto";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A new UUIDv7: the time in front, and the random digits of a UUIDv4 behind, whose variant is the same. */
export function uuid7(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** Whether the text is a UUID in its common form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

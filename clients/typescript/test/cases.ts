// The cases that every client is held to, read from clients/cases, and the words they use.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { parseAllDocuments } from "yaml";

import { type BrowserEvent, browserEvent, type Event, type ServerEvent, serverEvent } from "../src/index.js";

/** The root of the repository: above the folder that has this package's package.json. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../../..");
const CASES = join(ROOT, "clients/cases");

/** Why a file of cases cannot be run here, or false. */
export function missing(file: string): string | false {
  return !existsSync(join(CASES, file)) && `there is no clients/cases/${file} in this checkout`;
}

/** The cases of a file; none where it is missing. Integers that a double cannot hold arrive as bigint. */
export function cases<T>(file: string): (T & { name: string; promise: string })[] {
  if (missing(file)) return [];
  const text = readFileSync(join(CASES, file), "utf8");
  const [document] = parseAllDocuments(text);
  if (document === undefined || !("toJS" in document)) throw new Error(`${file} is empty`);
  return document.toJS() as (T & { name: string; promise: string })[];
}

/** A name of the cases in this language's way: max_batch_delay is maxBatchDelay. */
export function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

/** An event from a case's builder input. */
export function build(kind: string, input: Record<string, unknown>): ServerEvent | BrowserEvent {
  const named = Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      camel(name),
      name === "event_time"
        ? new Date(value as string)
        : name === "device"
          ? Object.fromEntries(Object.entries(value as object).map(([key, inner]) => [camel(key), inner]))
          : value,
    ]),
  );
  return kind === "server" ? serverEvent(named as never) : browserEvent(named as never);
}

/** A scan's id is that of its session. */
export function idOf(event: Event): string {
  return event.$typeName === "qrumb.v1.ScanSession" ? event.scanSessionId : event.eventId;
}

const DURATIONS = ["max_batch_delay", "call_timeout", "first_backoff", "max_backoff"];

/** A case's settings in this client's names and milliseconds. */
export function settings(given: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) =>
      DURATIONS.includes(name) ? [`${camel(name)}Ms`, Number(value) * 1000] : [camel(name), value],
    ),
  );
}

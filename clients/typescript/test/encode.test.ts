// The events' own encoder writes what protobuf-es writes, whatever their fields hold.

import assert from "node:assert/strict";
import { test } from "node:test";

import { create, type DescField, type DescMessage, fromBinary, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";

import { encode, repeated } from "../src/encode.js";
import { BrowserEventSchema } from "../src/gen/qrumb/v1/browser_event_pb.js";
import { BatchCollectServerEventsRequestSchema } from "../src/gen/qrumb/v1/collector_service_pb.js";
import { ScanSessionSchema } from "../src/gen/qrumb/v1/scan_session_pb.js";
import { ServerEventSchema } from "../src/gen/qrumb/v1/server_event_pb.js";

const EVENTS: readonly DescMessage[] = [ServerEventSchema, BrowserEventSchema, ScanSessionSchema];
const TEXTS = ["", "a", "x".repeat(48), "x".repeat(49), "x".repeat(300), "y".repeat(70_000), "Zoë 👟", "é".repeat(9_000), "\ud800"];
const NUMBERS = [0, 1, 127, 128, 49.9, 2 ** 31, 2 ** 32 - 1];
const STRUCTS = [
  {},
  { "": null, a: true, b: false, c: 0, d: -1.5, e: "text", f: [], g: {}, h: [1, [null, { i: ["x".repeat(200)] }]] },
  Object.fromEntries(TEXTS.map((text, index) => [text || `k${index}`, { [text]: [text] }])),
  { deep: [[[[[[[["end"]]]]]]]] },
];

/** What a field may hold; every one is tried. */
function values(field: DescField): unknown[] {
  if (field.fieldKind === "enum") return [0, 1, 3, -1];
  if (field.fieldKind === "message") {
    if (field.message.typeName === "google.protobuf.Struct") return STRUCTS;
    return [create(field.message), ...variants(field.message)];
  }
  const scalars: { [type in ScalarType]?: unknown[] } = {
    [ScalarType.STRING]: TEXTS,
    [ScalarType.BOOL]: [false, true],
    [ScalarType.DOUBLE]: [...NUMBERS, -0.5, 1e300],
    [ScalarType.UINT32]: NUMBERS.filter(Number.isInteger),
    [ScalarType.INT32]: [0, 1, -1, 999_999_999],
    [ScalarType.INT64]: [0n, 1n, 1_764_000_000n, -62_135_596_800n, 2n ** 62n],
  };
  const found = field.fieldKind === "scalar" ? scalars[field.scalar] : undefined;
  assert.ok(found, `${field.parent.typeName}.${field.name}: encode.ts and this test need a case of its kind`);
  return found;
}

/** Messages with one field set, and messages with all of them. */
function variants(schema: DescMessage): Message[] {
  const alone = schema.fields.flatMap((field) => values(field).map((value) => ({ [field.localName]: value })));
  const all = [0, 1, 2].map((turn) =>
    Object.fromEntries(schema.fields.map((field) => [field.localName, values(field).at(turn) ?? values(field)[0]])),
  );
  return [...alone, ...all].map((fields) => Object.assign(create(schema), fields));
}

for (const schema of EVENTS) {
  test(`${schema.typeName}, field by field`, () => {
    for (const message of [create(schema), ...variants(schema)]) {
      assert.deepEqual(encode(schema, message), toBinary(schema, message));
    }
  });
}

test("fields that are not known go too", () => {
  const event = fromBinary(ServerEventSchema, Uint8Array.of(0x0a, 1, 0x61, 0xfa, 0x3f, 2, 1, 2));
  assert.deepEqual(encode(ServerEventSchema, event), toBinary(ServerEventSchema, event));
});

test("a batch of payloads is the batch of their events", () => {
  const events = variants(ServerEventSchema).map((event) => event as ReturnType<typeof create<typeof ServerEventSchema>>);
  const batch = create(BatchCollectServerEventsRequestSchema, { events });
  const payloads = events.map((event) => encode(ServerEventSchema, event));
  assert.deepEqual(repeated(payloads), toBinary(BatchCollectServerEventsRequestSchema, batch));
});

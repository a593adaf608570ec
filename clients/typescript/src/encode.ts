// Events as bytes. protobuf-es walks its descriptors anew for each message and makes an array of bytes of each text, which
// was half of what an event cost; here a type is walked once, and everything is written into one buffer. A type that it has
// no writer for goes through protobuf-es. Tests compare every field of the events, and all cases, with protobuf-es's bytes.

import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";

type Fields = Record<string, unknown>;
type Write = (message: Fields) => void;

const STRUCT = "google.protobuf.Struct";
// How a field's value is written: the lower three bits of its tag.
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
// Of a field that knows whether it was set; the others are left out where they are zero.
const EXPLICIT = 1;
const FIRST_BYTES = 4096;
// A buffer that an exceptional event made larger than any batch is not kept.
const MOST_BYTES = 16 * 1024 * 1024;
// Up to here a text is written letter by letter, which is faster than a call of the runtime.
const SHORT_TEXT = 48;

const writers = new Map<DescMessage, Write | undefined>();

// One message is written at a time, and nothing waits meanwhile: one buffer is enough.
let buffer = Buffer.allocUnsafe(FIRST_BYTES);
let length = 0;

/** The message as protobuf. */
export function encode(schema: DescMessage, message: Message): Uint8Array {
  if (!writers.has(schema)) writers.set(schema, writerOf(schema));
  const write = writers.get(schema);
  if (write === undefined || message.$unknown) return toBinary(schema, message);
  length = 0;
  write(message as unknown as Fields);
  return written();
}

/** Of a message: field 1, which is repeated, with these. */
export function repeated(payloads: readonly Uint8Array[]): Uint8Array {
  length = 0;
  for (const payload of payloads) {
    writeTag(1, DELIMITED);
    writeVarint(payload.length);
    reserve(payload.length);
    buffer.set(payload, length);
    length += payload.length;
  }
  return written();
}

function written(): Uint8Array {
  const bytes = new Uint8Array(buffer.subarray(0, length));
  if (buffer.length > MOST_BYTES) buffer = Buffer.allocUnsafe(FIRST_BYTES);
  return bytes;
}

// Its fields in the order of their numbers; undefined where there is no writer for one.
function writerOf({ fields }: DescMessage): Write | undefined {
  const writes: Write[] = [];
  for (const field of [...fields].sort((one, other) => one.number - other.number)) {
    const write = fieldWriterOf(field);
    if (write === undefined) return undefined;
    writes.push(write);
  }
  return (message) => {
    for (const write of writes) write(message);
  };
}

function fieldWriterOf(field: DescField): Write | undefined {
  const { localName: name, number } = field;
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.oneof) return undefined;
  if (field.fieldKind === "message") {
    const isStruct = field.message.typeName === STRUCT;
    const write = isStruct ? (value: Fields) => writeStruct(value as JsonObject) : writerOf(field.message);
    return write && ((message) => writeNested(number, write, message[name] as Fields | undefined));
  }
  const write = SCALARS[field.fieldKind === "enum" ? ScalarType.INT32 : field.scalar];
  if (write === undefined) return undefined;
  const isExplicit = field.presence === EXPLICIT;
  return (message) => {
    const value = message[name];
    if (isExplicit ? value !== undefined : value) write(number, value as never);
  };
}

const SCALARS: { readonly [type in ScalarType]?: (number: number, value: never) => void } = {
  [ScalarType.STRING]: writeText,
  [ScalarType.BOOL]: (number, value: boolean) => writeInteger(number, Number(value)),
  [ScalarType.DOUBLE]: writeDouble,
  [ScalarType.UINT32]: writeInteger,
  [ScalarType.INT32]: writeInteger,
  [ScalarType.INT64]: (number, value: bigint) => writeInteger(number, Number(value), value),
};

function writeStruct(fields: JsonObject): void {
  for (const key of Object.keys(fields)) {
    const start = open(1);
    writeText(1, key);
    const value = open(2);
    writeValue(fields[key] as JsonValue);
    close(value);
    close(start);
  }
}

// The fields of google.protobuf.Value.
function writeValue(value: JsonValue): void {
  if (typeof value === "string") writeText(3, value);
  else if (typeof value === "number") writeDouble(2, value);
  else if (typeof value === "boolean") writeInteger(4, Number(value));
  else if (value === null) writeInteger(1, 0);
  else if (Array.isArray(value)) writeNested(6, writeList, value);
  else writeNested(5, writeStruct, value);
}

function writeList(values: readonly JsonValue[]): void {
  for (const value of values) writeNested(1, writeValue, value);
}

function writeNested<T>(number: number, write: (value: T) => void, value: T | undefined): void {
  if (value === undefined) return;
  const start = open(number);
  write(value);
  close(start);
}

// A nested message's length stands before it. One byte is kept for it; where it needs more, what was written moves.
function open(number: number): number {
  writeTag(number, DELIMITED);
  reserve(1);
  return ++length;
}

function close(start: number): void {
  const end = length;
  const size = end - start;
  const more = varintBytes(size) - 1;
  if (more > 0) {
    reserve(more);
    buffer.copyWithin(start + more, start, end);
  }
  length = start - 1;
  writeVarint(size);
  length = end + more;
}

function writeText(number: number, text: string): void {
  writeTag(number, DELIMITED);
  reserve(text.length * 3 + 5); // of a UTF-16 unit there are at most three bytes
  if (text.length <= SHORT_TEXT && writeLetters(text)) return;
  const bytes = Buffer.byteLength(text);
  writeVarint(bytes);
  length += buffer.write(text, length);
}

// False, with nothing written, where one is not ASCII.
function writeLetters(text: string): boolean {
  let at = length;
  buffer[at++] = text.length;
  for (let index = 0; index < text.length; index++) {
    const letter = text.charCodeAt(index);
    if (letter > 0x7f) return false;
    buffer[at++] = letter;
  }
  length = at;
  return true;
}

function writeDouble(number: number, value: number): void {
  writeTag(number, FIXED64);
  reserve(8);
  length = buffer.writeDoubleLE(value, length);
}

// A negative one, or one beyond a double's 53 bits, is written as its 64 bits.
function writeInteger(number: number, value: number, exact?: bigint): void {
  writeTag(number, VARINT);
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return writeVarint(value);
  let rest = BigInt.asUintN(64, exact ?? BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) writeByte(Number(rest & 0x7fn) | 0x80);
  writeByte(Number(rest));
}

function writeTag(number: number, type: number): void {
  writeVarint((number << 3) | type);
}

function writeVarint(value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) writeByte((rest % 128) | 0x80);
  writeByte(rest);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function writeByte(byte: number): void {
  if (length === buffer.length) reserve(1);
  buffer[length++] = byte;
}

function reserve(bytes: number): void {
  if (length + bytes <= buffer.length) return;
  const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + bytes));
  buffer.copy(larger, 0, 0, length);
  buffer = larger;
}

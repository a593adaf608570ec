// The cases that need no server: hashes, events, refusals, statuses, backoff.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { type DescMessage, equals, fromBinary, fromJson, type JsonValue, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

import { fromEnvironment, parseAddress } from "../src/address.js";
import { encode } from "../src/encode.js";
import { BrowserEventSchema } from "../src/gen/qrumb/v1/browser_event_pb.js";
import { ServerEventSchema } from "../src/gen/qrumb/v1/server_event_pb.js";
import { ArgumentError, Client, emailHash, eventIdFor, phoneHash } from "../src/index.js";
import { backoff, isRetried } from "../src/retry.js";
import { complete } from "../src/settings.js";
import { isServerEvent } from "../src/transport.js";
import { build, camel, cases, missing, settings } from "./cases.js";

interface HashCase {
  kind: "email" | "phone";
  input: string;
  normal?: string;
  hash?: string;
  refused?: boolean;
  extra?: "decides" | "refuses";
}

/** The built hashes, in a folder from which no package can be imported. */
async function hashesWithoutExtra(): Promise<typeof import("../src/hashes.js")> {
  const folder = mkdtempSync(join(tmpdir(), "qrumb-hashes-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const file of ["hashes.js", "normal-forms.js", "punycode.js", "errors.js"]) {
    copyFileSync(new URL(`../src/${file}`, import.meta.url), join(folder, file));
  }
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  return import(pathToFileURL(join(folder, "hashes.js")).href);
}

describe("hashes.yaml", { skip: missing("hashes.yaml") }, async () => {
  const without = await hashesWithoutExtra();
  // By the word of a case that is accepted by it and refused by the other.
  const hashes = {
    decides: { email: emailHash, phone: phoneHash },
    refuses: { email: without.emailHash, phone: without.phoneHash },
  };
  for (const { name, kind, input, normal, hash, refused, extra } of cases<HashCase>("hashes.yaml")) {
    test(name, () => {
      if (!refused) assert.equal(createHash("sha256").update(normal ?? "").digest("hex"), hash, "the case itself");
      for (const [accepting, { [kind]: make }] of Object.entries(hashes)) {
        if (!refused && (extra ?? accepting) === accepting) {
          assert.equal(make(input), hash);
          continue;
        }
        assert.throws(() => make(input), (error: Error) => {
          assert.equal(error.name, "ArgumentError");
          if (extra === "decides") assert.match(error.message, /install libphonenumber-js/);
          return !input.trim() || !error.message.includes(input.trim());
        });
      }
    });
  }
});

interface AddressCase {
  url?: string;
  key?: string;
  environment?: Record<string, string>;
  target?: string;
  tls?: boolean;
  refused?: string;
}

describe("addresses.yaml", { skip: missing("addresses.yaml") }, () => {
  for (const { name, url = "", key = "", environment, target, tls, refused } of cases<AddressCase>("addresses.yaml")) {
    test(name, async () => {
      const connection = () => (environment ? fromEnvironment(environment) : { address: url, key });
      if (refused) {
        assert.throws(() => new Client(connection()), ({ name: kind, message }: Error) => {
          return kind === "ArgumentError" && [refused, `address: ${refused}`].includes(message);
        });
        return;
      }
      assert.deepEqual(parseAddress(connection().address), { target, isSecure: tls });
      assert.equal(connection().key, key);
      await new Client(connection()).close();
    });
  }
});

interface IdCase {
  event_name: string;
  key: string;
  id?: string;
  refused?: string;
}

describe("event_ids.yaml", { skip: missing("event_ids.yaml") }, () => {
  for (const { name, event_name, key, id, refused } of cases<IdCase>("event_ids.yaml")) {
    test(name, () => {
      if (refused) {
        assert.throws(() => eventIdFor(event_name, key), (error: Error) => {
          return error instanceof ArgumentError && error.argument === camel(refused);
        });
      } else {
        assert.equal(eventIdFor(event_name, key), id);
      }
    });
  }
});

interface EventCase {
  kind: string;
  input: Record<string, unknown>;
  json: JsonValue;
  wire: string;
  refused: string;
  needs?: string;
}

describe("events.yaml", { skip: missing("events.yaml") }, () => {
  for (const { name, kind, input, json, wire } of cases<EventCase>("events.yaml")) {
    test(name, () => {
      const event = build(kind, input);
      if (isServerEvent(event)) assertSame(ServerEventSchema, event, json, wire);
      else assertSame(BrowserEventSchema, event, json, wire);
    });
  }
});

// The order of map keys means nothing, so bytes are compared by what they say and by their number.
function assertSame<D extends DescMessage>(schema: D, event: MessageShape<D>, json: JsonValue, wire: string): void {
  const bytes = Buffer.from(wire, "base64");
  assert.deepEqual(event, fromJson(schema, json));
  assert.ok(equals(schema, event, fromBinary(schema, bytes)));
  assert.equal(toBinary(schema, event).length, bytes.length);
  assert.deepEqual(encode(schema, event), toBinary(schema, event));
}

describe("refusals.yaml", { skip: missing("refusals.yaml") }, () => {
  // A Date has always a zone; a number is always a double.
  const WITHOUT = ["naive_time", "integers"];
  for (const { name, kind, input, refused, needs } of cases<EventCase>("refusals.yaml")) {
    test(name, { skip: needs !== undefined && WITHOUT.includes(needs) && `JavaScript has no ${needs}` }, () => {
      assert.throws(() => build(kind, input), (error: Error) => {
        assert.ok(error instanceof ArgumentError, String(error));
        return error.message.includes(camel(refused));
      });
    });
  }
});

interface StatusCase {
  grpc?: string;
  delay?: boolean;
  retried: boolean;
}

describe("statuses.yaml", { skip: missing("statuses.yaml") }, () => {
  for (const { name, grpc, delay, retried } of cases<StatusCase>("statuses.yaml")) {
    test(name, { skip: grpc === undefined && "this client speaks gRPC only" }, () => {
      const wanted = (grpc ?? "").replaceAll("_", "").replace("CANCELLED", "CANCELED");
      const [, code] = Object.entries(Code).find(([key]) => key.toUpperCase() === wanted) ?? [];
      assert.equal(typeof code, "number", grpc);
      assert.equal(isRetried(code as Code, delay === true), retried);
    });
  }
});

interface BackoffCase {
  settings?: Record<string, unknown>;
  attempt: number;
  random: number;
  stated?: number;
  delay: number;
}

describe("backoff.yaml", { skip: missing("backoff.yaml") }, () => {
  for (const each of cases<BackoffCase>("backoff.yaml")) {
    test(each.name, () => {
      const stated = each.stated === undefined ? undefined : each.stated * 1000;
      const delay = backoff(complete(settings(each.settings)), each.attempt, each.random, stated);
      assert.ok(Math.abs(delay - each.delay * 1000) < 0.01, `${delay} ms`);
    });
  }
});

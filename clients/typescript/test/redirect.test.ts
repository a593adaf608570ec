// redirect.yaml and carry.yaml, the latter with Express itself; and that no redirect waits for the service.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { toJson } from "@bufbuild/protobuf";
import express from "express";

import { carryScans } from "../src/express.js";
import { ScanSessionSchema } from "../src/gen/qrumb/v1/scan_session_pb.js";
import {
  ArgumentError,
  Carry,
  Client,
  currentSession,
  type Event,
  QueueFullError,
  Redirect,
  type ScanSession,
  signScanSessionId,
  uuid7,
} from "../src/index.js";
import { isSigned } from "../src/signing.js";
import { camel, cases, missing, ROOT } from "./cases.js";

const [SITE, SECRET, OLDER] = ["shop", "a-secret", "the-older-secret"];
const MOST_SECONDS = 30 * 86_400;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\./;

interface RedirectCase {
  destinations: Record<string, string>;
  secret?: string;
  refused?: string;
  request: { code: string; headers: Record<string, string> } & Record<string, unknown>;
  expect: { status: number; location?: string; allow?: string; scan?: Record<string, unknown> };
}

describe("redirect.yaml", { skip: missing("redirect.yaml") }, () => {
  for (const { name, destinations, secret = SECRET, refused, request, expect } of cases<RedirectCase>("redirect.yaml")) {
    test(name, () => {
      const scans: ScanSession[] = [];
      const client = { offer: (event: Event) => scans.push(event as ScanSession) > 0 };
      const make = () => new Redirect({ client, siteId: SITE, secret, destinations });
      if (refused) {
        assert.throws(make, (error) => error instanceof ArgumentError && error.argument === camel(refused));
        return;
      }
      const { code, headers, client_ip: clientIp, ...known } = request;
      const answer = make().answer(code, headers, { ...known, ...(clientIp !== undefined && { clientIp }) } as never);
      const expected = {
        "Cache-Control": "private, no-store",
        "X-Robots-Tag": "noindex",
        ...(expect.location && { Location: expect.location.replace("{session}", answer.session) }),
        ...(expect.allow && { Allow: expect.allow }),
      };
      assert.equal(answer.status, expect.status);
      assert.deepEqual(answer.headers, expected);
      assert.deepEqual([scans.length > 0, answer.session !== ""], [expect.scan !== undefined, expect.scan !== undefined]);
      for (const scan of scans) {
        assert.match(answer.session, UUID7);
        assert.ok(isSigned(SECRET, SITE, answer.session));
        const told = toJson(ScanSessionSchema, scan, { useProtoFieldName: true }) as Record<string, unknown>;
        assert.deepEqual([told["site_id"], told["scan_session_id"]], [SITE, answer.session]);
        assert.ok(Math.abs(Date.parse(String(told["scan_time"])) - Date.now()) < 60_000);
        for (const field of ["site_id", "scan_session_id", "scan_time"]) delete told[field];
        assert.deepEqual(told, expect.scan);
      }
    });
  }
});

test("headers of the fetch API are read too, and what is not text harms nothing", () => {
  const scans: Event[] = [];
  const client = { offer: (event: Event) => scans.push(event) > 0 };
  const redirect = new Redirect({ client, siteId: SITE, secret: SECRET, destinations: { a: "https://shop.example/" } });
  const { headers } = redirect.answer("a", new Headers({ "User-Agent": "curl" }), { query: "x=\udcff" });
  assert.match(headers["Location"] ?? "", /^https:\/\/shop\.example\/\?x=%EF%BF%BD&qrs=/);
  assert.equal((scans[0] as ScanSession).userAgent, "curl");
});

test("the examples of docs/redirect.md work, one after another in one program", async () => {
  const page = readFileSync(join(ROOT, "docs/redirect.md"), "utf8");
  const blocks = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block);
  const program = new URL("../redirect-example.mjs", import.meta.url);
  writeFileSync(program, blocks.join("\n").replace("app.listen(8000);", "export { app, client };"));
  process.env["QRUMB_SESSION_SECRET"] = SECRET;
  const { app, client } = (await import(program.href)) as { app: ReturnType<typeof express>; client: Client };
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const landed = await fetch(`${url}/q/poster-7?utm=1`, { redirect: "manual" });
  const [landing, id] = (landed.headers.get("location") ?? "").split("&qrs=");
  assert.deepEqual([landed.status, landing], [302, "https://shop.example/?utm=1"]);
  const bought = await fetch(`${url}/checkout?qrs=${id}`, { method: "POST", headers: { cookie: "consent=granted" } });
  assert.equal(await bought.text(), id);
  assert.equal(client.counters.sent, 2);
  server.close();
  await assert.rejects(client.close(100));
});

type Made = number | { age?: number; secret?: string; site_id?: string; name?: string };

interface CarryCase {
  sessions: Record<string, Made>;
  steps: { query?: string; consent: string; session?: string; cookie?: string; sent?: string }[];
}

describe("carry.yaml", { skip: missing("carry.yaml") }, () => {
  const app = express();
  app.use(carryScans(new Carry({ siteId: SITE, secrets: [SECRET, OLDER] }), (request) => request.get("x-consent") ?? ""));
  app.use(express.json());
  app.all("/", async (_request, response) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    response.send(currentSession());
  });
  const server = createServer(app);
  before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  after(() => server.close());

  for (const { name, sessions: made, steps } of cases<CarryCase>("carry.yaml")) {
    test(name, async () => {
      const sessions = Object.fromEntries(Object.entries(made).map(([key, how]) => [key, session(how)]));
      const filled = (text: string) => text.replace(/\{(\w+)\}/g, (_all, key: string) => sessions[key] ?? "");
      let jar = "";
      for (const step of steps) {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?${filled(step.query ?? "")}`;
        const cookie = step.sent === undefined ? jar : filled(step.sent);
        const answer = await fetch(url, {
          method: "POST",
          body: "{}",
          headers: { "content-type": "application/json", "x-consent": step.consent, ...(cookie && { cookie: `own=1; qrs=${cookie}` }) },
        });
        assert.equal(answer.status, 200);
        assert.equal(await answer.text(), sessions[step.session ?? ""] ?? "");
        const [text, ...others] = answer.headers.getSetCookie();
        assert.deepEqual([text !== undefined, others], [step.cookie !== undefined, []]);
        if (text === undefined || step.cookie === undefined) continue;
        const [pair = "", ...attributes] = text.split("; ");
        jar = pair.replace("qrs=", "");
        assert.equal(jar, sessions[step.cookie] ?? "");
        const rest = attributes.filter((attribute) => !attribute.startsWith("Max-Age="));
        assert.deepEqual(rest, ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]);
        const how = made[step.cookie];
        const left = step.cookie === "deleted" ? 0 : MOST_SECONDS - (typeof how === "number" ? how : 0);
        const age = Number(/Max-Age=(\d+)/.exec(text)?.[1]);
        assert.ok(age <= left && age >= left - 120, `${age} of ${left} s`);
      }
    });
  }
});

function session(how: Made): string {
  const { age = 0, secret = SECRET, site_id: siteId = SITE, name = uuid7(Date.now() - age * 1000) } =
    typeof how === "number" ? { age: how } : how;
  return signScanSessionId(secret, siteId, name);
}

test("no redirect fails while the service is away, and every lost scan is reported", async () => {
  const lost: [Event, Error][] = [];
  const settings = { maxQueueEvents: 100, onFailure: (event: Event, error: Error) => lost.push([event, error]) };
  const client = new Client({ address: "http://127.0.0.1:9" }, settings);
  const redirect = new Redirect({ client, siteId: SITE, secret: SECRET, destinations: { a: "https://a.example/" } });
  const answers = Array.from({ length: 500 }, () => redirect.answer("a", {}));
  assert.ok(answers.every(({ status }) => status === 302));
  assert.deepEqual([client.counters.failed, lost.length], [400, 400]);
  assert.ok(lost.every(([, error]) => error instanceof QueueFullError));
  await assert.rejects(client.close(100));
  assert.equal(redirect.answer("a", {}).status, 302);
  assert.equal(client.counters.failed, 501);
  const told = new Set(lost.map(([event]) => (event as ScanSession).scanSessionId));
  assert.ok(answers.every(({ session: id }) => told.has(id)));
});

// delivery.yaml and scans.yaml, against a front that fails on command. Every case has a site_id of its own, so they run side by side;
// only those that stop the front run alone.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, ClosedError, Outcome, QueueFullError, scanSession, UndeliveredError, uuid7 } from "../src/index.js";
import { build, cases, idOf, missing, ROOT, settings } from "./cases.js";

interface Step {
  send?: number;
  offer?: number;
  lost?: number;
  kind?: string;
  padding?: number;
  event_id?: string;
  error?: "queue_full" | "closed";
  blocks?: number;
  wait?: number;
  flush?: number;
  answer?: boolean;
  close?: number;
  undelivered?: number;
  server?: "stop" | "start";
}

interface Expectation {
  calls?: number[][];
  calls_at_least?: number;
  events?: number[];
  gaps?: [number, number, number][];
  accepted?: number;
  rejected?: number;
  failed?: number;
  retried?: number;
  retried_at_least?: number;
  receipts?: Record<string, string>;
  failures?: number[];
}

interface DeliveryCase {
  settings?: Record<string, unknown>;
  steps: Step[];
  expect: Expectation;
}

interface Call {
  time: number;
  events: { event_id: string; name: string }[];
}

const PYTHON = process.env["QRUMB_PYTHON"] ?? join(ROOT, ".venv/bin/python");
const FRONT = join(ROOT, "tests/support/client_front.py");
const noFront =
  missing("delivery.yaml") ||
  (!existsSync(FRONT) && "there is no tests/support/client_front.py in this checkout") ||
  (!existsSync(PYTHON) && "there is no Python environment: make setup-dev, or set QRUMB_PYTHON");
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ERRORS = { queue_full: QueueFullError, closed: ClosedError };

for (const file of ["delivery.yaml", "scans.yaml"]) {
  describe(file, { skip: noFront }, () => {
    let front: ChildProcess;
    let address = "";
    let control = "";

    before(async () => {
      front = spawn(PYTHON, ["-m", "tests.support.client_front"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
      let text = "";
      for await (const chunk of front.stdout ?? []) {
        text += String(chunk);
        if (text.includes("\n")) break;
      }
      const found = /^front: grpc:\/\/(\S+) http:\/\/\S+ control (http:\/\/\S+)/m.exec(text);
      assert.ok(found, text);
      [address, control] = [`http://${found[1]}`, found[2] ?? ""];
    });

    after(() => {
      front.stdin?.end();
      front.kill();
    });

    const all = cases<DeliveryCase>(file);
    const stops = ({ steps }: DeliveryCase) => steps.some(({ server }) => server);
    const run = (each: DeliveryCase & { name: string }) => new Run(each, address, control).all();
    describe("side by side", { concurrency: 8 }, () => {
      for (const each of all.filter((one) => !stops(one))) test(each.name, { timeout: 60_000 }, () => run(each));
    });
    describe("alone", { concurrency: 1 }, () => {
      for (const each of all.filter(stops)) test(each.name, { timeout: 60_000 }, () => run(each));
    });
  });
}

/** One case under way. */
class Run {
  private readonly siteId: string;
  private readonly client: Client;
  private readonly ids: string[] = [];
  private readonly given = new Set<string>();
  private readonly receipts: [string, string][] = [];
  private readonly failures: string[] = [];
  private readonly beside: Promise<void>[] = [];
  private closed = false;

  constructor(
    private readonly each: DeliveryCase & { name: string },
    address: string,
    private readonly control: string,
  ) {
    this.siteId = `${each.name}.${process.pid}`;
    this.client = new Client(
      { address },
      {
        ...settings(each.settings),
        onReceipt: ({ outcome }, event) => this.receipts.push([idOf(event), Outcome[outcome]]),
        onFailure: (event) => this.failures.push(idOf(event)),
      },
    );
  }

  async all(): Promise<void> {
    for (const step of this.each.steps) await this.step(step);
    await Promise.all(this.beside);
    if (!this.closed) await this.client.close();
    await this.check();
  }

  private async step(step: Step): Promise<void> {
    if (step.wait !== undefined) await sleep(step.wait * 1000);
    if (step.flush !== undefined) assert.equal(await this.client.flush(step.flush * 1000), step.answer ?? true);
    if (step.server) assert.ok((await fetch(`${this.control}/${step.server}`, { method: "POST" })).ok);
    if (step.close !== undefined) await this.close(step.close * 1000, step.undelivered ?? 0);
    for (let number = 1; number <= (step.offer ?? 0); number++) {
      const event = this.event(step, this.ids.length);
      assert.equal(this.client.offer(event), number <= (step.offer ?? 0) - (step.lost ?? 0));
      this.ids.push(idOf(event));
    }
    for (let number = 1; number <= (step.send ?? 0); number++) await this.send(step, number === step.send);
  }

  private async close(timeoutMs: number, undelivered: number): Promise<void> {
    this.closed = true;
    if (undelivered === 0) return this.client.close(timeoutMs);
    await assert.rejects(this.client.close(timeoutMs), (error) => {
      assert.ok(error instanceof UndeliveredError);
      assert.equal(error.events.length, undelivered);
      return true;
    });
  }

  private async send(step: Step, isLast: boolean): Promise<void> {
    const event = this.event(step, this.ids.length);
    if (isLast && step.error) {
      await assert.rejects(this.client.send(event), ERRORS[step.error]);
      return;
    }
    const index = this.ids.push("") - 1;
    const sent = this.client.send(event).then((id) => {
      this.ids[index] = id;
    });
    if (!isLast || step.blocks === undefined) return sent;
    const first = await Promise.race([sent.then(() => "returned"), sleep(step.blocks * 1000, "blocked")]);
    assert.equal(first, "blocked");
    this.beside.push(sent);
  }

  private event(step: Step, index: number) {
    const kind = step.kind ?? "server";
    if (kind === "scan") {
      return scanSession({ siteId: this.siteId, scanSessionId: uuid7(), qrCodeId: `e${index}` });
    }
    if (step.event_id) this.given.add(step.event_id);
    return build(kind, {
      site_id: this.siteId,
      scan_session_id: "s",
      [kind === "server" ? "event_name" : "event_type"]: `e${index}`,
      ...(step.event_id && { event_id: step.event_id }),
      ...(step.padding && { [kind === "server" ? "properties" : "metadata"]: { p: "x".repeat(step.padding) } }),
    });
  }

  private async check(): Promise<void> {
    const { expect } = this.each;
    const calls = (await (await fetch(`${this.control}/calls/${this.siteId}`)).json()) as Call[];
    const numbers = calls.map(({ events }) => events.map(({ name }) => Number(name.slice(1))));
    if (expect.calls) assert.deepEqual(numbers, expect.calls);
    if (expect.calls_at_least !== undefined) assert.ok(calls.length >= expect.calls_at_least);
    if (expect.events) assert.deepEqual([...new Set(numbers.flat())], expect.events);
    for (const { event_id, name } of calls.flatMap(({ events }) => events)) {
      assert.equal(event_id, this.ids[Number(name.slice(1))]);
      assert.ok(UUID7.test(event_id) || this.given.has(event_id), event_id);
    }
    for (const [call, least, most] of expect.gaps ?? []) {
      const gap = (calls[call]?.time ?? NaN) - (calls[call - 1]?.time ?? NaN);
      assert.ok(gap >= least && gap <= most, `${gap} s before call ${call}`);
    }
    this.checkCounters();
  }

  private checkCounters(): void {
    const { expect } = this.each;
    const { sent, accepted, rejected, failed, waiting, retried } = this.client.counters;
    assert.equal(sent, accepted + rejected + failed + waiting);
    assert.equal(sent, this.ids.length);
    const wanted = [expect.accepted ?? 0, expect.rejected ?? 0, expect.failed ?? 0];
    assert.deepEqual([accepted, rejected, failed], wanted);
    if (expect.retried_at_least === undefined) assert.equal(retried, expect.retried ?? 0);
    else assert.ok(retried >= expect.retried_at_least);
    const numbered = this.receipts.map(([id, outcome]) => [String(this.ids.indexOf(id)), outcome]);
    if (expect.receipts) assert.deepEqual(numbered, Object.entries(expect.receipts));
    if (expect.failures) assert.deepEqual(this.failures.map((id) => this.ids.indexOf(id)), expect.failures);
  }
}

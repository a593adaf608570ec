// The client over a transport of the test's own: what the shared cases cannot see from outside.

import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

import { type EventReceipt, EventReceiptSchema, EventReceipt_Outcome } from "../src/gen/qrumb/v1/receipt_pb.js";
import { ArgumentError, Client, ClosedError, type Event, serverEvent, type Transport, UndeliveredError } from "../src/index.js";
import { idOf } from "./cases.js";

type Answer = (events: readonly Event[]) => Promise<EventReceipt[]> | EventReceipt[];

const accept: Answer = (events) =>
  events.map((event) => create(EventReceiptSchema, { eventId: idOf(event), outcome: EventReceipt_Outcome.ACCEPTED }));

function transport(answer: Answer): Transport & { calls: string[][] } {
  const calls: string[][] = [];
  return {
    calls,
    async collect(events, _timeoutMs, signal) {
      calls.push(events.map(idOf));
      let end = () => {};
      const aborted = new Promise<never>((_resolve, reject) => {
        end = () => reject(new ConnectError("ended", Code.Canceled));
      });
      signal?.addEventListener("abort", end);
      return await Promise.race([aborted, answer(events)]).finally(() => signal?.removeEventListener("abort", end));
    },
    async register() {},
    close() {},
  };
}

const event = () => serverEvent({ siteId: "demo", scanSessionId: "s", eventName: "lead" });

test("an event keeps the id that send returned, and one that it had", async () => {
  const line = transport(accept);
  const client = new Client(line);
  const own = event();
  const given = "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f";
  own.eventId = given;
  const ids = [await client.send(event()), await client.send(own)];
  await client.close();
  assert.deepEqual(line.calls, [ids]);
  assert.match(ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
  assert.equal(ids[1], given);
});

test("an event that is sent in the moment the sender ends is sent too", async () => {
  let again = () => {};
  const line = transport(accept);
  const client = new Client(line, { maxBatchDelayMs: 0, onReceipt: () => queueMicrotask(again) });
  for (let hops = 0; hops < 12; hops++) {
    // Each round reaches a little further into the microtasks after the answer.
    let wait = hops;
    let sent = false;
    again = () => {
      if (sent) return;
      if (wait-- > 0) queueMicrotask(again);
      else {
        sent = true;
        void client.send(event());
      }
    };
    await client.send(event());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(client.counters.accepted, 24);
  await client.close();
});

test("a hook that throws stops nothing", async () => {
  const client = new Client(transport(accept), {
    onReceipt: () => {
      throw new Error("a fault of the caller");
    },
  });
  const warned = new Promise((resolve) => process.once("warning", resolve));
  await client.send(event());
  assert.ok(await client.flush(1000));
  assert.match(String(await warned), /a fault of the caller/);
  await client.send(event());
  await client.close();
  assert.equal(client.counters.accepted, 2);
});

test("close hands back the call under way and what waits, in order, and refuses who waits for room", async () => {
  const failures: string[] = [];
  const client = new Client(
    transport(() => new Promise(() => {})),
    { maxBatchEvents: 1, maxQueueEvents: 2, onFailure: (event) => failures.push(idOf(event)) },
  );
  const ids = [await client.send(event()), await client.send(event())];
  const third = client.send(event());
  const refused = assert.rejects(third, ClosedError);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await assert.rejects(client.close(50), (error) => {
    assert.ok(error instanceof UndeliveredError);
    assert.deepEqual(error.events.map(idOf), ids);
    return true;
  });
  await refused;
  assert.deepEqual(failures, ids);
  assert.deepEqual(client.counters, { sent: 2, accepted: 0, rejected: 0, failed: 2, waiting: 0, retried: 0 });
});

test("ten thousand events in one loop wait for room and all arrive, in order", async () => {
  const line = transport(accept);
  const client = new Client(line, { maxBatchDelayMs: 0, maxQueueEvents: 700 });
  const ids = await Promise.all(Array.from({ length: 10_000 }, () => client.send(event())));
  await client.close();
  assert.deepEqual(line.calls.flat(), ids);
  assert.equal(new Set(ids).size, 10_000);
});

test("settings that mean nothing are refused", () => {
  for (const [settings, name] of [
    [{ maxBatchEvents: 1001 }, "maxBatchEvents"],
    [{ maxQueueEvents: 0 }, "maxQueueEvents"],
    [{ callTimeoutMs: NaN }, "callTimeoutMs"],
    [{ whenFull: "drop" }, "whenFull"],
    [{ maxBatchDelay: 1 }, "maxBatchDelay"],
  ] as const) {
    assert.throws(() => new Client(transport(accept), settings as object), (error) => {
      assert.ok(error instanceof ArgumentError);
      return error.argument === name;
    });
  }
});

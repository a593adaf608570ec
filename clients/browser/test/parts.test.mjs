// The parts that need no page.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import {
  bare, cut, isRetried, Outbox, restrict, sendable, statedDelay, uuid7, valueOf, wellFormedJson, without,
} from "../dist/test/parts.mjs";

test("an id is a UUIDv7 of its time, and no two are the same", () => {
  const ids = Array.from({ length: 10_000 }, () => uuid7(1_766_000_000_123));
  for (const id of ids) assert.match(id, /^019b2dcd-7c7b-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
});

test("the scan parameter goes, and nothing else of the URL changes", () => {
  for (const [url, expected] of [
    ["https://a.example/?qrs=1", "https://a.example/"],
    ["https://a.example/p?a=%20b+c&qrs=x%3D1&d#qrs=2", "https://a.example/p?a=%20b+c&d#qrs=2"],
    ["https://a.example/?%71rs=1&QRS=2", "https://a.example/?QRS=2"],
    ["https://a.example/?qrs", "https://a.example/"],
    ["https://a.example/?xqrs=1&qrsx=2&a=qrs=3", "https://a.example/?xqrs=1&qrsx=2&a=qrs=3"],
    ["https://a.example/#?qrs=1", "https://a.example/#?qrs=1"],
    ["https://a.example/?%=1", "https://a.example/?%=1"],
  ]) {
    assert.equal(without(url, "qrs"), expected);
  }
  assert.equal(valueOf("https://a.example/?b=1&qrs=s%2B1#qrs=2", "qrs"), "s+1");
  assert.equal(valueOf("https://a.example/#?qrs=2", "qrs"), "");
});

test("texts are whole characters", () => {
  assert.equal(cut("\u{1f45f}".repeat(3), 2), "\u{1f45f}".repeat(2));
  assert.equal(cut("abc", 3), "abc");
  const odd = { "\ud800": ["\udfff", "\u{1f600}", "\\ud800", "\\\ud800", "\u0001\ue000"] };
  assert.deepEqual(JSON.parse(wellFormedJson(odd)), {
    "\ufffd": ["\ufffd", "\u{1f600}", "\\ud800", "\\\ufffd", "\u0001\ue000"],
  });
});

test("a refusal is said once, and each violation once", async () => {
  const said = mock.method(console, "warn", () => {});
  const answers = [
    { status: 403, delay: 0, text: async () => '{"message":"not here"}' },
    { status: 403, delay: 0, text: async () => '{"message":"not here"}' },
    { status: 200, delay: 0, text: async () => '{"receipts":[{"violations":[{"field":"a","description":"is b"}]}]}' },
  ];
  const outbox = new Outbox({ limit: 9, delay: 1, post: async () => answers.shift(), isOnline: () => true });
  for (const number of [1, 2, 3]) {
    outbox.add({ event_id: String(number) });
    outbox.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(said.mock.calls.map((call) => call.arguments), [
    ['qrumb: 403 {"message":"not here"}'],
    ["qrumb: rejected: a is b"],
  ]);
  said.mock.restore();
});

test("a URL that the contract refuses is not sent", () => {
  assert.equal(sendable("file:///tmp/a.html", "qrs"), "");
  assert.equal(sendable("about:blank", "qrs"), "");
  assert.equal(sendable("android-app://com.example", "qrs"), "android-app://com.example");
  assert.equal(sendable(`https://a.example/p?x=${"y".repeat(9000)}`, "qrs"), "https://a.example/p");
  assert.equal(bare("https://a.example/p?x#y"), "https://a.example/p");
});

test("a denied event has no metadata, no device and bare URLs", () => {
  const event = () => ({
    event_id: "1",
    scan_session_id: "s",
    page_url: "https://a.example/p?x=1#y",
    referrer: "https://b.example/?q=shoes",
    device: { language: "de" },
    metadata: { a: 1 },
  });
  const denied = event();
  restrict(denied, "denied");
  assert.deepEqual(denied, {
    event_id: "1",
    scan_session_id: "s",
    page_url: "https://a.example/p",
    referrer: "https://b.example/",
    consent: "denied",
  });
  const granted = event();
  restrict(granted, "granted");
  assert.deepEqual(granted, { ...event(), consent: "granted" });
});

test("retry-after is seconds or a date", () => {
  assert.equal(statedDelay("2"), 2000);
  assert.equal(statedDelay(null), 0);
  assert.equal(statedDelay("soon"), 0);
  assert.ok(Math.abs(statedDelay(new Date(Date.now() + 5000).toUTCString()) - 5000) < 1500);
  assert.equal(statedDelay(new Date(0).toUTCString()), 0);
});

// An outbox whose calls are answered by hand, on a clock that is moved by hand.
function rig(context, options = {}) {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_766_000_000_000 });
  context.after(() => mock.timers.reset());
  const calls = [];
  const state = { online: true };
  const outbox = new Outbox({
    limit: 200,
    delay: 500,
    isOnline: () => state.online,
    post: (body, last) =>
      new Promise((resolve, reject) => {
        const { events } = JSON.parse(body);
        const answer = async (status, { delay = 0, text = "" } = {}) => {
          resolve({ status, delay, text: async () => text });
          for (let hop = 0; hop < 8; hop++) await undefined;
        };
        const fail = async () => {
          reject(new TypeError("Failed to fetch"));
          for (let hop = 0; hop < 8; hop++) await undefined;
        };
        calls.push({ ids: events.map((event) => event.event_id), bytes: body.length, last, answer, fail });
      }),
    ...options,
  });
  const add = (...ids) => ids.map((event_id) => outbox.add({ event_id, ...options.extra }));
  return { outbox, calls, state, add, pass: (milliseconds) => mock.timers.tick(milliseconds) };
}

test("events wait for others, then go together, one call at a time", async (context) => {
  const { calls, add, pass } = rig(context);
  add("a", "b");
  pass(499);
  assert.equal(calls.length, 0);
  pass(1);
  assert.deepEqual(calls[0].ids, ["a", "b"]);
  add("c");
  pass(10_000);
  assert.equal(calls.length, 1);
  await calls[0].answer(200);
  pass(1);
  assert.deepEqual(calls[1].ids, ["c"]);
});

test("a call without an answer is repeated with the same events, later each time", async (context) => {
  const { calls, add, pass } = rig(context);
  add("a");
  pass(500);
  let wait = 1000;
  for (let number = 0; number < 4; number++) {
    await calls[number].fail();
    add(`later-${number}`);
    pass(wait / 2 - 1);
    assert.equal(calls.length, number + 1, "too soon");
    pass(wait / 2 + 1);
    assert.equal(calls.length, number + 2, "too late");
    wait *= 2;
  }
  assert.deepEqual(calls[4].ids, ["a", "later-0", "later-1", "later-2", "later-3"]);
});

test("what the collector asks for is kept, by the end of the page too", async (context) => {
  const { outbox, calls, add, pass } = rig(context);
  add("a");
  pass(500);
  await calls[0].answer(429, { delay: 5000 });
  outbox.flush(true);
  pass(4999);
  assert.equal(calls.length, 1);
  assert.deepEqual(outbox.left().map((event) => event.event_id), ["a"]);
  pass(1251);
  assert.deepEqual(calls[1].ids, ["a"]);
});

test("a timer that fires early does not end the repetitions", async (context) => {
  const { calls, add, pass } = rig(context);
  const exact = globalThis.setTimeout;
  context.mock.method(Math, "random", () => 0.3337);
  context.mock.method(globalThis, "setTimeout", (run, milliseconds) => exact(run, Math.floor(milliseconds)));
  add("a");
  pass(500);
  await calls[0].answer(429, { delay: 1000 }); // 1083.425 ms in all
  for (let step = 0; step < 1090; step++) pass(1);
  assert.equal(calls.length, 2);
});

test("an answer to another call does not shorten a stated delay", async (context) => {
  const { outbox, calls, add, pass } = rig(context);
  add("a");
  pass(500);
  add("b");
  outbox.flush(true);
  await calls[0].answer(429, { delay: 5000 });
  await calls[1].answer(200);
  pass(4999);
  assert.equal(calls.length, 2);
  pass(1251);
  assert.deepEqual(calls[2].ids, ["a"]);
});

test("an event with a verdict is never sent again, whatever the verdict", async (context) => {
  const receipts = [];
  const { outbox, calls, add, pass } = rig(context, { onReceipt: (receipt) => receipts.push(receipt.outcome) });
  add("a", "b");
  pass(500);
  await calls[0].answer(200, { text: '{"receipts":[{"outcome":"ACCEPTED"},{"outcome":"REJECTED"}]}' });
  add("c");
  pass(500);
  await calls[1].answer(403);
  pass(100_000);
  assert.equal(calls.length, 2);
  assert.deepEqual(outbox.left(), []);
  assert.deepEqual(receipts, ["ACCEPTED", "REJECTED"]);
});

test("one event that spoils its call costs the others nothing", async (context) => {
  const { calls, add, pass } = rig(context);
  add("a", "bad", "c");
  pass(500);
  await calls[0].answer(400);
  const alone = [];
  for (let number = 1; number <= 3; number++) {
    pass(1);
    alone.push(calls[number].ids);
    await calls[number].answer(number === 2 ? 400 : 200);
  }
  assert.deepEqual(alone, [["a"], ["bad"], ["c"]]);
  add("d", "e");
  pass(500);
  assert.deepEqual(calls[4].ids, ["d", "e"]);
});

test("at the end of the page all calls together stay within what outlives it", (context) => {
  const { outbox, calls, add, pass } = rig(context, { extra: { text: "ü".repeat(5000) } });
  add("a", "b", "c", "d", "e");
  pass(500);
  assert.deepEqual(calls[0].ids, ["a", "b", "c", "d", "e"]);
  add("f", "g", "h");
  outbox.flush(true);
  assert.equal(calls.length, 1, "50 KB are under way: nothing more fits");
  assert.equal(outbox.left().length, 3);
});

test("an event that is larger than everything goes alone, for the collector to judge", (context) => {
  const { calls, add, pass } = rig(context, { extra: { text: "x".repeat(70_000) } });
  add("a", "b");
  pass(500);
  assert.deepEqual(calls[0].ids, ["a"]);
});

test("a full outbox keeps what it has", (context) => {
  const { add, pass } = rig(context, { limit: 3 });
  assert.deepEqual(add("a", "b", "c", "d"), [true, true, true, false]);
  pass(500);
  assert.deepEqual(add("e"), [false], "events under way count");
});

test("without a network nothing is tried until there is one", (context) => {
  const { outbox, calls, state, add, pass } = rig(context);
  state.online = false;
  add("a");
  pass(100_000);
  assert.equal(calls.length, 0);
  state.online = true;
  outbox.flush();
  assert.deepEqual(calls[0].ids, ["a"]);
});

test("only what a repetition may cure is repeated", () => {
  for (const status of [0, 408, 429, 502, 503, 504]) assert.ok(isRetried(status), String(status));
  for (const status of [200, 400, 401, 403, 404, 413, 500, 501]) assert.ok(!isRetried(status), String(status));
});

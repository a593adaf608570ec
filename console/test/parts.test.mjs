// The parts without a page: exact sums, files for spreadsheets, places in a text.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { build } from "esbuild";

async function bundled(name) {
  const built = await build({ entryPoints: [`src/${name}.ts`], bundle: true, format: "esm", write: false });
  return Buffer.from(built.outputFiles[0].contents).toString("base64");
}

const part = async (name) => import(`data:text/javascript;base64,${await bundled(name)}`);

test("amounts are added exactly, with the decimals of the longer one", async () => {
  const { add, money, sumAmounts } = await part("words");
  for (const [a, b, sum] of [["0.10", "0.20", "0.30"], ["49.90", "-49.90", "0.00"], ["-0.05", "0.01", "-0.04"], ["1", "0.0001", "1.0001"],
    ["99999999999999999.99", "0.01", "100000000000000000.00"], ["1500", "-2000", "-500"]]) assert.equal(add(a, b), sum);
  assert.deepEqual(sumAmounts([[{ currency: "USD", amount: "1.50" }], [{ currency: "EUR", amount: "2" }, { currency: "USD", amount: "0.5" }]]),
    [{ currency: "EUR", amount: "2" }, { currency: "USD", amount: "2.00" }]);
  assert.equal(money({ currency: "EUR", amount: "-1234567.50" }), "-1,234,567.50 EUR");
});

test("a spreadsheet takes no name for a formula", async () => {
  const { csv } = await part("csv");
  assert.equal(csv([["=1+1", "-5.50", "a,b", 'say "x"', 7]]), `'=1+1,-5.50,"a,b","say ""x""",7\r\n`);
});

/** What an expression over the periods gives at an address, in a time zone, which a process keeps from its start. */
async function inZone(zone, range, expression) {
  const code = `globalThis.location = { hash: "#/codes?range=${range}" }; globalThis.addEventListener = () => {};
    import("data:text/javascript;base64,${await bundled("periods")}").then((parts) => console.log(JSON.stringify((${expression})(parts))));`;
  return JSON.parse(execFileSync(process.execPath, ["-e", code], { env: { ...process.env, TZ: zone }, encoding: "utf8" }));
}

test("a period and the one before are as many days, at midnight and where clocks change", async () => {
  const asked = (now) => `({ period, before }) => {
    const own = period(new Date("${now}"));
    return [own, before(own)].flatMap((one) => [one.from, one.to]);
  }`;
  for (const [zone, range, now, ...expected] of [
    // Just before midnight, with a day of 25 hours among the thirty; just after it, with one of 23.
    ["Europe/Vienna", "30d", "2026-11-03T22:30:00Z", "2026-10-04T22:00:00Z", "2026-11-03T22:30:00Z", "2026-09-04T22:00:00Z", "2026-10-04T21:30:00Z"],
    ["Europe/Vienna", "30d", "2026-03-29T22:10:00Z", "2026-02-28T23:00:00Z", "2026-03-29T22:10:00Z", "2026-01-29T23:00:00Z", "2026-02-27T23:10:00Z"],
    ["Europe/Vienna", "7d", "2026-11-29T23:00:00Z", "2026-11-23T23:00:00Z", "2026-11-29T23:00:00Z", "2026-11-16T23:00:00Z", "2026-11-22T23:00:00Z"],
    ["Europe/Vienna", "1d", "2026-10-25T10:00:00Z", "2026-10-24T10:00:00Z", "2026-10-25T10:00:00Z", "2026-10-23T10:00:00Z", "2026-10-24T10:00:00Z"],
    ["Europe/Vienna", "own&from=2026-10-24&to=2026-10-25", "2026-11-29T12:00:00Z", "2026-10-23T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-21T22:00:00Z", "2026-10-23T22:00:00Z"],
  ]) assert.deepEqual(await inZone(zone, range, asked(now)), expected.map((one) => new Date(one).toISOString()), `${zone} ${range} ${now}`);
});

test("days begin where the place begins them, and each row is in one of them", async () => {
  // In Cairo the 24th of April begins at 1:00, and only that one.
  const hours = await inZone("Africa/Cairo", "own&from=2026-04-23&to=2026-04-26", `({ period, buckets, inBuckets }) => {
    const starts = buckets(period(new Date("2026-06-01T00:00:00Z")));
    return [starts.map((one) => new Date(one).getHours()), inBuckets(starts, [...starts, starts[1] + 1, 0], (one) => one).map((rows) => rows.length)];
  }`);
  assert.deepEqual(hours, [[0, 1, 0, 0], [2, 2, 1, 1]]);
});

test("what cannot be seen in a text is shown, and letters of all scripts stay", async () => {
  const { visible } = await part("visible");
  assert.equal(visible("a\u202egnp.exe\u0000\u001b[31m\ufeff"), String.raw`a\u202egnp.exe\u0000\u001b[31m\ufeff`);
  for (const usual of ["שלום عليكم", "👩‍👩‍👧‍👦", "a\nb\tc", "می‌خواهم"]) assert.equal(visible(usual), usual);
});

test("a mistake is found in its place, or around where it is missing", async () => {
  const { spanOf, spansOf } = await part("marks");
  const text = '{"site_id": "demo", "metadata": {"items": [1, {"note": "a\\"}", "n": 2}]}, "bad": nan}';
  const at = (field) => {
    const span = spanOf(spansOf(text), field);
    return span && text.slice(span.from, span.to);
  };
  assert.equal(at("site_id"), '"site_id": "demo"');
  assert.equal(at("metadata.items[1].note"), '"note": "a\\"}"');
  assert.equal(at("metadata.items[1].other"), '{"note": "a\\"}", "n": 2}');
  assert.equal(at("bad"), '"bad": nan');
  assert.equal(at("event_type"), undefined);
  assert.equal(at('metadata["a.b"]'), '"metadata": {"items": [1, {"note": "a\\"}", "n": 2}]}');
  for (const broken of ["", "{", '{"a"', '{"a": ]', "[1, 2", '{"a": "', '{a: 1}', "}{"]) spansOf(broken);
});

// The parts without a page: exact sums, files for spreadsheets, places in a text.

import assert from "node:assert/strict";
import { test } from "node:test";

import { build } from "esbuild";

async function part(name) {
  const built = await build({ entryPoints: [`src/${name}.ts`], bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].contents).toString("base64")}`);
}

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

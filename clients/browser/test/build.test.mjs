// What is built: small, self-contained, for old browsers and strict pages.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";

import { transform } from "esbuild";

const read = (name) => readFileSync(new URL(`../dist/${name}`, import.meta.url), "utf8");
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const SCRIPTS = ["qrumb.js", "qrumb.mjs", "qrumb-stub.js"];

test("the tag is under 4 KB", () => {
  for (const name of SCRIPTS) assert.ok(gzipSync(read(name), { level: 9 }).length < 4000, name);
});

test("nothing is newer than ES2017, fetched from elsewhere or made of text", async () => {
  for (const name of SCRIPTS) {
    const text = read(name);
    const [old, any] = await Promise.all(["es2017", "esnext"].map((target) => transform(text, { target })));
    assert.equal(old.code, any.code, `${name}: esbuild would have to rewrite something`);
    assert.doesNotMatch(text, /\beval\(|new Function|import\(|innerHTML|document\.write/, name);
    assert.ok([...text].every((letter) => letter.codePointAt(0) < 128), `${name} is ASCII`);
  }
});

test("the snippet of the README and the stub's file keep calls with their time", () => {
  const [, snippet] = /<script>\n([^<]+)<\/script>/.exec(readme) ?? [];
  assert.ok(snippet, "the README has a snippet");
  for (const stub of [snippet.split("\n")[0], read("qrumb-stub.js")]) {
    const window = {};
    window.window = window;
    const before = Date.now();
    runInNewContext(`${stub};qrumb("event", "first", {a: 1}); qrumb("flush")`, window);
    const [[time, words], second] = window.qrumb.q;
    assert.ok(time >= before && time <= Date.now());
    // Through JSON: these are objects of another realm.
    assert.equal(JSON.stringify([...words]), '["event","first",{"a":1}]');
    assert.equal(JSON.stringify([...second[1]]), '["flush"]');
  }
});

test("the module can be imported where there is no page", async () => {
  const { qrumb } = await import("../dist/qrumb.mjs");
  assert.equal(typeof qrumb, "function");
});

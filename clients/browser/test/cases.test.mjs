// The cases of clients/cases that concern a client over HTTP without a queue that blocks.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { parse } from "yaml";

import { backoff, isRetried } from "../dist/test/parts.mjs";

const folder = new URL("../../cases/", import.meta.url);

function load(file) {
  const url = new URL(file, folder);
  return existsSync(url) ? parse(readFileSync(url, "utf8")) : [];
}

const skip = !existsSync(folder) && "there is no clients/cases in this checkout";

describe("statuses.yaml", { skip }, () => {
  for (const { name, http, retried } of load("statuses.yaml")) {
    test(name, { skip: http === undefined && "not an HTTP status" }, () => assert.equal(isRetried(http), retried));
  }
});

describe("backoff.yaml", { skip }, () => {
  for (const { name, settings = {}, attempt, random, stated = 0, delay } of load("backoff.yaml")) {
    test(name, () => {
      const { first_backoff: first = 0.1, max_backoff: longest = 10 } = settings;
      const wait = backoff(attempt, random, stated * 1000, first * 1000, longest * 1000);
      assert.ok(Math.abs(wait - delay * 1000) < 0.01, `${wait} ms`);
    });
  }
});

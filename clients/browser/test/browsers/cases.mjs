// The tag in a real browser, held to clients/cases: `node test/browsers/cases.mjs FRONT CONTROL NODE SITE`. FRONT takes JSON,
// CONTROL is the front's, NODE a node with the site. Prints one line of JSON: by file and case `passed`, what failed, or why the
// case is not the tag's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { parse } from "yaml";

import { CONTEXT, launch } from "./launch.mjs";
import { startPages } from "./pages.mjs";

const [front, control, node, site] = process.argv.slice(2);
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
// What the tag is told in other words. Its other limits are those of a page, and fixed.
const SETTINGS = { max_batch_delay: "delay", max_queue_events: "limit" };
const MOST_WAIT_MS = 60_000;
const cases = (file) => parse(readFileSync(new URL(`../../../cases/${file}.yaml`, import.meta.url), "utf8"));

/** Why a case of delivery.yaml is not the tag's; "" where it is. */
function notDelivered({ settings = {}, key, kinds = ["browser"], steps, answers = [], expect }) {
  const batches = Object.keys(settings).filter((name) => name.startsWith("max_batch_") && name !== "max_batch_delay");
  if (kinds.some((kind) => kind !== "browser")) return "it sends browser events only";
  if (expect.calls && batches.length) return "the size of its batches is fixed";
  if ("max_queue_bytes" in settings) return "its queue is bounded by events only";
  if (expect.calls && "call_timeout" in settings) return "the deadline of its calls is fixed";
  if (settings.when_full === "block") return "a page cannot wait";
  if (key) return "it has no key";
  if (steps.some(({ event_id }) => event_id)) return "it makes every id";
  if (steps.some(({ close }) => close !== undefined)) return "a page ends without being closed";
  if (steps.some(({ answer }) => answer === false) || answers.some(({ hang }) => hang) && expect.calls) {
    return "its flush waits for nothing";
  }
  if (answers.some(({ retry_info }) => retry_info !== undefined)) return "it reads retry-after alone";
  if (answers.some(({ receipts }) => receipts && receipts.length < expect.failed)) return "it keeps no account of failures";
  return "";
}

/** A page with the tag, which sends to that collector. */
async function openTag(browser, shop, collector, siteId, options) {
  const context = await browser.newContext(CONTEXT);
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => message.type() === "warning" && said.push(message.text()));
  await page.goto(`${shop}/plain/`);
  await page.addScriptTag({ url: `${shop}/qrumb.js` });
  const quiet = { pageviews: false, clicks: false, forms: false };
  await page.evaluate((all) => {
    window.receipts = [];
    window.qrumb("init", { ...all, onReceipt: (receipt) => window.receipts.push(receipt) });
  }, { site: siteId, endpoint: collector, ...quiet, ...options });
  return { context, page, said };
}

const record = (page, events) => page.evaluate((all) => all.map(([type, own]) => window.qrumb("event", type, own)), events);
const receiptsOf = (page) => page.evaluate(() => window.receipts);

async function until(isSo, milliseconds) {
  const end = Date.now() + milliseconds;
  while (!(await isSo())) {
    assert.ok(Date.now() < end, "it took too long");
    await sleep(50);
  }
}

/** The steps of a case of delivery.yaml, and what is expected of them. */
async function deliver(browser, shop, { name, settings = {}, steps, expect }) {
  const siteId = `${name}.${process.pid}`;
  const options = Object.fromEntries(
    Object.entries(SETTINGS)
      .filter(([given]) => given in settings)
      .map(([given, own]) => [own, given === "max_batch_delay" ? settings[given] * 1000 : settings[given]]),
  );
  const { context, page, said } = await openTag(browser, shop, front, siteId, options);
  const ids = [];
  for (const step of steps) {
    if (step.wait) await sleep(step.wait * 1000);
    if (step.server) assert.ok((await fetch(`${control}/${step.server}`, { method: "POST" })).ok);
    if (step.send) {
      const own = step.padding && { p: "x".repeat(step.padding) };
      const made = await record(page, Array.from({ length: step.send }, (_, index) => [`e${ids.length + index}`, own]));
      if (step.error) assert.equal(made.pop(), "", "the last one is refused");
      ids.push(...made);
    }
    if (step.flush) {
      await page.evaluate(() => window.qrumb("flush"));
      const refused = () => said.some((line) => /^qrumb: \d{3} /.test(line));
      await until(async () => refused() || (await receiptsOf(page)).length === ids.length, step.flush * 1000);
    }
  }
  await until(async () => ids.length - (expect.failed ?? 0) === (await receiptsOf(page)).length, MOST_WAIT_MS);
  const receipts = await receiptsOf(page);
  await context.close();
  check(ids, receipts, await (await fetch(`${control}/calls/${siteId}`)).json(), expect);
}

function check(ids, receipts, calls, expect) {
  const numbers = calls.map(({ events }) => events.map((event) => Number(event.name.slice(1))));
  const firsts = [...new Set(numbers.flat())];
  if (expect.calls) assert.deepEqual(numbers, expect.calls);
  if (expect.events) assert.deepEqual(firsts, expect.events);
  for (const [call, least, most] of expect.gaps ?? []) {
    const gap = calls[call].time - calls[call - 1].time;
    assert.ok(gap >= least && gap <= most, `${gap} s before call ${call}`);
  }
  for (const { event_id, name } of calls.flatMap(({ events }) => events)) {
    assert.equal(event_id, ids[Number(name.slice(1))]);
    assert.match(event_id, UUID7);
  }
  const outcomes = receipts.map(({ event_id, outcome }) => [String(ids.indexOf(event_id)), outcome]);
  if (expect.receipts) assert.deepEqual(outcomes, Object.entries(expect.receipts));
  const count = (wanted) => outcomes.filter(([, outcome]) => outcome === wanted).length;
  assert.deepEqual([count("ACCEPTED"), count("REJECTED")], [expect.accepted ?? 0, expect.rejected ?? 0]);
  const repeated = numbers.filter((call, index) => numbers.slice(0, index).flat().includes(call[0])).length;
  if (expect.retried_at_least === undefined) assert.equal(repeated, expect.retried ?? 0);
}

/** Why a case of node.yaml is not the tag's; "" where it is. */
const notOfPages = ({ steps }) => (steps.every(({ kind }) => kind === "browser") ? "" : "it sends browser events only");

/** The verdicts of a real node. */
async function judge(browser, shop, { steps }) {
  const { context, page } = await openTag(browser, shop, node, site, { delay: 20 });
  for (const { collect, send = [collect], outcome, outcomes = [outcome], violations = {} } of steps) {
    await page.evaluate(() => (window.receipts.length = 0));
    await record(page, send.map(({ event_type, metadata }) => [event_type, metadata]));
    await until(async () => (await receiptsOf(page)).length === send.length, MOST_WAIT_MS);
    const receipts = await receiptsOf(page);
    assert.deepEqual(receipts.map((receipt) => receipt.outcome), outcomes);
    receipts.forEach((receipt, index) => {
      const found = (receipt.violations ?? []).map(({ field, reason }) => [field, reason]).sort();
      assert.deepEqual(found, (violations[index] ?? []).sort());
    });
  }
  await context.close();
}

async function outcomeOf(each, why, run) {
  if (why) return [each.name, { left_out: why }];
  try {
    await run(each);
    return [each.name, { passed: true }];
  } catch (error) {
    return [each.name, { failed: String(error.stack) }];
  }
}

const pages = await startPages(front);
const browser = await launch();
try {
  const shop = pages.origin;
  const delivered = (each) => outcomeOf(each, notDelivered(each), () => deliver(browser, shop, each));
  const judged = (each) => outcomeOf(each, notOfPages(each), () => judge(browser, shop, each));
  const stops = ({ steps }) => steps.some(({ server }) => server);
  // They mostly wait; only those that stop the front are alone.
  const all = cases("delivery");
  const found = await Promise.all(all.filter((each) => !stops(each)).map(delivered));
  for (const each of all.filter(stops)) found.push(await delivered(each));
  const verdicts = await Promise.all(cases("node").map(judged));
  console.log(JSON.stringify({ delivery: Object.fromEntries(found), node: Object.fromEntries(verdicts) }));
} finally {
  await browser.close();
  pages.stop();
}

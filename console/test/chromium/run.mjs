// The console in a real browser: `node test/chromium/run.mjs URL SITE KEY KEY_WITHOUT_SCOPE ADMIN_KEY`. Prints `kill` when
// the node is to be killed and waits for a line once it is back; then one line of JSON: what was seen.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { PAGES, THEMES, WIDTHS, launch, open, show } from "./browser.mjs";

const [url, site, key, narrowKey, adminKey] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const wrong = [];
const seen = {};
const browser = await launch();
const page = await open(browser, wrong, { acceptDownloads: true });
const texts = (selector) => page.locator(selector).allInnerTexts();
const rowsOf = (caption) => page.getByRole("region", { name: caption }).locator("tbody tr")
  .evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
const filters = () => new URLSearchParams(page.url().split("?")[1]);

/** What the browser itself writes of a refusal or an outage that is part of the play. */
const forgive = (...texts) => wrong.splice(0, wrong.length, ...wrong.filter((one) => !texts.some((text) => one.includes(text))));

async function signIn(secret, isKept = false) {
  await page.getByLabel("Site").fill(site);
  await page.getByLabel("Key", { exact: true }).fill(secret);
  if (isKept) await page.getByLabel("Keep it").check();
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Serious findings of axe on what is shown now. */
async function findings(where) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run()).violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)} ${one.nodes[0].any[0]?.message ?? ""}`));
  return found.map((one) => `${where}: ${one}`);
}

async function keys() {
  await show(page, url, `#/codes?site=${site}`);
  seen.axe = await findings("sign-in");
  await signIn(narrowKey);
  seen.narrow = await page.getByRole("alert").innerText();
  await signIn(key);
  await page.waitForSelector(".tiles");
  seen.storage = await page.evaluate(() => sessionStorage.length + localStorage.length);
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(key, true);
  await page.waitForSelector(".tiles");
  await page.reload();
  await page.waitForSelector(".tiles"); // still signed in
  seen.address = page.url();
  forgive("401", "403");
}

async function codes() {
  await show(page, url, `#/codes?site=${site}`);
  seen.tiles = Object.fromEntries(await page.locator("[data-number]").evaluateAll((all) => all.map((one) => [one.dataset.number, one.innerText])));
  seen.codes = await rowsOf("Numbers by QR code");
  seen.suspects = await rowsOf("Suspect scans by reason");
  seen.credits = await rowsOf("Conversions divided among QR codes");
  await page.getByText("Numbers as a table").click();
  seen.series = await rowsOf("Over time");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download as CSV" }).click()]);
  seen.csv = readFileSync(await file.path(), "utf8");
  await page.getByRole("link", { name: "poster-7" }).click();
  await page.getByLabel("Period").selectOption("7d");
  await page.getByLabel("Model").selectOption("FIRST");
  await page.waitForFunction(() => !document.querySelector(".waiting"));
  seen.chosen = Object.fromEntries(filters());
}

async function live() {
  await show(page, url, `#/live?site=${site}&state=rejected`);
  seen.rejected = await texts(".arrival");
  await page.getByLabel("Verdict").selectOption("");
  await page.getByLabel("Text").fill("unregistered");
  await page.waitForFunction(() => document.querySelectorAll(".arrival").length === 1);
  seen.filtered = Object.fromEntries(filters());
  await page.getByLabel("Text").fill("");
  await page.getByRole("button", { name: "Pause" }).click();
  const before = await page.locator(".arrival").count();
  await page.evaluate((name) => fetch("/collect", { method: "POST", body: JSON.stringify({ site_id: name, event_type: "while_paused" }) }), site);
  const goOn = page.getByRole("button", { name: "Go on (1 new)" });
  await goOn.waitFor();
  seen.heldBack = (await page.locator(".arrival").count()) - before;
  await goOn.click();
  await page.locator(".arrival", { hasText: "while_paused" }).waitFor();
}

async function paste() {
  await show(page, url, `#/event?site=${site}`);
  const text = page.getByLabel("Its JSON");
  await text.fill(`{\n  "site_id": "${site}",\n  "event_type": "pageview",\n  "consent": "perhaps"\n}`);
  await page.getByRole("button", { name: "Check it" }).click();
  await page.waitForSelector(".listing");
  seen.mark = { marked: await texts(".listing mark"), finding: await page.locator(".listing div", { hasText: "perhaps" }).locator("p").innerText() };
  await text.fill(`{"site_id": "${site}", "event_type": "from_console"}`);
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("button", { name: "Send it", exact: true }).click();
  const [request] = await Promise.all([page.waitForRequest((one) => one.method() === "POST"), page.getByRole("button", { name: "Yes, send it" }).click()]);
  seen.path = new URL(request.url()).pathname;
  await page.locator(".stations", { hasText: "Stored in ClickHouse" }).waitFor();
  seen.sent = filters().get("id");
}

async function health() {
  await show(page, url, `#/health?site=${site}`);
  await page.waitForSelector(".tiles");
  seen.unknown = await rowsOf("Unknown fields by name");
  seen.alarms = await page.locator("section", { hasText: "1 alarm" }).innerText();
  seen.registrations = await page.getByText("Registrations of scans").innerText();
}

/** A rejected event, replayed: without the scope, of a rule that still stands, and of a plan that was taken back. */
async function replay() {
  const button = page.getByRole("button", { name: "Replay it" });
  const said = page.locator(".replay p[aria-live]");
  const opened = async (reason) => {
    await show(page, url, `#/health?site=${site}&reason=${reason}`);
    await page.locator(".arrival").first().click();
    await button.click();
  };
  await opened("PLAN_VIOLATION");
  seen.replay = { refused: await page.locator(".replay").getByRole("alert").innerText() };
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(adminKey, true);
  await page.waitForSelector(".tiles");
  await opened("INVALID_ENUM");
  await said.filter({ hasText: "rules of today" }).waitFor();
  seen.replay.still = await said.innerText();
  await opened("PLAN_VIOLATION");
  await said.filter({ hasText: "accept it" }).waitFor();
  seen.replay.tried = await said.innerText();
  await page.getByRole("button", { name: "Yes, store it" }).click();
  await said.filter({ hasText: "stored now" }).waitFor();
  seen.replay.done = await said.innerText();
  seen.axe.push(...(await findings("replay")));
  forgive("403");
}

/** Another site, of which the key is not. */
async function otherSite() {
  await show(page, url, `#/live?site=${site}`);
  await page.getByLabel("Site", { exact: true }).fill("elsewhere");
  await page.getByLabel("Site", { exact: true }).press("Enter");
  seen.otherSite = { said: await page.getByRole("alert").innerText(), site: filters().get("site") };
  await show(page, url, `#/live?site=${site}`);
  await signIn(key, true);
  await page.waitForSelector(".arrivals");
  forgive("401", "403");
}

/** Every page at both widths and in both themes. */
async function looks() {
  seen.wide = [];
  for (const name of PAGES) {
    await show(page, url, `#/${name}?site=${site}`);
    if (name === "live") {
      await page.locator(".arrival").first().click();
      await page.waitForSelector(".detail .stations");
    }
    if (name === "health") await page.locator(".arrival").first().click();
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      seen.axe.push(...(await findings(`${name}, ${colorScheme}`)));
    }
    await page.setViewportSize(WIDTHS.phone);
    const extra = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (extra > 0) seen.wide.push(`${name}: ${extra} px`);
    await page.setViewportSize(WIDTHS.wide);
  }
}

/** A flood: pages of rows that never end, until it jumps ahead. */
async function flood() {
  let number = 0;
  await page.route(`**/v1/sites/${site}/tail*`, (route) => {
    const limit = Number(new URL(route.request().url()).searchParams.get("limit"));
    const rows = Array.from({ length: limit }, () => ({ event_id: `e${number++}`, received_time: new Date(1.7e12 + number).toISOString(), site_id: site, event_type: "flood", source: "browser", fraud_reasons: [], metadata: "{}" }));
    return route.fulfill({ json: { rows, cursor: `c${number}` } });
  });
  await show(page, url, `#/live?site=${site}`);
  await page.getByText("went on with the newest").waitFor();
  seen.flood = { kept: await page.getByText("The newest").innerText(), shown: await page.locator(".arrival").count() };
  await page.getByLabel("Text").fill("nothing like it"); // still answers
  await page.getByText("Nothing matches").waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" });
}

/** A node that answers that it cannot: its own words, and nothing of before. */
async function notReady() {
  await show(page, url, `#/system?site=${site}`);
  await page.getByText("Everything works").waitFor();
  await page.route("**/healthz", (route) => route.fulfill({ status: 503, json: { code: 14, message: "not ready: the disk of the spool is full", details: [] } }));
  await page.locator(".verdict", { hasText: "Not ready" }).waitFor();
  seen.notReady = await page.locator("main").innerText();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  // Events that wait for a store that is away.
  const status = await (await page.request.get(`${url}/healthz`)).json();
  await page.route("**/healthz", (route) => route.fulfill({ json: { ...status, spool_rows: "27", loading: { ...status.loading, store_available: false } } }));
  await show(page, url, `#/live?site=${site}`);
  seen.waiting = await page.locator(".note", { hasText: "on disk" }).innerText();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  forgive("503");
}

async function outage() {
  await show(page, url, `#/live?site=${site}`);
  const before = await page.locator(".arrival").count();
  console.log("kill");
  await page.getByText("The node has not answered since").waitFor();
  seen.rowsWhileAway = (await page.locator(".arrival").count()) - before;
  console.log("away");
  await lines.next();
  await page.getByText("The node has not answered since").waitFor({ state: "detached" });
  await page.evaluate((name) => fetch("/collect", { method: "POST", body: JSON.stringify({ site_id: name, event_type: "after_it" }) }), site);
  await page.locator(".arrival", { hasText: "after_it" }).waitFor();
  forgive("net::ERR_", "502", "503", "504");
}

page.setDefaultTimeout(Number(process.env.STEP_MS ?? 30_000));
try {
  for (const step of [keys, codes, health, live, paste, replay, otherSite, looks, flood, notReady, outage]) await step();
} catch (error) {
  seen.failed = `${error}\n${await page.locator("body").innerText()}`;
}
await browser.close();
console.log(JSON.stringify({ ...seen, wrong }));
process.exit(0);

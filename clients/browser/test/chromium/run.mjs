// Runs the scenarios: `node test/chromium/run.mjs COLLECTOR [NAME...]`. Prints one line of JSON: what each returned.
// CHROMIUM says where the browser is. Without names: all of scenarios.mjs; those of origins.mjs need sites that know them.

import { chromium } from "playwright-core";

import { origins } from "./origins.mjs";
import { startPages } from "./pages.mjs";
import { scenarios } from "./scenarios.mjs";

const [collector, ...names] = process.argv.slice(2);
// Those that name no feature keep the browser from calling home.
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const known = { ...scenarios, ...origins };
const pages = await startPages(collector);
const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
// Headless says so in its User-Agent, and the collector would mark every event as a bot's. Told by a flag, not by the
// context: that does not reach the calls that outlive their page.
const browser = await chromium.launch({ executablePath, args: [...FLAGS, `--user-agent=${await agent()}`] });

async function run(name) {
  const context = await browser.newContext({ locale: "de-AT", timezoneId: "Europe/Vienna" });
  await context.newPage(); // with its last page the browser would end
  const page = await context.newPage();
  const calls = [];
  const errors = [];
  context.on("request", (request) => request.url().startsWith(collector) && calls.push(request));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  try {
    const { origin: shop, other, busyTimes } = pages;
    return await known[name]({ page, context, calls, errors, shop, other, busyTimes, collector });
  } catch (error) {
    return { failed: String(error) };
  } finally {
    // A page that was closed a moment ago may still have a call under way.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await context.close();
  }
}

async function agent() {
  const plain = await chromium.launch({ executablePath, args: FLAGS });
  const page = await plain.newPage();
  const text = await page.evaluate(() => navigator.userAgent);
  await plain.close();
  return text.replace("Headless", "");
}

try {
  const found = {};
  for (const name of names.length ? names : Object.keys(scenarios)) found[name] = await run(name);
  console.log(JSON.stringify({ ...found, origin: pages.origin, other: pages.other }));
} finally {
  await browser.close();
  pages.stop();
}

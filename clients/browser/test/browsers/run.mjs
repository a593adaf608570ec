// Runs the scenarios: `node test/browsers/run.mjs COLLECTOR [NAME...]`. Prints one line of JSON: what each returned.
// launch.mjs says in which browser. Without names: all of scenarios.mjs; those of origins.mjs need sites that know them.

import { CONTEXT, isFirefox, launch } from "./launch.mjs";
import { origins } from "./origins.mjs";
import { startPages } from "./pages.mjs";
import { scenarios } from "./scenarios.mjs";

const [collector, ...names] = process.argv.slice(2);
const known = { ...scenarios, ...origins };
// Most of a scenario's time is waiting. These have one site between them, all others one of their own.
const AT_ONCE = isFirefox ? 1 : 4;
const IN_TURN = ["example", "scans"];
const pages = await startPages(collector);
const browser = await launch();

async function run(name) {
  const context = await browser.newContext(CONTEXT);
  await context.newPage(); // with its last page the browser would end
  const page = await context.newPage();
  const calls = [];
  const errors = [];
  context.on("request", (request) => request.url().startsWith(collector) && calls.push(request));
  // Firefox asks for an icon, which strict pages refuse.
  const fault = (text) => text.includes("/favicon.ico") || errors.push(text);
  page.on("pageerror", (error) => fault(String(error)));
  page.on("console", (message) => message.type() === "error" && fault(message.text()));
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

try {
  const found = {};
  const asked = names.length ? names : Object.keys(scenarios);
  const waiting = asked.filter((name) => !IN_TURN.includes(name));
  const work = async () => {
    for (let name; (name = waiting.shift()); ) found[name] = await run(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const name of asked.filter((name) => IN_TURN.includes(name))) found[name] = await run(name);
  console.log(JSON.stringify({ ...found, origin: pages.origin, other: pages.other }));
} finally {
  await browser.close();
  pages.stop();
}

// A Chromium with one page of the console, and all that went wrong in it.

import { chromium } from "playwright-core";

// Those that name no feature keep the browser from calling home.
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export const PAGES = ["live", "event", "codes", "health", "system"];
export const WIDTHS = { wide: { width: 1200, height: 900 }, phone: { width: 390, height: 844 } };
export const THEMES = ["light", "dark"];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });

/** A page of its own; `wrong` is told errors of the console, of scripts, and what the policy forbade. */
export async function open(browser, wrong, options = {}) {
  const context = await browser.newContext({ viewport: WIDTHS.wide, locale: "en-GB", timezoneId: process.env.TIME_ZONE ?? "Europe/Vienna", ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`script: ${error}`));
  page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return page;
}

/** Go to a page of the console by its address, and wait until it has its answer. */
export async function show(page, url, hash) {
  await page.goto("about:blank"); // a change of the fragment alone would keep the state of before
  await page.goto(`${url}/console/${hash}`);
  await page.waitForSelector("h1");
  await page.waitForFunction(() => !document.querySelector(".waiting"));
}

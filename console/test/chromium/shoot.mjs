// Pictures of the console: `node test/chromium/shoot.mjs URL SITE FOLDER [all]`. Those of docs/, or with `all` every page
// at both widths and in both themes, to be looked at. KEY is the site's, where the node asks for one.

import { PAGES, THEMES, WIDTHS, launch, open, show } from "./browser.mjs";

const DOCS = [
  ["console-live", "live", "wide", "light"],
  ["console-codes", "codes", "wide", "light"],
  ["console-codes-dark", "codes", "wide", "dark"],
  ["console-check", "event", "wide", "light"],
  ["console-phone", "codes", "phone", "light"],
  ["console-phone-dark", "live", "phone", "dark"],
];
const WRONG = `{
  "site_id": "demo",
  "event_name": "purchase",
  "scan_session_id": "demo-poster-7-0-1",
  "conversion_value": {"amount": "49,90", "currency": "EURO"},
  "properties": {"order": "1001", "contact": "a@shop.example"}
}`;

const [url, site, folder, isAll] = process.argv.slice(2);
const wanted = isAll
  ? PAGES.flatMap((name) => Object.keys(WIDTHS).flatMap((width) => THEMES.map((theme) => [`${name}-${width}-${theme}`, name, width, theme])))
  : DOCS;
const browser = await launch();
const wrong = [];
for (const [file, name, width, theme] of wanted) {
  const page = await open(browser, wrong, { viewport: { ...WIDTHS[width], ...(width === "wide" ? { height: 760 } : {}) }, colorScheme: theme });
  await page.addInitScript((session) => location.protocol !== "about:" && sessionStorage.setItem("qrumb.console", session), JSON.stringify({ site, key: process.env.KEY ?? "" }));
  await show(page, url, `#/${name}?site=${site}`);
  if (name === "live" && width === "phone") {
    await page.locator(".arrival").nth(3).click();
    await page.waitForSelector(".stations");
  }
  if (name === "event") {
    await page.getByRole("radio", { name: "server" }).check();
    await page.getByLabel("Its JSON").fill(WRONG);
    await page.getByRole("button", { name: "Check it" }).click();
    await page.waitForSelector(".listing");
  }
  await page.screenshot({ path: `${folder}/${file}.png`, fullPage: Boolean(isAll) || name === "event" });
  await page.context().close();
}
await browser.close();
if (wrong.length) {
  console.error(wrong.join("\n"));
  process.exit(1);
}

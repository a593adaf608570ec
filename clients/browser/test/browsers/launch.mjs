// The browsers: BROWSER is chromium (the default) or firefox, and CHROMIUM or FIREFOX says where it is.

import { chromium, firefox } from "playwright-core";

// Those that name no feature keep the browser from calling home.
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export const isFirefox = process.env.BROWSER === "firefox";

/** Starts it. Pages have a language and a time zone. */
export async function launch() {
  // A distribution's Firefox, by WebDriver BiDi. playwright-core after 1.62 asks it for what that of Debian 12 does not have.
  if (isFirefox) return firefox.launch({ channel: "moz-firefox", executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr" });
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  // Headless says so in its User-Agent, and the collector would mark every event as a bot's. Told by a flag, not by the
  // context: that does not reach the calls that outlive their page.
  const plain = await chromium.launch({ executablePath, args: FLAGS });
  const agent = await (await plain.newPage()).evaluate(() => navigator.userAgent);
  await plain.close();
  return chromium.launch({ executablePath, args: [...FLAGS, `--user-agent=${agent.replace("Headless", "")}`] });
}

export const CONTEXT = { locale: "de-AT", timezoneId: "Europe/Vienna" };

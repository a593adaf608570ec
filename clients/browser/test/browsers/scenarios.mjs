// What visitors do, in a real browser. Each scenario is a site of its own; what it returns is what the page knew. What
// the collector stored is looked at by the caller.

import { setTimeout as sleep } from "node:timers/promises";

import { isFirefox } from "./launch.mjs";

// The tag waits 150 ms for other events here; a call and its answer take a few more, longer where others run beside it.
const SETTLED = 1200;

const address = (page) => page.evaluate(() => location.href);
const tag = (page, ...words) => page.evaluate((all) => window.qrumb(...all), words);
const stored = (page) =>
  page.evaluate(() => ({ session: { ...sessionStorage }, local: { ...localStorage } }));
const with_ = (options) => `options=${encodeURIComponent(JSON.stringify(options))}`;

// Back or forward, to an address with that end. The page is asked: WebDriver BiDi does not tell that a page that was kept is shown.
// A page that leaves before it has answered has done what it was told.
async function travel(page, steps, ending) {
  await page.evaluate((all) => history.go(all), steps).catch(() => {});
  for (let tries = 0; !(await address(page).catch(() => "")).endsWith(ending); tries++) {
    if (tries === 200) throw new Error(`not at ${ending}`);
    await sleep(100);
  }
}

// What the tag says on the console from now on.
function heard(page) {
  const lines = { warning: [], log: [] };
  page.on("console", (message) => lines[message.type()]?.push(message.text()));
  return lines;
}

export const scenarios = {
  async spoken({ page, shop }) {
    const lines = heard(page);
    await page.goto(`${shop}/spoken/?${with_({ consent: "yes", debug: true })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.evaluate(() => (document.title = "\u{1f45f}".repeat(1030)));
    await sleep(200);
    await tag(page, "event", "held");
    await tag(page, "consent", "granted");
    await page.evaluate(() => window.qrumb("event", "halves", { "\ud800": "a\udfffb \u{1f600} \\ud800" }));
    for (const _ of [1, 2]) await tag(page, "event", "addressed", { mail: "jane@gmail.com" });
    await sleep(SETTLED);
    await tag(page, "event", "still_at_work");
    await sleep(SETTLED);
    return lines;
  },

  async astray({ page, shop, collector }) {
    const unknown = heard(page);
    await page.goto(`${shop}/nosuch/?${with_({ site: "nosuch" })}`);
    await sleep(SETTLED);
    const said = [...unknown.warning];
    await page.goto(`${shop}/astray/?${with_({ endpoint: `${collector}/collect` })}`);
    await sleep(SETTLED);
    const path = unknown.warning.slice(said.length);
    await page.goto(`${shop}/unnamed/`);
    await sleep(1000 + SETTLED);
    return { unknown: said, path, unnamed: unknown.warning.slice(said.length + path.length) };
  },

  async traced({ page, shop, calls }) {
    await page.addInitScript(() => {
      const original = window.fetch;
      const trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
      const headers = {
        "sentry-trace": `${trace}-1`,
        baggage: "sentry-release=1,sentry-public_key=abc",
        traceparent: `00-${trace}-01`,
      };
      window.fetch = (url, options) => original(url, { ...options, headers: { ...options?.headers, ...headers } });
    });
    await page.goto(`${shop}/traced/`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.evaluate(() => {
      document.title = "Sneakers \u{1f45f}\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
      history.pushState({}, "", "/traced/more");
    });
    await tag(page, "event", "traced");
    await sleep(SETTLED);
    const posts = calls.filter((request) => request.method() === "POST");
    return Promise.all(posts.map(async (request) => Object.keys(await request.allHeaders())));
  },

  async journey({ page, shop }) {
    await page.goto(`${shop}/journey/?qrs=scan-j&utm=1#top`, { referer: "https://search.example/?q=shoes" });
    await page.waitForFunction(() => window.qrumb.loaded);
    const landing = await address(page);
    await page.click("#inner");
    await page.click("#plain");
    await page.evaluate(() => document.querySelector("#mail").addEventListener("click", (e) => e.preventDefault()));
    await page.click("#mail");
    const own = await tag(page, "event", "size_chosen", { size: 42, colours: ["red", null], nested: { yes: true } });
    await page.evaluate(() => {
      history.pushState({}, "", "/journey/product?id=7");
      document.title = "Product 7";
      history.replaceState({}, "", "/journey/product?id=7#reviews");
    });
    await sleep(200);
    await page.goBack();
    await sleep(200);
    await page.click("#submit");
    await page.waitForURL("**/thanks?**");
    await sleep(SETTLED);
    return { landing, own };
  },

  async outbound({ page, shop, other }) {
    await page.goto(`${shop}/outbound/?qrs=scan-o`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.click("#outside");
    await page.waitForURL(`${other}/**`);
    return {};
  },

  async second_page({ page, shop }) {
    await page.goto(`${shop}/second_page/?qrs=scan-2`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.click("#inside");
    await page.waitForURL("**/second_page/more");
    await sleep(SETTLED);
    return stored(page);
  },

  async granted({ page, shop, calls }) {
    await page.goto(`${shop}/granted/?qrs=scan-g&${with_({ consent: "pending" })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await tag(page, "event", "looked", { at: "shoes" });
    await sleep(1200);
    const before = { calls: calls.length, ...(await stored(page)) };
    await tag(page, "consent", "granted");
    await sleep(SETTLED);
    return { before, after: await stored(page), releasedAt: Date.now() - SETTLED };
  },

  async denied({ page, shop }) {
    await page.goto(`${shop}/denied/?utm=1&qrs=scan-d&${with_({ consent: "pending" })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await tag(page, "event", "looked", { at: "shoes" });
    await tag(page, "consent", "denied");
    await tag(page, "event", "looked", { at: "socks" });
    await sleep(SETTLED);
    return stored(page);
  },

  async withdrawn({ page, shop }) {
    await page.goto(`${shop}/withdrawn/?qrs=scan-w&${with_({ consent: "granted", persist: true })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    const before = await stored(page);
    await tag(page, "consent", "denied");
    await sleep(SETTLED);
    return { before, after: await stored(page) };
  },

  async offline({ page, shop, context, calls }) {
    await page.goto(`${shop}/offline/?qrs=scan-f`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await sleep(SETTLED);
    await context.setOffline(true);
    const before = calls.length;
    for (const number of [1, 2, 3]) await tag(page, "event", `offline-${number}`);
    await sleep(SETTLED);
    const meanwhile = calls.length - before;
    await context.setOffline(false);
    await sleep(SETTLED);
    return { meanwhile };
  },

  async closed({ page, shop }) {
    await page.goto(`${shop}/closed/?qrs=scan-c&${with_({ delay: 60000 })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    const id = await tag(page, "event", "last_words", { said: "x".repeat(8000) });
    await page.close();
    return { id };
  },

  async closed_in_flight({ page, shop }) {
    await page.goto(`${shop}/closed_in_flight/?${with_({ delay: 60000 })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.evaluate(() => {
      window.qrumb("event", "under_way");
      window.qrumb("flush");
      window.qrumb("event", "behind_it");
    });
    await page.close();
    return {};
  },

  async beacon({ page, shop }) {
    await page.addInitScript(() => {
      delete Request.prototype.keepalive;
      delete window.AbortController;
      const original = navigator.sendBeacon;
      navigator.sendBeacon = function (...words) {
        sessionStorage.setItem("beacon", "used");
        return original.apply(this, words);
      };
    });
    await page.goto(`${shop}/beacon/?${with_({ delay: 60000 })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.goto(`${shop}/beacon/next`);
    await sleep(SETTLED);
    return stored(page);
  },

  async kept({ page, shop, context }) {
    await page.goto(`${shop}/kept/?${with_({ consent: "granted", persist: true })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await sleep(SETTLED);
    await context.setOffline(true);
    const id = await tag(page, "event", "in_the_tunnel");
    await page.goto("about:blank");
    await context.setOffline(false);
    await page.goto(`${shop}/kept/next?${with_({ consent: "granted", persist: true })}`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await sleep(SETTLED);
    return { id, after: await stored(page) };
  },

  async sandboxed({ page, shop, errors }) {
    await page.goto(`${shop}/sandboxed/sandboxed/?qrs=scan-s`);
    await page.waitForFunction(() => window.qrumb.loaded);
    const blocked = await page.evaluate(() => {
      try {
        return String(sessionStorage.length);
      } catch (error) {
        return error.name;
      }
    });
    await page.click("#add");
    await sleep(SETTLED);
    return { blocked, errors };
  },

  async strict({ page, shop, errors }) {
    await page.goto(`${shop}/strict/strict/?s=scan-p&qrs=other`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.click("#add");
    await sleep(1000);
    return { address: await address(page), errors };
  },

  async early({ page, shop }) {
    await page.goto(`${shop}/early/?late=800&qrs=scan-e`, { waitUntil: "commit" });
    await page.waitForFunction(() => window.qrumb);
    const time = await page.evaluate(() => {
      window.qrumb("event", "before_the_tag", { n: 1 });
      return Date.now();
    });
    await page.waitForFunction(() => window.qrumb.loaded);
    await sleep(SETTLED);
    return { time, loadedLater: await page.evaluate((then) => Date.now() - then, time) };
  },

  async overloaded({ page, shop, busyTimes }) {
    await page.goto(`${shop}/overloaded/?${with_({ endpoint: "", path: "/busy" })}`);
    for (let tries = 0; busyTimes.length < 2 && tries < 150; tries++) await sleep(100);
    await sleep(SETTLED);
    return { gap: busyTimes[1] - busyTimes[0], calls: busyTimes.length };
  },

  async rejected({ page, shop, calls }) {
    await page.goto(`${shop}/rejected/`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await tag(page, "event", "wrong", { note: "ada@example.com" });
    await tag(page, "event", "right", ["no object"]);
    await sleep(2500);
    if (isFirefox) return {};
    const sent = calls.flatMap((request) => JSON.parse(request.postData()).events.map((event) => event.event_id));
    return { sent: sent.length, different: new Set(sent).size };
  },

  async readme({ page, shop, errors }) {
    await page.goto(`${shop}/readme/`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await sleep(1000);
    return { errors };
  },

  // examples/shop.py, where SHOP says that it runs: site demo.
  async example({ page, errors }) {
    await page.goto(`${process.env.SHOP}/scan/poster-7`);
    await page.waitForFunction(() => window.qrumb.loaded);
    await page.click("[data-consent=granted]");
    await page.click("[data-item=vase]");
    await page.fill("#checkout input", "ada@example.com");
    await page.click("#checkout button");
    await page.waitForFunction(() => document.querySelector("#thanks").textContent);
    await sleep(1000);
    return { errors, address: await address(page) };
  },

  // The same shop: what becomes a scan, and what does not. Each question has a code of its own.
  async scans({ page, context }) {
    const shop = process.env.SHOP;
    const answers = [];
    context.on("response", (answer) => /\/(scan|01)\//.test(answer.url()) && answers.push(answer.status()));
    const tap = async (path) => {
      await page.goto(`${shop}/codes`);
      await page.click(`a[href="${path}"]`);
      await page.waitForFunction(() => window.qrumb?.loaded);
      return answers.splice(0);
    };

    await page.goto(`${shop}/codes`);
    const guessed = isFirefox ? "nothing" : await prefetched(page, "/scan/flyer-2");
    const before = answers.splice(0);
    await page.click('a[href="/scan/flyer-2"]');
    await page.waitForFunction(() => window.qrumb?.loaded);
    const speculated = { guessed, before, tap: answers.splice(0) };

    const twice = [await tap("/scan/poster-8"), await tap("/scan/poster-8")];
    await page.reload();
    await travel(page, -1, "/codes");
    await travel(page, 1, "/?utm_source=poster-8");
    await page.waitForFunction(() => window.qrumb?.loaded);
    const after = answers.splice(0);
    return { speculated, twice, after, box: await tap("/01/09506000134352/10/L-26/21/4711") };
  },
};

// What Chromium says of an address that a page's speculation rules ask it to fetch early.
async function prefetched(page, path) {
  const session = await page.context().newCDPSession(page);
  const ended = new Promise((resolve) => {
    session.on("Preload.prefetchStatusUpdated", ({ status, prefetchStatus }) => {
      if (status === "Failure" || status === "Ready" || status === "Success") resolve(`${status} ${prefetchStatus}`);
    });
  });
  await session.send("Preload.enable");
  await page.evaluate((address) => {
    const rules = document.createElement("script");
    rules.type = "speculationrules";
    rules.textContent = JSON.stringify({ prefetch: [{ source: "list", urls: [address], eagerness: "immediate" }] });
    document.head.append(rules);
  }, path);
  return Promise.race([ended, sleep(20_000).then(() => "nothing")]);
}

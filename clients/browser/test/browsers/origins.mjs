// What the browser itself does with calls of a page to a collector of another origin. Every page is visited by both of its
// names: http://localhost, which the site `own` has among its origins, and http://127.0.0.1, which it has not. Each
// visit's events have its scenario's name as their type.

import { setTimeout as sleep } from "node:timers/promises";

const SETTLED = 600;

const bothWays = async (shop, visit) => ({
  allowed: await visit(shop.replace("127.0.0.1", "localhost")),
  refused: await visit(shop),
});

// In a page: one call, and as much of its answer as the page may read.
const ask = (page, path, options) =>
  page.evaluate(
    async ([url, how]) => {
      if (how.json) how.body = JSON.stringify({ ...how.json, page_url: location.href });
      if (how.bytes) how.body = new Uint8Array(how.bytes);
      try {
        const answer = await fetch(url, { method: "POST", ...how });
        return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
      } catch (error) {
        return { unreadable: error.name };
      }
    },
    [path, options],
  );

const event = (event_type) => ({ site_id: "own", event_type });
const asJson = { "content-type": "application/json" };

export const origins = {
  fetch_json: ({ page, shop, collector }) =>
    bothWays(shop, async (origin) => {
      await page.goto(`${origin}/plain/`);
      return ask(page, `${collector}/collect`, { headers: asJson, json: event("fetch_json") });
    }),

  fetch_keepalive: ({ page, shop, collector }) =>
    bothWays(shop, async (origin) => {
      await page.goto(`${origin}/plain/`);
      return ask(page, `${collector}/collect`, { keepalive: true, json: event("fetch_keepalive") });
    }),

  grpc_web: ({ page, shop, collector }) =>
    bothWays(shop, async (origin) => {
      await page.goto(`${origin}/plain/`);
      const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
      const bytes = framed(field(1, [...field(1, text("own")), ...field(6, text("grpc_web")), ...field(7, text(origin))]));
      return ask(page, `${collector}/qrumb.v1.CollectorService/CollectBrowserEvent`, { headers, bytes });
    }),

  any_beacon: ({ page, shop, collector }) =>
    bothWays(shop, async (origin) => {
      await page.goto(`${origin}/plain/`);
      const answered = page.waitForResponse(`${collector}/collect`);
      const taken = await page.evaluate(
        ([url, said]) => navigator.sendBeacon(url, JSON.stringify({ ...said, page_url: location.href })),
        [`${collector}/collect`, event("any_beacon")],
      );
      return { taken, status: (await answered).status() };
    }),

  // An image states no origin unless the page asks for it.
  pixel: ({ page, shop, collector }) => bothWays(shop, (origin) => image(page, origin, collector, "pixel", null)),
  pixel_cors: ({ page, shop, collector }) =>
    bothWays(shop, (origin) => image(page, origin, collector, "pixel_cors", "anonymous")),

  tag: ({ page, shop, calls }) =>
    bothWays(shop, async (origin) => {
      const before = calls.length;
      await page.goto(`${origin}/own/?qrs=scan-1`);
      await page.waitForFunction(() => window.qrumb.loaded);
      await sleep(3000); // long enough to see whether a refused call is repeated
      return { calls: calls.length - before };
    }),

  // Said when the page goes, by a tab that is closed.
  last_beacon: ({ context, shop, collector }) =>
    bothWays(shop, (origin) =>
      closed(context, origin, ([url, said]) =>
        addEventListener("pagehide", () => navigator.sendBeacon(url, JSON.stringify({ ...said, page_url: location.href }))),
        [`${collector}/collect`, event("last_beacon")],
      ),
    ),
  last_keepalive: ({ context, shop, collector }) =>
    bothWays(shop, (origin) =>
      closed(context, origin, ([url, said]) =>
        addEventListener("pagehide", () => {
          fetch(url, { method: "POST", keepalive: true, body: JSON.stringify({ ...said, page_url: location.href }) });
        }),
        [`${collector}/collect`, event("last_keepalive")],
      ),
    ),

  // Run on their own: the preflights that they make are counted at the gateway.
  two_json: ({ page, shop, collector }) => twice(page, shop, collector, { headers: asJson, json: event("two_json") }),
  two_texts: ({ page, shop, collector }) => twice(page, shop, collector, { json: event("two_texts") }),
};

async function twice(page, shop, collector, how) {
  await page.goto(`${shop.replace("127.0.0.1", "localhost")}/plain/`);
  return [await ask(page, `${collector}/collect`, how), await ask(page, `${collector}/collect`, how)];
}

async function image(page, origin, collector, name, crossOrigin) {
  await page.goto(`${origin}/plain/`);
  return page.evaluate(
    ([url, cors]) =>
      new Promise((resolve) => {
        const picture = new Image();
        picture.crossOrigin = cors;
        picture.onload = () => resolve("loaded");
        picture.onerror = () => resolve("error");
        picture.src = `${url}&page_url=${encodeURIComponent(location.href)}`;
      }),
    [`${collector}/collect.gif?site_id=own&event_type=${name}`, crossOrigin],
  );
}

async function closed(context, origin, prepare, words) {
  const page = await context.newPage();
  await page.goto(`${origin}/plain/`);
  await page.evaluate(prepare, words);
  await page.close();
  await sleep(SETTLED);
  return {};
}

// As much of protobuf and gRPC-Web as one small message takes.
const text = (value) => [...new TextEncoder().encode(value)];
const field = (number, bytes) => [(number << 3) | 2, bytes.length, ...bytes];
const framed = (message) => [0, 0, 0, 0, message.length, ...message];

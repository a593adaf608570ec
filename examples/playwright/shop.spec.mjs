// A page with the tag, in a browser, against `qrumb micro`. TAG is the built tag, clients/browser/dist/qrumb.js.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { expect, test } from "./qrumb.mjs";

const TAG = readFileSync(process.env.TAG ?? new URL("../../clients/browser/dist/qrumb.js", import.meta.url));

const page = (endpoint) => `<!doctype html><title>Vases</title>
<button data-qrumb-event="add" data-qrumb-item="vase">Add</button>
<script src="/qrumb.js" data-site="demo" data-endpoint="${endpoint}"></script>`;

/** Your own shop in place of this one. */
async function shop(endpoint) {
  const server = createServer((request, answer) => {
    const isTag = request.url === "/qrumb.js";
    answer.setHeader("content-type", isTag ? "text/javascript" : "text/html");
    answer.end(isTag ? TAG : page(endpoint));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test("a scan leads to a pageview and a click", async ({ page, qrumb }) => {
  const started = await shop(qrumb.url);
  try {
    await page.goto(`${started.url}/vases?qrs=scan-1`);
    await page.getByRole("button").click();
    await qrumb.expect({ event_type: "pageview", scan_session_id: "scan-1" });
    await qrumb.expect({ event_type: "click", "metadata.item": "vase" }, { count: 1 });
  } finally {
    started.close();
  }
});

test("each test begins with no events, and a failure says what came nearest", async ({ qrumb }) => {
  expect(await qrumb.events()).toEqual([]);
  await expect(qrumb.expect({ event_type: "pageview" }, { within: 0.05 })).rejects.toThrow("no event with event_type='pageview'");
});

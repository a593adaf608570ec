// The sites of the scenarios: two origins, and pages with the tag as a site would have it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const dist = (name) => readFileSync(new URL(`../../dist/${name}`, import.meta.url));
const SNIPPET = "window.qrumb=window.qrumb||function(){(qrumb.q=qrumb.q||[]).push([Date.now(),arguments])};";
const BODY = `
  <h1>Shop</h1>
  <button id="add" data-qrumb-event="add_to_cart" data-qrumb-item="42"><span id="inner">Add</span></button>
  <a id="inside" href="more">inside</a>
  <a id="mail" href="mailto:ada@example.com">mail</a>
  <button id="plain">nothing to see</button>
  <form id="contact" name="contact-form" action="thanks?from=form" method="get">
    <input name="id" value="not the id"><input name="email" value="ada@example.com"><button id="submit">Send</button>
  </form>`;

/** Starts both servers; `collector` is where the tag sends to. */
export async function startPages(collector) {
  const other = await listen((_request, response) => html(response, "<title>Elsewhere</title>elsewhere"));
  const busyTimes = [];
  const shop = await listen(async (request, response) => {
    const url = new URL(request.url, "http://shop");
    if (request.method === "POST" && url.pathname === "/busy") {
      busyTimes.push(Date.now());
      await busy(request, response, collector, busyTimes.length);
    } else if (/^\/qrumb.*js$/.test(url.pathname)) {
      await sleep(Number(url.searchParams.get("late") || 0));
      response.writeHead(200, { "content-type": "text/javascript" });
      response.end(dist(url.pathname.slice(1)));
    } else if (url.pathname === "/plain/") {
      html(response, "<!doctype html><title>Without the tag</title>");
    } else if (url.pathname === "/unnamed/") {
      html(response, "<!doctype html><title>Unnamed</title><script src='/qrumb.js' data-endpoint='x'></script>");
    } else if (url.pathname === "/readme/") {
      html(response, readme(collector));
    } else if (url.pathname.startsWith("/strict/")) {
      strict(response, url, collector);
    } else if (url.pathname.startsWith("/sandboxed/")) {
      html(response, page(url, collector, other.origin), { "content-security-policy": "sandbox allow-scripts" });
    } else {
      html(response, page(url, collector, other.origin));
    }
  });
  return { busyTimes, origin: shop.origin, other: other.origin, stop: () => [shop, other].forEach(({ server }) => server.close()) };
}

// /SITE/anything is a page of that site; ?options={...} goes to init, ?late=MS delays the script.
function page(url, collector, other) {
  const site = url.pathname.replace(/^\/sandboxed/, "").split("/")[1];
  const own = JSON.parse(url.searchParams.get("options") || "{}");
  const options = JSON.stringify({ site, endpoint: collector, delay: 150, ...own });
  return `<!doctype html><meta charset="utf-8"><title>Page ${url.pathname}</title>
    <script>${SNIPPET}qrumb("init",${options});</script>
    <script async src="/qrumb.js?late=${url.searchParams.get("late") || 0}"></script>
    ${BODY}<a id="outside" href="${other}/away?secret=1#part">outside</a>`;
}

// The collector behind the site's own address and under another path; too busy for the first call.
async function busy(request, response, collector, call) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (call === 1) {
    response.writeHead(429, { "retry-after": "2" });
    response.end();
    return;
  }
  const answer = await fetch(`${collector}/collect/batch`, { method: "POST", body: Buffer.concat(chunks) });
  response.writeHead(answer.status);
  response.end(await answer.text());
}

// The example of the README as it stands, but for where it sends to.
function readme(collector) {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [, example] = /```html\n(.*?)```/s.exec(text);
  return `<!doctype html><title>Readme</title>${example.replace("https://collect.example", collector).replace("demo", "readme")}`;
}

// No inline script at all, no eval, no string for a script's place.
function strict(response, url, collector) {
  const site = url.pathname.split("/")[2];
  html(
    response,
    `<!doctype html><meta charset="utf-8"><title>Strict</title>
    <script src="/qrumb-stub.js"></script>
    <script async src="/qrumb.js" data-site="${site}" data-endpoint="${collector}" data-scan-parameter="s"></script>
    ${BODY}`,
    {
      "content-security-policy":
        `default-src 'none'; script-src 'self'; connect-src ${collector}; ` +
        "require-trusted-types-for 'script'; trusted-types 'none'",
    },
  );
}

function html(response, text, headers = {}) {
  response.writeHead(200, { "content-type": "text/html", ...headers });
  response.end(text);
}

async function listen(answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** Command lines that do what the page did. A key is never written into one: it stands as $QRUMB_KEY. */

import { collectPath, key } from "./api";

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const withKey = (): string => (key.value ? ` \\\n  -H "authorization: Bearer $QRUMB_KEY"` : "");

export function firstEventLine(site: string): string {
  const event = { site_id: site, event_type: "pageview", page_url: "https://shop.example/", consent: "granted" };
  // As of the reader's own browser: curl itself is a bot, and the first event would be a suspect one.
  return post(collectPath.value, JSON.stringify(event), navigator.userAgent);
}

export const sendLine = (path: string, body: string): string =>
  post(path, body) + (path.startsWith("/server-events") ? withKey() : "");

export const receiptLine = (site: string, id: string): string =>
  `curl ${quoted(`${location.origin}/v1/sites/${encodeURIComponent(site)}/receipts/${encodeURIComponent(id)}`)}${withKey()}`;

const post = (path: string, body: string, agent = ""): string =>
  `curl ${location.origin}${path}${agent && ` \\\n  -A ${quoted(agent)}`} \\\n  -H 'content-type: application/json' \\\n  -d ${quoted(body)}`;

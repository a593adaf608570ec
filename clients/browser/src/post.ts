// One call of the collector. The body goes as text/plain, which asks for no preflight; no cookie goes with it.

import type { Reply } from "./outbox.js";

const TIMEOUT_MS = 15000;
const OUTLIVES_BYTES = 63000;

export function post(url: string, body: string, last: boolean): Promise<Reply> {
  const keepalive = "Request" in window && "keepalive" in Request.prototype;
  if (last && !keepalive && navigator.sendBeacon) {
    const status = navigator.sendBeacon(url, body) ? 200 : 0;
    return Promise.resolve({ status, delay: 0, text: () => Promise.resolve("") });
  }
  const abort = "AbortController" in window ? new AbortController() : undefined;
  const timer = setTimeout(() => abort && abort.abort(), TIMEOUT_MS);
  const end = () => clearTimeout(timer);
  return fetch(url, {
    method: "POST",
    body,
    credentials: "omit",
    // A larger body would be refused at once.
    keepalive: body.length < OUTLIVES_BYTES,
    signal: abort && abort.signal,
  }).then(
    (response) => {
      end();
      return {
        status: response.status,
        delay: statedDelay(response.headers.get("retry-after")),
        text: () => response.text(),
      };
    },
    (error) => {
      end();
      throw error;
    },
  );
}

/** The header retry-after, seconds or a date, in milliseconds. */
export function statedDelay(header: string | null): number {
  if (!header) return 0;
  const seconds = Number(header);
  return Math.max(0, seconds >= 0 ? seconds * 1000 : Date.parse(header) - Date.now()) || 0;
}

/** Questions to the node, over the gateway's JSON, and whether it answers at all. */

import { signal } from "@preact/signals";

/** The node does not answer, or answers that it cannot now: worth another try. */
export class Away extends Error {}

/** The node refused, and says why. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly help: string,
    readonly details: readonly Detail[],
  ) {
    super(message);
  }
}

export interface Detail {
  readonly "@type": string;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly field_violations?: readonly { field: string; description: string; reason?: string }[];
}

/** The node's path of browser events, which need not be /collect. */
export const collectPath = signal("/collect");

export type Params = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Since when calls fail for the node's sake, and what it says of that, if it answers; undefined while they do not. */
export const away = signal<{ readonly since: number; readonly why: string } | undefined>(undefined);
/** In memory; in the tab's storage where that was asked for (session.ts). */
export const key = signal("");

export function query(params: Params): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== "") search.append(name, String(one));
  }
  const text = search.toString();
  return text && `?${text}`;
}

/** GET as JSON. Throws Away or Refusal; an abort comes through as it is. */
export async function ask<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  await turn();
  try {
    return await call<T>(path + query(params), { signal });
  } finally {
    free++;
    waiting.shift()?.();
  }
}

/** Questions at once: fewer than a node answers, so that a console with many open takes no one else's turn. */
let free = 2;
const waiting: (() => void)[] = [];

async function turn(): Promise<void> {
  while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  free--;
}

/** POST of a text as it is. */
export function send<T>(path: string, body: string): Promise<T> {
  return call<T>(path, { method: "POST", body, headers: { "content-type": "application/json" } });
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  const headers = new Headers(init.headers);
  if (key.value) headers.set("authorization", `Bearer ${key.value}`);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...init, headers, credentials: "omit", cache: "no-store" });
    text = await response.text();
  } catch (error) {
    if (init.signal?.aborted) throw error;
    isAway("");
    throw new Away("The node does not answer.");
  }
  const said = parsed(text);
  if (response.ok && said !== undefined) {
    away.value = undefined;
    return said as T;
  }
  const refusal = (said ?? {}) as { message?: string; details?: readonly Detail[] };
  const message = refusal.message ?? `the answer is HTTP ${response.status}, and no JSON`;
  if (response.status >= 502 || response.status === 429) {
    if (response.status !== 429) isAway(refusal.message ?? "");
    throw new Away(message);
  }
  away.value = undefined;
  const info = refusal.details?.find((one) => one["@type"].endsWith("ErrorInfo"));
  throw new Refusal(response.status, info?.reason ?? "", message, info?.metadata?.help_url ?? "", refusal.details ?? []);
}

function isAway(why: string): void {
  if (away.value?.why !== why) away.value = { since: away.value?.since ?? Date.now(), why };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

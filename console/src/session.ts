/** Who reads: the site, and a key of it with the scope query. On a node with open access none is needed. */

import { signal } from "@preact/signals";

import { ask, collectPath, key, Refusal } from "./api";
import { place, refine, site } from "./address";

const STORED = "qrumb.console";
/** The site that a node makes on its first start. */
const FIRST_SITE = "demo";

/** Where the session stands. "away": the node was not reached yet. */
export const standing = signal<"asking" | "in" | "out" | "away">("asking");
export const refusal = signal<Refusal | undefined>(undefined);

/** Take up the tab's session, or read without a key where the node lets. */
export async function begin(): Promise<void> {
  await readNode();
  const kept = remembered();
  if (kept && (!site.value || site.value === kept.site)) {
    key.value = kept.key;
    if (!site.value) refine({ site: kept.site });
  } else if (!site.value) refine({ site: FIRST_SITE });
  await tryIt(site.value);
}

/** Sign in with a key; says whether it worked. */
export async function signIn(name: string, secret: string, isKept: boolean): Promise<boolean> {
  if (/[^!-~]/.test(secret)) {
    // No header can carry it, so the node cannot be asked.
    refusal.value = new Refusal(0, "KEY_INVALID", "a key is letters, digits and _ alone: this one was mistyped, or copied with something else", "", []);
    return false;
  }
  key.value = secret;
  await tryIt(name, true);
  if (standing.value !== "in") {
    key.value = "";
    return false;
  }
  if (isKept && secret) sessionStorage.setItem(STORED, JSON.stringify({ site: name, key: secret }));
  if (name !== place.value.filters.site) refine({ site: name });
  return true;
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  key.value = "";
  refusal.value = undefined;
  standing.value = "out";
}

const KEY_REASONS = ["KEY_MISSING", "KEY_INVALID", "KEY_EXPIRED", "KEY_SCOPE", "KEY_OF_ANOTHER_SITE"];

/** Whether a question was refused for the key's sake: it was revoked, or has expired. */
export function isOfTheKey(error: unknown): error is Refusal {
  return error instanceof Refusal && KEY_REASONS.includes(error.reason);
}

/** Back to signing in, with the reason. */
export function turnedAway(error: Refusal): void {
  signOut();
  refusal.value = error;
}

/** What the page must know of its node; without, what a node says unless it is told otherwise. */
async function readNode(): Promise<void> {
  try {
    collectPath.value = (await ask<{ collect_path: string }>("node.json")).collect_path;
  } catch {
    // Said where it matters: the next question fails too.
  }
}

/** @param isAsked - the reader asked for it, and is told of every refusal */
async function tryIt(name: string, isAsked = false): Promise<void> {
  try {
    await ask(`/v1/sites/${encodeURIComponent(name)}/tail`, { limit: 1 });
    standing.value = "in";
    refusal.value = undefined;
  } catch (error) {
    if (error instanceof Refusal) {
      standing.value = "out";
      refusal.value = isAsked || error.reason !== "KEY_MISSING" ? error : undefined;
    } else standing.value = "away";
  }
}

function remembered(): { site: string; key: string } | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "null") ?? undefined;
  } catch {
    return undefined; // storage is blocked
  }
}

// Signed scan sessions: the redirect signs the id that it gives to a browser, so that no browser can make one up.

import { createHmac, timingSafeEqual } from "node:crypto";

import { ArgumentError } from "./errors.js";

const SIGNATURE_BYTES = 16;
const LONGEST_ID = 128;

/**
 * The scanSessionId for a session of this name, which is unique within the site and not to be guessed. `secret` is the
 * site's session secret (`qrumb sites session-secret`). Throws ArgumentError.
 */
export function signScanSessionId(secret: string, siteId: string, name: string): string {
  const signed = `${name}.${signature(secret, siteId, name)}`;
  if (!name || signed.length > LONGEST_ID) throw new ArgumentError("name", "has not 1 to 105 characters");
  return signed;
}

/** Whether the id was signed with this secret for this site. */
export function isSigned(secret: string, siteId: string, scanSessionId: string): boolean {
  const dot = scanSessionId.lastIndexOf(".");
  if (dot < 0) return false;
  const expected = Buffer.from(signature(secret, siteId, scanSessionId.slice(0, dot)));
  const found = Buffer.from(scanSessionId.slice(dot + 1));
  return expected.length === found.length && timingSafeEqual(expected, found);
}

function signature(secret: string, siteId: string, name: string): string {
  const digest = createHmac("sha256", secret).update(`${siteId}\n${name}`, "utf8").digest();
  return digest.subarray(0, SIGNATURE_BYTES).toString("base64url");
}

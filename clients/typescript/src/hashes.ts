// Normalise, then hash: two spellings of one address or number must become one hash, in every client alike.

import { createHash } from "node:crypto";

import { ArgumentError } from "./errors.js";

// Unicode's white space, with the separators and NEL that JavaScript's own \s leaves out.
const SPACE = "\\s\\u0085\\u001c-\\u001f";
const OUTER_SPACE = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");
const EMAIL = new RegExp(`^[^@${SPACE}\\p{Cc}]+@[^@${SPACE}\\p{Cc}.]+(\\.[^@${SPACE}\\p{Cc}.]+)+$`, "u");
const PHONE_PUNCTUATION = new RegExp(`[${SPACE}.()/-]`, "gu");
const E164 = /^\+[1-9][0-9]{6,14}$/;

/** SHA-256 of the e-mail address, trimmed and lower-cased, as 64 hex digits. */
export function emailHash(email: string): string {
  // Letter by letter: a whole word would get the rules of its language, such as the final sigma of Greek.
  const normal = Array.from(email.replace(OUTER_SPACE, ""), (letter) => letter.toLowerCase()).join("");
  if (!EMAIL.test(normal)) throw new ArgumentError("email", "is not an e-mail address");
  return sha256(normal);
}

/** SHA-256 of the phone number in E.164 form, such as +436601234567, as 64 hex digits. */
export function phoneHash(phone: string): string {
  const normal = phone.replace(PHONE_PUNCTUATION, "").replace(/^00/, "+");
  if (!E164.test(normal)) throw new ArgumentError("phone", "is not a number in international form, with + and the country code");
  return sha256(normal);
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

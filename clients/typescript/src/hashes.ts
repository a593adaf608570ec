// Normalise, then hash: two spellings of one address or number must become one hash, in every client alike.

import { createHash } from "node:crypto";

import { normalEmail, normalPhone } from "./normal-forms.js";

/** SHA-256 of the e-mail address in its normal form, as 64 hex digits. Throws ArgumentError, which does not quote it. */
export function emailHash(email: string): string {
  return sha256(normalEmail(email));
}

/** SHA-256 of the phone number in E.164 form, such as +436601234567, as 64 hex digits. Throws ArgumentError. */
export function phoneHash(phone: string): string {
  return sha256(normalPhone(phone));
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

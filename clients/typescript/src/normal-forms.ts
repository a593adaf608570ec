// The one form in which an e-mail address or a phone number is hashed, however it was typed, copied or exported: what
// was meant, or an error, since a guess would be the hash of another person. clients/cases/hashes.yaml has the cases.

import { createRequire } from "node:module";

import { ArgumentError } from "./errors.js";
import { lettersOf } from "./punycode.js";

type PhoneLibrary = typeof import("libphonenumber-js/max");

// Unicode's white space, with the separators and NEL that JavaScript's own \s leaves out.
const SPACE = "\\s\\u0085\\u001c-\\u001f";
const OUTER_SPACE = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");
// Format characters, and what has no ink either: a joiner, Hangul fillers, variation selectors.
const INKLESS = /[\p{Cf}\u034f\u115f\u1160\ufe00-\ufe0f]/gu;
// Full-width forms of ASCII, as keyboards of East Asia type them.
const WIDE = /[\uff01-\uff5e]/g;
const MAX_TEXT = 1000;

const NAMED = /^[^@<>]*<([^<>]*)>[.,;]*$/u;
const OPENING = /^["'([<“”„‚‘’«»‹›]+/u;
const CLOSING = /["')\]>“”‘’«»‹›.,;:!?]+$/u;
const ATOM = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~\\-]+";
const LABEL = "(?!-)[\\p{L}\\p{M}\\p{N}\\-]+(?<!-)";
const EMAIL = new RegExp(`^${ATOM}(?:\\.${ATOM})*@(?:${LABEL}\\.)+(?=\\p{L}.)${LABEL}$`, "u");
const MAX_EMAIL_BYTES = 254; // RFC 5321
const MAX_LABEL_BYTES = 63; // RFC 1035

const SEPARATORS = new RegExp(`[${SPACE}./\\-\\u2010-\\u2015\\u2212]+`, "gu");
// E.164: at most 15 digits, none of the country codes starts with 0; no number has fewer than 7.
const E164 = /^\+[1-9][0-9]{6,14}$/;
const COUNTRY =
  "\\+(?:[17]|2(?:[07]|[1-689]\\d)|3(?:[0-469]|[578]\\d)|4(?:[013-9]|2\\d)|5(?:[1-8]|[09]\\d)" +
  "|6(?:[0-6]|[7-9]\\d)|8(?:[1246]|[03578-9]\\d)|9(?:[0-58]|[679]\\d))";
// A trunk prefix is dialled before a number within its country: a zero (in some countries a part of the number), an 8,
// or what makes more than the ten digits that all numbers of +1 and +7 have.
const TRUNK_PREFIX = new RegExp(`^(?:${COUNTRY}0.*|\\+(?:370|375|993)8.*|\\+[17](?:.{0,9}|.{11,}))$`);
const OPTIONAL_ZERO = new RegExp(`^${COUNTRY}\\)?\\(0`);

/**
 * The address in lower case, without what it was copied with: mailto:, a name, quotes, punctuation after it. Width,
 * case and composition of characters are treated as RFC 8265 does it for names; a host is in letters, not xn--.
 */
export function normalEmail(text: string): string {
  let address = trim(lower(folded(text)).normalize("NFC"));
  address = trim(NAMED.exec(address)?.[1] ?? address).replace(OPENING, "").replace(CLOSING, "");
  let isEncoded = false;
  if (address.startsWith("mailto:")) {
    address = address.replace(/^mailto:(?:\/\/)?/u, "").replace(/\?.*$/su, "");
    isEncoded = address.includes("%");
  }
  const at = address.indexOf("@") + 1;
  const normal = address.slice(0, at) + address.slice(at).split(".").map(decoded).join(".");
  if (isEncoded || !EMAIL.test(normal) || normal.normalize("NFKC") !== normal || Buffer.byteLength(normal) > MAX_EMAIL_BYTES) {
    throw new ArgumentError("email", "is not an e-mail address");
  }
  return normal;
}

/**
 * The number in E.164 form, with the leading +. Whether a zero after the country code is a trunk prefix, +43 (0)660, is
 * known to libphonenumber-js, an optional peer, which also finds numbers that cannot exist. It changes no number that is
 * taken without it.
 */
export function normalPhone(text: string): string {
  const compact = trim(folded(text)).replace(/^tel:/i, "").replace(SEPARATORS, "").replace(/^\(?(?:00|\+)/, "+");
  const number = compact.replace(/[()]/g, "");
  const hasOptionalZero = OPTIONAL_ZERO.test(compact);
  if (!E164.test(number) || compact.split("(0").length - 1 !== Number(hasOptionalZero)) {
    throw new ArgumentError(
      "phone",
      "is not an international number: it needs + or 00, the country code, and neither letters nor an extension",
    );
  }
  const isDoubtful = TRUNK_PREFIX.test(number);
  const library = phoneLibrary();
  if (library) return confirmed(library, number, isDoubtful, hasOptionalZero);
  if (isDoubtful) {
    throw new ArgumentError(
      "phone",
      "may have a trunk prefix after its country code: leave it out, or install libphonenumber-js, which knows the " +
        "numbers of each country",
    );
  }
  return number;
}

function trim(text: string): string {
  return text.replace(OUTER_SPACE, "");
}

/** Without characters that have no ink, and ASCII in one width. */
function folded(text: string): string {
  if (text.length > MAX_TEXT) return "";
  return text.replace(INKLESS, "").replace(WIDE, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));
}

/** Letter by letter: a whole word would get the rules of its language, such as the final sigma of Greek. */
function lower(text: string): string {
  return Array.from(text, (letter) => letter.toLowerCase()).join("");
}

/** A host's label xn--... in letters; empty: none encodes to it. */
function decoded(label: string): string {
  if (!label.startsWith("xn--")) return label;
  const letters = label.length <= MAX_LABEL_BYTES ? lettersOf(label.slice("xn--".length)) : "";
  return lower(letters) === letters && !letters.startsWith("xn--") ? letters : "";
}

let found: PhoneLibrary | null | undefined;

/** The optional peer, loaded with the first number; null: it is not installed. */
function phoneLibrary(): PhoneLibrary | null {
  if (found === undefined) {
    try {
      found = createRequire(import.meta.url)("libphonenumber-js/max") as PhoneLibrary;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      found = null;
    }
  }
  return found;
}

/** The number as its country has it. Where nothing is doubtful only the length is judged: ranges are opened anew. */
function confirmed(library: PhoneLibrary, number: string, isDoubtful: boolean, dropsZero: boolean): string {
  const parsed = library.parsePhoneNumberFromString(number);
  const known = parsed?.number as string | undefined;
  const exists = isDoubtful ? parsed?.isValid() : parsed?.isPossible() && known === number;
  if (known === undefined || !exists || (dropsZero && known === number)) {
    throw new ArgumentError("phone", "is not a number of its country");
  }
  return known;
}

// What a host's label says after its xn--: RFC 3492, and no more. Node's own domainToUnicode would also map, and refuse
// labels of letters that other languages take: one person would get two hashes.

const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const FIRST = 0x80;
const LAST = 0x10ffff;
const DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The letters that `code` stands for, of which at least one is not ASCII; empty: it stands for none. */
export function lettersOf(code: string): string {
  const basic = Math.max(0, code.lastIndexOf("-"));
  const letters = Array.from(code.slice(0, basic), (letter) => letter.codePointAt(0) ?? FIRST);
  if (letters.some((letter) => letter >= FIRST)) return "";
  let next = basic > 0 ? basic + 1 : 0;
  if (next >= code.length) return "";
  let [letter, at, bias] = [FIRST, 0, 72];
  while (next < code.length) {
    const before = at;
    for (let weight = 1, k = BASE; ; k += BASE) {
      const digit = DIGITS.indexOf(code.charAt(next++) || "-");
      if (digit < 0) return "";
      at += digit * weight;
      if (at > Number.MAX_SAFE_INTEGER) return "";
      const threshold = Math.min(Math.max(k - bias, T_MIN), T_MAX);
      if (digit < threshold) break;
      weight *= BASE - threshold;
    }
    const count = letters.length + 1;
    bias = adapted(at - before, count, before === 0);
    letter += Math.floor(at / count);
    at %= count;
    if (letter > LAST || (letter >= 0xd800 && letter <= 0xdfff)) return "";
    letters.splice(at++, 0, letter);
  }
  return String.fromCodePoint(...letters);
}

function adapted(distance: number, count: number, isFirst: boolean): number {
  let delta = Math.floor(distance / (isFirst ? DAMP : 2));
  delta += Math.floor(delta / count);
  let k = 0;
  for (; delta > ((BASE - T_MIN) * T_MAX) / 2; k += BASE) delta = Math.floor(delta / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * delta) / (delta + SKEW));
}

// Texts as every reader takes them: whole characters, no half of a surrogate pair.

/** At most so many characters; none is cut in two. */
export function cut(text: string, characters: number): string {
  return Array.from(text).slice(0, characters).join("");
}

/** The value as JSON in which U+FFFD stands for every half of a surrogate pair, in names too. */
export function wellFormedJson(value: unknown): string {
  // Only lone halves are written as escapes; an escaped backslash is passed over as a pair.
  return JSON.stringify(value).replace(/\\\\|\\ud[8-f]../g, (found) => (found[1] === "u" ? "\ufffd" : found));
}

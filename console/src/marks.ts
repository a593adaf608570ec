/** Where in a JSON text a field stands, so that a mistake can be shown in its place.
 *
 * Reads leniently and gives up in silence where the text is not JSON: the verdict says what is wrong with it. */

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Spans of all values by their path as the node writes it: `metadata.items[2].note`. */
export function spansOf(text: string): Map<string, Span> {
  const spans = new Map<string, Span>();
  let at = 0;
  const blank = (): void => {
    while (/\s/.test(text[at] ?? "")) at++;
  };
  const word = (): string => {
    const from = at;
    if (text[at] === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
      at++;
    } else while (at < text.length && !/[\s,:{}[\]"]/.test(text[at]!)) at++;
    if (at === from) throw new SyntaxError();
    return text.slice(from, at);
  };
  const value = (path: string): void => {
    blank();
    const from = at;
    const closing = { "{": "}", "[": "]" }[text[at] ?? ""];
    if (closing) {
      at++;
      for (let index = 0; ; index++) {
        blank();
        if (text[at] === closing) break;
        if (closing === "]") value(`${path}[${index}]`);
        else member(path);
        blank();
        if (text[at] === ",") at++;
        else if (text[at] !== closing) throw new SyntaxError();
      }
      at++;
    } else word();
    spans.set(path, { from, to: at });
  };
  const member = (path: string): void => {
    const from = at;
    const name = JSON.parse(word()) as string;
    const inner = path ? `${path}.${name}` : name;
    blank();
    if (text[at++] !== ":") throw new SyntaxError();
    value(inner);
    spans.set(inner, { from, to: at });
  };
  try {
    value("");
  } catch {
    // What was found so far still helps.
  }
  return spans;
}

/** The span of a field, or of what is around it: a field that is missing has none of its own. */
export function spanOf(spans: ReadonlyMap<string, Span>, field: string): Span | undefined {
  for (let path = field, shorter = ""; path; path = shorter) {
    const found = spans.get(path);
    if (found) return found;
    shorter = path.replace(/(\.|^)[^.[\]]+$|\[[^\]]*\]$/, "");
    if (shorter === path) break; // a name that is not a plain path
  }
  return undefined;
}

/** Line of a place, from 0. */
export const lineOf = (text: string, place: number): number => text.slice(0, place).split("\n").length - 1;

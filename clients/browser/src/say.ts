// What a developer has to know, on the console: each cause once, however often it occurs.

const said = new Set<string>();

/** Says it, unless it was said before. */
export function warn(text: string): void {
  said.has(text) || console.warn("qrumb: " + text);
  said.add(text);
}

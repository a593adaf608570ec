/** Texts come from the senders of events. What would not be seen in one, or would turn round what stands beside it, is
 * shown as its escape: a code named "\\u202egnp.exe" must not read as another one. */

import { options } from "preact";

// Control characters but tab and line break, what writes from right to left against the letters, and what has no width.
// Joiners stay: emoji and several scripts are made of them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u2028-\u202e\u2066-\u2069\ufeff]/g;

export function visible(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const shown = (child: unknown): unknown =>
  typeof child === "string" ? visible(child) : Array.isArray(child) ? child.map(shown) : child;

/** From here on of every text in every element, so that no page can forget it. */
export function showAll(): void {
  const before = options.vnode;
  options.vnode = (vnode) => {
    const props = vnode.props as { children?: unknown };
    if (typeof vnode.type === "string" && props.children !== undefined) props.children = shown(props.children);
    before?.(vnode);
  };
}

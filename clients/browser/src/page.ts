// What happens on the page: which calls and listeners lead to which events. No value of any field is ever read.

import type { Metadata } from "./types.js";
import { bare } from "./urls.js";

type Record = (type: string, metadata?: Metadata) => void;

/** Calls `changed` after every navigation within the page. */
export function watchHistory(changed: () => void): void {
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (this: History, ...words: [unknown, string, (string | URL | null)?]) {
      original.apply(this, words);
      changed();
    };
  }
  addEventListener("popstate", changed);
}

/** Clicks on elements with data-qrumb-event, and on links to other hosts. */
export function watchClicks(record: Record): void {
  const clicked = (event: Event) => {
    const target = ((event.composedPath && event.composedPath()[0]) || event.target) as Element;
    if (!target || !target.closest) return;
    const marked = target.closest<HTMLElement>("[data-qrumb-event]");
    const link = target.closest<HTMLAnchorElement>("a[href]");
    const metadata: Metadata = marked ? fieldsOf(marked) : {};
    const outbound = link && /^https?:$/.test(link.protocol) && link.host !== location.host;
    if (outbound) {
      metadata.url = bare(link.href).replace(/\/\/[^/]*@/, "//");
      metadata.outbound = true;
    }
    if (marked || outbound) record("click", metadata);
  };
  // While capturing: a page that stops the event does not hide it.
  addEventListener("click", clicked, true);
  // The middle button opens a tab.
  addEventListener("auxclick", (event) => (event as MouseEvent).button === 1 && clicked(event), true);
}

/** Submitted forms. */
export function watchForms(record: Record): void {
  addEventListener(
    "submit",
    (event) => {
      const form = event.target as Element;
      // Not form.id: a field of that name would be in its place.
      const attribute = (name: string) => form.getAttribute(name) || undefined;
      const action = document.createElement("a");
      action.href = attribute("action") || location.href;
      record("form_submit", { form_id: attribute("id"), form_name: attribute("name"), action: action.pathname });
    },
    true,
  );
}

/** What the page knows of its browser. */
export function device(): { [name: string]: string | number } {
  let timezone = "";
  try {
    timezone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  } catch {
    // Unknown.
  }
  return {
    language: navigator.language || "",
    screen_width: Math.round(screen.width),
    screen_height: Math.round(screen.height),
    viewport_width: Math.round(innerWidth),
    viewport_height: Math.round(innerHeight),
    timezone,
    max_touch_points: navigator.maxTouchPoints || 0,
  };
}

// data-qrumb-event="add" data-qrumb-item-id="7" is {name: "add", itemId: "7"}.
function fieldsOf(element: HTMLElement): Metadata {
  const fields: Metadata = {};
  const { dataset } = element;
  for (const key in dataset) {
    if (!/^qrumb./.test(key)) continue;
    const name = key === "qrumbEvent" ? "name" : key.charAt(5).toLowerCase() + key.slice(6);
    fields[name] = dataset[key];
  }
  return fields;
}

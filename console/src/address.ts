/** Where the reader is: page and filters, all of them in the fragment of the address, so that a view can be sent on.
 *
 * A fragment is never sent to the server, so no filter ends in a log. The key is not a filter and never comes here. */

import { computed, signal } from "@preact/signals";

export type Filters = Readonly<Record<string, string>>;
export interface Place {
  readonly page: string;
  readonly filters: Filters;
}

export const FIRST_PAGE = "live";

function read(): Place {
  const [page, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { page: page || FIRST_PAGE, filters: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

export const place = signal<Place>(read());
export const site = computed(() => place.value.filters.site ?? "");

addEventListener("hashchange", () => {
  place.value = read();
});

/** The address of a page. Filters that are empty are left out. */
export function href(page: string, filters: Filters): string {
  const stated = Object.entries(filters).filter(([, value]) => value !== "");
  const query = new URLSearchParams(stated).toString();
  return `#/${page}${query && `?${query}`}`;
}

/** The address of another page of the same site. */
export function pageHref(page: string, filters: Filters = {}): string {
  return href(page, { site: site.value, ...filters });
}

/** Change filters of this page, without a step in the history: typing a word is not a journey. */
export function refine(changes: Filters): void {
  const { page, filters } = place.value;
  history.replaceState(null, "", href(page, { ...filters, ...changes }));
  place.value = read();
}

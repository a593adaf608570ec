/** Filters: each stands in the address. */

import { place, refine, site } from "./address";

export function Select({ name, label, choices, fallback = "" }: {
  name: string;
  label: string;
  choices: readonly (readonly [value: string, text: string])[];
  /** What counts where the address says nothing. */
  fallback?: string;
}) {
  const value = place.value.filters[name] ?? fallback;
  // A filter of another's address may be of what has not arrived here yet.
  const all = choices.some(([one]) => one === value) ? choices : [...choices, [value, value] as const];
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => refine({ [name]: event.currentTarget.value === fallback ? "" : event.currentTarget.value })}>
        {all.map(([one, text]) => <option key={one} value={one} selected={one === value}>{text}</option>)}
      </select>
    </label>
  );
}

/** Another site: taken once the name is whole, since each name is a question to the node. */
export function SiteFilter() {
  return (
    <label>
      <span>Site</span>
      <input
        key={site.value}
        type="text"
        defaultValue={site.value}
        pattern="[A-Za-z0-9_\-]{1,64}"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="none"
        onChange={(event) => {
          const name = event.currentTarget.value.trim();
          if (name && event.currentTarget.checkValidity()) refine({ site: name, open: "" });
        }}
      />
    </label>
  );
}

export function TextFilter({ name, label }: { name: string; label: string }) {
  return (
    <label>
      <span>{label}</span>
      <input type="search" value={place.value.filters[name] ?? ""} onInput={(event) => refine({ [name]: event.currentTarget.value })} spellcheck={false} autocomplete="off" />
    </label>
  );
}

// The module: the same function, for pages that are built. Importing it does nothing, on a server too.

import { commands } from "./tag.js";
import type { Qrumb } from "./types.js";

export type { Consent, Json, Metadata, Options, Qrumb, Receipt } from "./types.js";

const { run } = commands();

/** Says something to the tag: `qrumb("init", {site: "demo"})`. */
export const qrumb = function () {
  return run([Date.now(), arguments]);
} as unknown as Qrumb;

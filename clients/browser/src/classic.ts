// The classic script: takes the place of the stub, with what was said to it. Attributes of its element can stand for
// `init`, so that a page with a strict policy needs no script of its own.

import { commands } from "./tag.js";
import { warn } from "./say.js";
import type { Call, Options, Qrumb } from "./types.js";

const scope = window as unknown as { qrumb?: Qrumb & { q?: Call[]; loaded?: boolean } };

if (!scope.qrumb || !scope.qrumb.loaded) {
  const { run, isNamed } = commands();
  const calls = (scope.qrumb && scope.qrumb.q) || [];
  const qrumb = function () {
    return run([Date.now(), arguments]);
  } as unknown as Qrumb & { loaded: boolean };
  qrumb.loaded = true;
  scope.qrumb = qrumb;

  const script = document.currentScript as HTMLScriptElement | null;
  const { site, endpoint, path, scanParameter, consent, persist, debug } = (script && script.dataset) || {};
  if (site) {
    qrumb("init", { site, endpoint, path, scanParameter, consent: consent as Options["consent"], persist: persist === "true", debug: debug !== undefined });
  }
  calls.forEach(run);
  // A script of the page may still name the site.
  setTimeout(() => isNamed() || warn("no data-site: nothing recorded"), 1000);
}

// Builds dist/: the classic script, the module, the stub. The declarations come from tsc.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const shared = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  // Safari 11 and its contemporaries.
  target: "es2017",
  // Texts in a page of another encoding must stay what they are.
  charset: "ascii",
  legalComments: "none",
  // Members of the tag's own classes, which no page and no JSON names: shorter ones make it smaller.
  mangleProps:
    /^(flying|flyingBytes|failures|quietUntil|alone|waiting|timer|schedule|cut|call|answered|report|received|outbox|storeKey|held|session|settle|referring|land|here|watch|show|flush|pageview|moved|leave|back|restore|put|parameter|isOnline|isNamed|stated|record|setConsent|scanSession|left)$/,
  banner: { js: `/* qrumb ${version}, Apache-2.0 */` },
};

rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
await build({ ...shared, entryPoints: ["src/classic.ts"], outfile: "dist/qrumb.js", format: "iife" });
await build({ ...shared, entryPoints: ["src/module.ts"], outfile: "dist/qrumb.mjs", format: "esm" });
await build({ ...shared, entryPoints: ["src/stub.ts"], outfile: "dist/qrumb-stub.js", format: "iife" });
// The parts, for the tests.
const named = { minify: false, mangleProps: undefined };
await build({ ...shared, ...named, entryPoints: ["src/parts.ts"], outfile: "dist/test/parts.mjs", format: "esm" });
for (const name of ["qrumb.js", "qrumb.mjs", "qrumb-stub.js"]) {
  const file = readFileSync(new URL(`dist/${name}`, import.meta.url));
  console.log(`dist/${name}: ${file.length} bytes, ${gzipSync(file, { level: 9 }).length} gzip`);
}

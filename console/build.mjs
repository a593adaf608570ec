// Builds the console: `node build.mjs [FOLDER]`, without a folder into dist/. Also says what it takes on the way.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = import.meta.dirname;
const folder = resolve(process.argv[2] ?? join(here, "dist"));

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { console: "src/main.tsx" },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none", // licences.txt has them whole
  logLevel: "warning",
});
const packages = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];
const licences = packages.map((name) => `${name}\n\n${readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim()}\n`);
writeFileSync(join(folder, "licences.txt"), licences.join("\n----\n\n"));
for (const name of ["index.html", "icon.svg"]) copyFileSync(join(here, "src", name), join(folder, name));

let total = 0;
for (const name of readdirSync(folder)) total += gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
console.log(`console: ${total} bytes gzip in ${folder}`);

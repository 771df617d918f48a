// Bundles the extension, the panel and the tests; with --production minified, and with the notice of what is inside.
import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const production = process.argv.includes("--production");
const common = { bundle: true, minify: production, sourcemap: !production, logLevel: "warning", metafile: true };

const results = await Promise.all([
  build({
    ...common,
    entryPoints: { extension: "src/extension.ts" },
    outdir: "dist",
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["vscode"],
  }),
  build({
    ...common,
    entryPoints: { panel: "webview/panel.ts" },
    outdir: "dist",
    platform: "browser",
    target: "chrome124",
    format: "iife",
  }),
  build({ ...common, entryPoints: { panel: "webview/panel.css" }, outdir: "dist" }),
]);
copyFileSync("../../LICENSE", "LICENSE");
writeFileSync("NOTICE.txt", notice(results.flatMap((result) => Object.keys(result.metafile.inputs))));

if (!production)
  await build({
    bundle: true,
    entryPoints: ["workbench", "units", "stand-in"].map((name) => `test/${name}.ts`),
    outdir: "dist/test",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });

/** Give the licences of the packages whose files are in a bundle. */
function notice(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const at = input.lastIndexOf("node_modules/");
    if (at < 0) continue;
    const parts = input.slice(at + "node_modules/".length).split("/");
    folders.add(input.slice(0, at) + join("node_modules", ...parts.slice(0, parts[0].startsWith("@") ? 2 : 1)));
  }
  const told = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!existsSync(folder) || !license || !file) throw new Error(`${name} comes without a licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The extension contains these packages, under their licences.\n\n${told.join(`\n${"-".repeat(100)}\n\n`)}`;
}

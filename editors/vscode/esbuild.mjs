// Bundles the extension and its panel, with the notice of what is inside. With --production they are minified for the
// package; with --tests the tests are bundled instead.
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const production = process.argv.includes("--production");
const common = { bundle: true, logLevel: "warning", outdir: "dist" };
await (process.argv.includes("--tests") ? bundleTests() : bundle());

async function bundle() {
  const each = { ...common, minify: production, sourcemap: !production, metafile: true };
  const node = { platform: "node", target: "node20", format: "cjs", external: ["vscode"] };
  const page = { platform: "browser", target: "chrome124", format: "iife" };
  const results = await Promise.all([
    build({ ...each, ...node, entryPoints: ["src/extension.ts"] }),
    build({ ...each, ...page, entryPoints: ["webview/panel.ts"] }),
    build({ ...each, entryPoints: ["webview/panel.css"] }),
  ]);
  copyFileSync("../../LICENSE", "LICENSE");
  writeFileSync("NOTICE.txt", notice(results.flatMap((result) => Object.keys(result.metafile.inputs))));
}

async function bundleTests() {
  const node = { platform: "node", target: "node20", format: "esm", packages: "external" };
  const entryPoints = ["all", "units", "stand-in", "pictures"].map((name) => `test/${name}.ts`);
  const to = { outdir: "dist/test", outExtension: { ".js": ".mjs" }, alias: { vscode: "./test/fake-vscode.ts" } };
  await build({ ...common, ...node, ...to, entryPoints });
}

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
    if (!license || !file) throw new Error(`${name} comes without a licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The extension contains these packages, under their licences.\n\n${told.join(`\n${"-".repeat(100)}\n\n`)}`;
}

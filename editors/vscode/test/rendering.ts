/** What the panel makes of an answer, with a server that says what it is to show. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { framesOf } from "./frames";
import { check, here, open, window, workbench } from "./run";

const FRAME_MS = 16; // of scripting, at p95, while 2,000 tokens stream
const THEMES = ["Dark Modern", "Light Modern", "Dark High Contrast"];
const folder = join(here.folder, "standin");
const settings = join(folder, ".vscode", "settings.json");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Give what axe finds wrong in the panel. */
async function violations(): Promise<string[]> {
  const frame = await window.frame();
  await frame.evaluate(axe);
  const found = await frame.evaluate<{ violations: Violation[] }>("axe.run(document)");
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary ?? ""}`));
}

check("a server that is not there is told, with a button that shows how", async () => {
  mkdirSync(dirname(settings), { recursive: true });
  const lines = Array.from({ length: 12 }, (_, n) => `def wait_${n}():\n    x = ${n}\n    return x\n\n`);
  writeFileSync(join(folder, "sample.py"), lines.join(""));
  writeFileSync(join(folder, "manual.pdf"), "%PDF-1.7");
  writeFileSync(join(folder, "page.md"), "# Rain\n");
  const cells = Array.from({ length: 5 }, (_, n) => ({ cell_type: "code", source: `plot(${n})`, metadata: {}, outputs: [], execution_count: null }));
  writeFileSync(join(folder, "notes.ipynb"), JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }));
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": "/nowhere/memcache-lsp" }));
  await open(folder);
  await window.run("memcache: Ask…");
  await window.ask("how long?");
  await window.ended("failed");
  await window.page.getByRole("button", { name: "How to Install" }).click();
  await window.page.locator(".tab.active", { hasText: "INSTALL.md" }).waitFor();
  await window.page.keyboard.press("Control+F4");
});

check("an answer is rendered: Markdown, code, citations, what is not supported, no HTML", async () => {
  const program = join(folder, "memcache-lsp");
  const standIn = join(dirname(fileURLToPath(import.meta.url)), "stand-in.mjs");
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${standIn}" "$@"\n`, { mode: 0o755 });
  await window.run("memcache: New Thread");
  await window.panel.locator("#empty").waitFor();
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": program }));
  await askUntilServed("how long?");
  const answer = window.turn.locator(".answer");
  assert.equal(await answer.locator("strong").textContent(), "waits");
  assert.equal(await answer.locator("mark.unsupported").textContent(), "The limit is made up entirely.");
  assert.deepEqual(await answer.locator("button.cite").allTextContents(), ["[1]", "[2]", "[3]", "[9]"]);
  assert.ok(await answer.getByRole("button", { name: "Source 9" }).isDisabled());
  assert.equal(await answer.locator("img").count(), 0);
  assert.match((await answer.textContent()) ?? "", /<img src=x onerror=alert\(1\)>/);
  assert.equal(await answer.locator("pre .hljs-keyword").first().textContent(), "def");
});

/** Ask until the setting that was written has been seen. */
async function askUntilServed(question: string): Promise<void> {
  for (;;) {
    await window.ask(question);
    await window.ended("failed", "done");
    if ((await window.turn.getAttribute("data-state")) === "done") return;
  }
}

check("a citation opens its line by the keyboard alone", async () => {
  await window.panel.getByRole("button", { name: "Source 2: sample.py" }).focus();
  await window.panel.locator("#peek", { hasText: "def wait_1" }).waitFor();
  await window.page.keyboard.press("Escape");
  await window.panel.locator("#peek").waitFor({ state: "hidden" });
  await window.page.keyboard.press("Enter");
  assert.equal(await window.cursorIn("sample.py"), 5);
});

check("a citation that no longer holds is marked", async () => {
  await window.ask("stale now?");
  await window.ended();
  await window.turn.locator(".badge", { hasText: "changed since" }).waitFor();
  await window.turn.locator('button.cite[data-n="1"][data-status="stale"]').waitFor();
});

check("axe finds nothing wrong in any theme", async () => {
  for (const theme of THEMES) {
    await window.colours(theme);
    await window.panel.locator(`body[data-vscode-theme-name="${theme}"]`).waitFor();
    assert.deepEqual(await violations(), [], theme);
    await window.page.screenshot({ path: join(here.images, `${theme.toLowerCase().replace(/ /g, "-")}.png`) });
  }
});

check("models are chosen and fetched", async () => {
  await window.run("memcache: Models…");
  await window.row("large").click();
  await window.page.getByRole("button", { name: "Fetch", exact: true }).click();
  await window.run("memcache: Models…");
  await window.row("large").filter({ hasText: "answers now" }).waitFor();
  await window.page.keyboard.press("Escape");
});

check("a cache is listed with what failed in it and why, and chosen to be asked", async () => {
  await window.run("memcache: Caches…");
  await window.row("attic").filter({ hasText: "offline" }).waitFor();
  await window.row("handbook").filter({ hasText: "3 of 4 files, 9 pieces, 1 failed" }).click();
  await window.row("torn.pdf").filter({ hasText: "it ends too early" }).waitFor();
  await window.page.screenshot({ path: join(here.images, "cache.png") });
  await window.page.keyboard.press("Escape");
  await window.panel.getByRole("button", { name: "In: this project" }).click();
  await window.row("handbook").click();
  await window.page.keyboard.press("Enter");
  await window.panel.getByRole("button", { name: "In: this project + handbook" }).waitFor();
  await window.panel.getByPlaceholder("Ask about this project + handbook").waitFor();
});

check("a hit on a page tells the page, shows its passage, and opens there", async () => {
  await window.search("delays");
  await window.row('Searched: {"caches":["workspace","handbook"]}.').waitFor();
  await window.row("manual.pdf p. 2").waitFor();
  await window.page.locator(".tab.active", { hasText: "manual.pdf p. 2" }).waitFor();
  await window.page.locator(".monaco-editor .view-line", { hasText: "A parcel waits for a day." }).waitFor();
  await window.page.screenshot({ path: join(here.images, "page.png") });
  await window.page.keyboard.press("Enter");
  await window.page.getByText("The PDF editor shows #page=2").first().waitFor();
});

check("a citation of a notebook shows its passage and opens its cell", async () => {
  await window.ask("pages of delays");
  await window.ended();
  const source = window.turn.locator(".source", { hasText: "notes.ipynb cell 4" });
  await window.pointAt(source);
  await window.panel.locator("#peek", { hasText: "Operations › Delays" }).filter({ hasText: "Delays are plotted." }).waitFor();
  await source.click();
  await window.page.locator(".tab.active", { hasText: "notes.ipynb" }).waitFor();
  await window.page.locator(".notebook-editor .monaco-list-row.focused", { hasText: "plot(3)" }).waitFor();
});

check("a new page is told of, and asked about", async () => {
  const news = window.page.locator(".notification-list-item", { hasText: "New in handbook: Rain" });
  await news.getByRole("button", { name: "Ask About It" }).click();
  await window.panel.locator("#about-label", { hasText: "About Rain" }).waitFor();
  await window.run("memcache: New Pages…");
  await window.row("Rain").click();
  assert.equal(await window.cursorIn("page.md"), 1);
});

check("a cache is removed after a question, and not asked any more", async () => {
  await window.run("memcache: Remove a Cache…");
  await window.row("handbook").click();
  await window.page.getByRole("button", { name: "Remove", exact: true }).click();
  await window.panel.getByRole("button", { name: "In: this project", exact: true }).waitFor();
});

check(`no frame scripts for long while 2,000 tokens stream`, async () => {
  const { browser } = await workbench();
  const categories = ["devtools.timeline", "disabled-by-default-devtools.timeline", "disabled-by-default-devtools.timeline.frame"];
  await browser.startTracing(window.page, { categories });
  await window.ask("stream");
  await window.ended();
  const trace = (await browser.stopTracing()).toString();
  if (process.env["KEEP_TRACE"] !== undefined) writeFileSync(process.env["KEEP_TRACE"], trace);
  const frames = framesOf(JSON.parse(trace) as never, "panel.js");
  const sorted = [...frames].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const told = [0.5, 0.95, 1].map((share) => `p${share * 100} ${at(share).toFixed(1)} ms`).join(", ");
  console.log(`# scripting of the panel in ${frames.length} frames: ${told}`);
  assert.ok(frames.length > 30, `only ${frames.length} frames`);
  assert.ok((await window.turn.locator(".answer h4").count()) >= 9);
  assert.ok(at(0.95) < FRAME_MS, told);
});

/** What the panel makes of an answer, with a server that says what it is to show. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  await window.page.getByText("The setting memcache.server.path names no program: /nowhere/memcache-lsp").first().waitFor();
  await window.page.getByRole("button", { name: "How to Install" }).click();
  await window.page.locator(".tab.active", { hasText: "INSTALL.md" }).waitFor();
  await window.page.keyboard.press("Control+F4");
});

check("an answer is rendered: Markdown, code, citations, what is not supported, no HTML", async () => {
  await window.run("memcache: New Thread");
  await window.panel.locator("#empty").waitFor();
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": standIn(folder, "set") }));
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

/** Write a program that runs the stand-in, which calls itself by a version; give the program's path. */
function standIn(where: string, version: string): string {
  const script = join(dirname(fileURLToPath(import.meta.url)), "stand-in.mjs");
  return program(where, `VERSION=${version} exec "${process.execPath}" "${script}" "$@"`);
}

/** Write a program of one line for the shell; give its path. */
function program(where: string, line: string): string {
  mkdirSync(where, { recursive: true });
  const path = join(where, "memcache-lsp");
  writeFileSync(path, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return path;
}

/** Wait until a server of this version is there: the change of a setting is seen some time after it is written. */
async function served(version: string): Promise<void> {
  const look = async (): Promise<void> => {
    await window.page.keyboard.press("Escape");
    await window.run("memcache: Status");
  };
  await window.until(window.page.locator(".quick-input-title", { hasText: `memcache-lsp ${version}` }), look, 1000);
  await window.page.keyboard.press("Escape");
}

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
  assert.equal(await window.cursorIn("sample.py", 5), 5);
});

check("what stands in the editor is explained, summed up, and asked for its users", async () => {
  await window.run("memcache: Summarize File");
  await window.turn.getByText("Asked to summarize sample.py whole.").waitFor();
  assert.equal(await window.turn.locator("h2").textContent(), "Summarize sample.py.");
  await window.page.locator(".monaco-editor .view-line", { hasText: "def wait_1" }).click();
  await window.page.keyboard.press("Home");
  await window.page.keyboard.press("Shift+ArrowDown");
  await window.run("memcache: Explain");
  await window.turn.getByText("Asked to explain sample.py 4.").waitFor();
  await window.run("memcache: Who Uses This?");
  await window.turn.getByText("Asked to callers sample.py 4.").waitFor();
  assert.equal(await window.turn.locator("h2").textContent(), "Who uses sample.py:5?");
});

check("an answer is copied with the places that it cites", async () => {
  await window.turn.getByRole("button", { name: "Copy" }).click();
  await window.page.getByText("The answer was copied.").waitFor();
  const box = window.panel.getByRole("textbox", { name: "Question" });
  await box.focus();
  await window.page.keyboard.press("Control+v");
  assert.match(await box.inputValue(), /^It \*\*waits\*\* `base_s` \[1\]\.[^]*\n\n\[1\]: sample\.py:1-2\n\[2\]: sample\.py:5-6\n\[3\]: sample\.py:9-10\n?$/);
  await box.fill("");
});

check("a citation that no longer holds is marked", async () => {
  await window.ask("stale now?");
  await window.ended();
  await window.turn.locator(".badge", { hasText: "changed since" }).waitFor();
  await window.turn.locator('button.cite[data-n="1"][data-status="stale"]').waitFor();
});

check("the panel runs no script but its own, and loads nothing", async () => {
  const tried = `new Promise((resolve) => {
    const refused = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
      refused.push(effectiveDirective);
      if (refused.length === 3) resolve(refused.sort());
    });
    const add = (name, attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
    add("script", { textContent: "document.title = 'taken'" });
    add("img", { src: "https://localhost/x.png", alt: "" });
    add("style", { textContent: "body { display: none }" });
  })`;
  assert.deepEqual(await (await window.frame()).evaluate<string[]>(tried), ["img-src", "script-src-elem", "style-src-elem"]);
  assert.equal(await (await window.frame()).title(), "memcache answers");
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
  assert.equal(await window.cursorIn("page.md", 1), 1);
});

check("a cache is removed after a question, and not asked any more", async () => {
  await window.run("memcache: Remove a Cache…");
  await window.row("handbook").click();
  await window.page.getByRole("button", { name: "Remove", exact: true }).click();
  await window.panel.getByRole("button", { name: "In: this project", exact: true }).waitFor();
});

check("a long question is shown by its beginning, and whole when that is asked for", async () => {
  const question = "how long does it wait, and why? ".repeat(40).trim();
  await window.ask(question);
  await window.ended();
  const heading = window.turn.locator("h2");
  assert.match((await heading.textContent()) ?? "", /^.{200,300}…$/);
  await window.turn.getByRole("button", { name: "The whole question" }).click();
  assert.equal(await heading.textContent(), question);
});

check("a source that was deleted since is told", async () => {
  await window.ask("gone?");
  await window.ended();
  const source = window.turn.locator(".source");
  const peek = await window.pointAt(source);
  assert.equal(await peek.textContent(), "These lines are gone.");
  await source.click();
  await window.page.getByText(/gone\.py cannot be opened any more\./).first().waitFor();
});

check("sources that change keep the focus where it is", async () => {
  await window.ask("stale now?");
  await window.turn.locator(".source").nth(1).focus();
  await window.turn.locator(".badge", { hasText: "changed since" }).waitFor();
  assert.ok(await window.turn.locator(".source").nth(1).evaluate((source) => source === source.ownerDocument.activeElement));
});

check("a question that comes before the index is asked anew when that is complete, and shown once", async () => {
  await window.run("memcache: New Thread");
  await window.panel.locator("#empty").waitFor();
  await window.run("memcache: Pause Indexing"); // the stand-in finds nothing until it goes on
  await window.ask("cold storage?");
  await window.turn.getByText("This is asked again when the index is complete.").waitFor();
  await window.run("memcache: Stop the Answer");
  await window.turn.getByText("Stopped.").waitFor();
  assert.equal(await window.turn.getByText("This is asked again when the index is complete.").count(), 0);
  await window.run("memcache: New Thread");
  await window.panel.locator("#empty").waitFor();
  await window.ask("cold start?");
  await window.turn.getByText("Nothing was found. Indexing goes on.").waitFor();
  await window.turn.getByText("This is asked again when the index is complete.").waitFor();
  await window.run("memcache: Resume Indexing");
  await window.ended();
  assert.match((await window.turn.locator(".answer").textContent()) ?? "", /^It waits/);
  assert.equal(await window.panel.locator(".turn").count(), 1);
  const told = (await window.turn.locator(".message").textContent()) ?? "";
  assert.equal(told.split("cold start?").length - 1, 1, told);
});

check("an index that begins just after the question is waited for", async () => {
  await window.ask("soon?");
  await window.turn.getByText("This is asked again when the index is complete.").waitFor();
  await window.run("memcache: Resume Indexing");
  await window.ended();
  assert.match((await window.turn.locator(".answer").textContent()) ?? "", /^It waits/);
});

check("an answer out of half an index says so", async () => {
  await window.run("memcache: Start Indexing"); // the stand-in does not get far
  await window.ask("half?");
  await window.ended();
  await window.turn.getByText("Not all was indexed yet.").waitFor();
  await window.turn.getByText("1 more source", { exact: true }).waitFor();
  await window.run("memcache: Resume Indexing");
  await window.ask("whole?");
  await window.ended();
  assert.equal(await window.turn.getByText("Not all was indexed yet.").count(), 0);
});

check("the stage is shown with its percent until the answer is stopped", async () => {
  await window.ask("slow?");
  const stage = window.turn.locator(".stage");
  await stage.getByText("Reading 40 %").waitFor();
  assert.equal(await stage.locator("progress").evaluate((bar) => (bar as HTMLProgressElement).value), 40);
  await window.run("memcache: Stop the Answer");
  await window.ended("stopped");
  await stage.waitFor({ state: "hidden" });
});

check("an index is rebuilt after a question only, and the log is shown", async () => {
  const question = window.page.locator(".monaco-dialog-box", { hasText: "Throw the index away and make it again?" });
  for (const answer of ["Cancel", "Rebuild"]) {
    await window.run("memcache: Rebuild Index…");
    await question.getByRole("button", { name: answer }).click();
    await question.waitFor({ state: "hidden" });
  }
  await window.ask("rebuilt?");
  await window.ended();
  await window.turn.getByText("Rebuilt 1 times.").waitFor();
  await window.run("memcache: Show Log");
  await window.page.locator(".part.panel select option:checked", { hasText: "memcache-lsp" }).first().waitFor({ state: "attached" });
  await window.run("View: Hide Panel");
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

check("the program of the selected Python environment is run", async () => {
  standIn(join(folder, ".venv", "bin"), "of-python");
  writeFileSync(settings, "{}");
  await served("of-python");
});

check("a server that says nothing is ended when it is to be another one", async () => {
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": program(join(folder, "silent"), "exec sleep 1000") }));
  await window.status("The server is starting.").waitFor();
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": standIn(join(folder, "set"), "of-setting") }));
  await served("of-setting");
});

check("a server that ends again and again is given up in one sentence, and started again when told", async () => {
  writeFileSync(settings, JSON.stringify({ "memcache.server.path": standIn(join(folder, "fragile"), "fragile") }));
  const told = window.page.locator(".notification-list-item", { hasText: "ended 5 times within 3 minutes" }).first();
  await told.waitFor();
  await window.status("The server is not running.").waitFor();
  standIn(join(folder, "fragile"), "mended");
  await told.getByRole("button", { name: "Restart" }).click();
  await served("mended");
  writeFileSync(settings, "{}");
});

check("where there is no program at all, that is told", async () => {
  rmSync(join(folder, ".venv"), { recursive: true });
  await window.run("probe: Forget the Path");
  await window.page.getByText("The path is forgotten.").first().waitFor();
  await window.run("memcache: Restart Server");
  await window.page.getByText("memcache-lsp was found neither in the selected Python environment nor on PATH.").first().waitFor();
  await window.status("The server is not installed.").waitFor();
});

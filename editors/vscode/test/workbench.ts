/** What a user sees: the extension in a real workbench, with the real server and a real model. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, here, open, window } from "./run";

const project = join(here.folder, "courier");
const QUESTION = "what happens to a parcel that fails too often?";
const OTHER = "how long does a retry wait?";

/** A line of a file on disk. */
function lineOf(file: string, line: number): string {
  return readFileSync(join(here.folder, file), "utf8").split("\n")[line - 1] ?? "";
}

/** A source's path and first line, as the panel shows them. */
async function shownAt(source: { textContent(): Promise<string | null> }): Promise<[string, number]> {
  const [, path, first] = /\](\S+?):(\d+)/.exec((await source.textContent()) ?? "") ?? [];
  return [path ?? "", Number(first)];
}

function daemon(): number {
  const { stdout } = spawnSync("memcache-lsp", ["status", "--json", "--root", project], { encoding: "utf8" });
  return (JSON.parse(stdout) as { daemon: { pid: number } }).daemon.pid;
}

/** What the caches are made of. */
function added(): string[] {
  const { stdout } = spawnSync("memcache-lsp", ["caches", "list", "--json"], { encoding: "utf8" });
  const caches = stdout.trim().split("\n").map((line) => JSON.parse(line) as { places: { path: string }[] });
  return caches.flatMap(({ places }) => places.map(({ path }) => path));
}

check("nothing runs until it is used", async () => {
  mkdirSync(join(here.folder, "notes"));
  writeFileSync(join(here.folder, "notes", "rain.md"), "# Rain\n\nUmbrellas are lent out at the gate when it rains.\n");
  const folders = [{ path: "courier" }, { path: "notes" }];
  writeFileSync(join(here.folder, "two.code-workspace"), JSON.stringify({ folders }));
  await open(join(here.folder, "two.code-workspace"));
  assert.deepEqual(readdirSync(process.env["MEMCACHE_HOME"] ?? "").filter((name) => name === "runtime"), []);
  assert.equal(await window.status().count(), 0); // not activated, not started
});

check("a question is answered from its sources, and streams", async () => {
  await window.run("memcache: Ask…");
  await window.ask(QUESTION);
  await window.turn.locator(".source").first().waitFor();
  await window.ended();
  assert.notEqual(await window.turn.locator(".answer").textContent(), "");
  await window.status("The index is up to date.").waitFor();
});

check("a source opens at its lines, also in an edited file", async () => {
  const source = window.turn.locator(".source", { hasText: ".py" }).first();
  const [path, first] = await shownAt(source);
  const [name, text] = [path.split("/").pop() ?? "", lineOf(path, first)];
  await source.click();
  assert.equal(await window.cursorIn(name, first), first);
  await window.page.keyboard.press("Control+Home");
  await window.page.keyboard.type("# one\n# two\n# three\n");
  await window.turn.locator(".path", { hasText: new RegExp(`${path}:${first + 3}\\b`) }).waitFor();
  await source.click();
  await window.page.locator('[id="status.editor.selection"]', { hasText: `Ln ${first + 3},` }).waitFor();
  const shown = await window.page.locator(".monaco-editor .view-line", { hasText: text.trim() }).first().textContent();
  assert.equal(shown?.replace(/\u00a0/g, " ").trim(), text.trim());
});

check("a peek shows a source's lines when it is pointed at", async () => {
  const source = window.turn.locator(".source").first();
  const peek = await window.pointAt(source);
  const [path] = await shownAt(source);
  assert.ok((await peek.textContent())?.startsWith(`${path}:`));
  await window.page.keyboard.press("Escape");
});

check("an answer is stopped", async () => {
  await window.ask(QUESTION + " tell me everything");
  await window.panel.getByRole("button", { name: "Stop" }).click();
  await window.ended("stopped");
  await window.turn.getByText("Stopped.").waitFor();
});

check("the next question goes on with the thread, and the arrow key brings questions back", async () => {
  const box = window.panel.getByRole("textbox", { name: "Question" });
  await box.focus();
  await window.page.keyboard.press("ArrowUp");
  assert.equal(await box.inputValue(), QUESTION + " tell me everything");
  await window.page.keyboard.press("ArrowUp");
  assert.equal(await box.inputValue(), QUESTION);
  await window.ask("and where is the limit set?");
  await window.ended();
  assert.equal(await window.panel.locator(".turn").count(), 3);
});

check("a question is asked again, in its thread", async () => {
  await window.panel.locator(".turn").first().getByRole("button", { name: "Ask Again" }).click();
  await window.panel.locator(".turn").nth(3).locator(".source").first().waitFor();
  // While the model reads: VS Code shows what is in a list some seconds after that is opened first.
  const threads = window.page.getByRole("button", { name: "Threads Section" });
  await threads.click();
  await window.page.locator(".monaco-list-row", { hasText: QUESTION.slice(0, 30) }).first().waitFor();
  await threads.click();
  await window.ended();
  assert.equal(await window.turn.locator("h2").textContent(), QUESTION);
  assert.notEqual(await window.turn.locator(".answer").textContent(), "");
});

check("a killed daemon is told, and the next question is answered", async () => {
  await window.run("memcache: New Thread"); // less for the model to read than a thread's questions
  await window.panel.locator("#empty").waitFor();
  const running = daemon();
  await window.ask(OTHER);
  await window.turn.locator(".source").first().waitFor(); // the model reads them for seconds now
  process.kill(running, "SIGKILL");
  await window.ended("failed");
  assert.notEqual(await window.turn.locator(".message").textContent(), "");
  await window.ask(OTHER);
  await window.ended("done");
  assert.notEqual(daemon(), running);
});

check("hits are listed as one types, and shown", async () => {
  await window.search("webhook sign");
  await window.row("webhooks.py").waitFor();
  await window.page.locator(".tab.active", { hasText: "webhooks.py" }).waitFor();
  await window.page.screenshot({ path: join(here.images, "search.png") });
  await window.page.keyboard.press("Enter");
  const line = await window.cursorIn("webhooks.py");
  assert.match(lineOf("courier/courier/webhooks.py", line), /sign|hmac|webhook/i);
});

check("both folders of the workspace are searched and told", async () => {
  await window.search("umbrellas");
  await window.row("rain.md").waitFor();
  await window.page.keyboard.press("Escape");
  await window.run("memcache: Status");
  for (const name of ["courier", "notes"])
    await window.row(`${here.folder}/${name}`).waitFor();
  await window.page.keyboard.press("Escape");
});

check("a selection is explained by the light bulb's action", async () => {
  await window.edit("courier/retry.py");
  await window.page.keyboard.press("Control+Home");
  for (let line = 0; line < 5; line++) await window.page.keyboard.press("Shift+ArrowDown");
  await window.page.keyboard.press("Control+.");
  await window.page.getByText("Ask about this", { exact: true }).waitFor();
  await window.page.keyboard.press("ArrowDown");
  await window.page.keyboard.press("Enter");
  await window.panel.locator("#about-label", { hasText: "retry.py:1-5" }).waitFor();
  await window.panel.getByRole("button", { name: "Ask about everything" }).click();
});

check("what resembles a place is found", async () => {
  await window.edit("courier/retry.py");
  await window.run("memcache: Find Similar");
  await window.page.locator(".quick-input-list .monaco-list-row").nth(1).waitFor();
  await window.page.keyboard.press("Escape");
});

check("threads are listed and opened", async () => {
  await window.run("memcache: New Thread");
  await window.panel.locator("#empty").waitFor();
  await window.page.getByRole("button", { name: "Threads Section" }).click();
  const thread = window.page.locator(".monaco-list-row", { hasText: QUESTION.slice(0, 30) }).first();
  await window.until(window.panel.locator(".turn").first(), () => thread.click());
  assert.equal(await window.panel.locator(".turn h2").first().textContent(), QUESTION);
});

check("another assistant uses the search as a tool", async () => {
  await window.run("probe: Use the Tool");
  await window.page.getByText(/The tool said: .*:\d+/).first().waitFor();
});

check("a reading folder is added by the editor's picker, asked, and its new pages are told of", async () => {
  const pages = join(here.folder, "pages");
  mkdirSync(join(pages, "saved"), { recursive: true });
  writeFileSync(join(pages, "dunes.md"), "# Dunes\n\nDunes wander where the wind blows.\n");
  await window.run("memcache: Add a Reading Folder…");
  const input = window.page.locator(".quick-input-widget input").first();
  await window.page.locator(".quick-input-title", { hasText: "Folder to search" }).waitFor();
  // The dialog puts a folder of its own there, some time after its title is shown.
  await window.page.waitForFunction('document.querySelector(".quick-input-widget input").value !== ""');
  const add = window.page.getByRole("button", { name: "Add", exact: true });
  const name = window.page.locator(".quick-input-title", { hasText: "Name of the cache" });
  await window.until(name, async () => {
    if (await name.isVisible()) return; // it came late after a click
    await window.until(window.row("saved"), () => input.fill(`${pages}/`));
    assert.equal(await input.inputValue(), `${pages}/`); // it completes what is typed, to the folder below
    await add.click({ timeout: 4000 });
  });
  assert.equal(await input.inputValue(), "reading");
  await window.page.keyboard.press("Enter");
  await window.page.getByRole("button", { name: "Ask It Too" }).click();
  assert.deepEqual(added(), [pages]);
  await window.search("wandering dunes");
  await window.row("dunes.md").filter({ hasText: "reading" }).waitFor();
  await window.page.keyboard.press("Escape");
  writeFileSync(join(pages, "storm.md"), "# Storms of sand\n\nA storm moves a dune by a yard.\n");
  await window.page.getByText("New in reading: Storms of sand").first().waitFor();
});

check("a workspace that is not trusted has nothing run, and is served all the same", async () => {
  const folder = join(here.folder, "hostile");
  const evil = join(folder, "memcache-lsp");
  mkdirSync(join(folder, ".vscode"), { recursive: true });
  writeFileSync(join(folder, "plans.md"), "# Plans\n\nThe moon is reached by a ladder.\n");
  mkdirSync(join(folder, ".venv", "bin"), { recursive: true });
  for (const program of [evil, join(folder, ".venv", "bin", "memcache-lsp")])
    writeFileSync(program, `#!/bin/sh\ntouch ${join(here.folder, "harmed")}\n`, { mode: 0o755 });
  writeFileSync(join(folder, ".vscode", "settings.json"), JSON.stringify({ "memcache.server.path": evil }));
  await open(folder, { trust: false });
  await window.search("ladder to the moon");
  await window.row("plans.md").waitFor();
  assert.ok(!existsSync(join(here.folder, "harmed")));
});

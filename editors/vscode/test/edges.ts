/** What the extension asks of an editor, where no test of a real one gets to: programs, pages, assistants. */

import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type * as vscode from "vscode";
import { offerToAssistants } from "../src/assistants";
import { openWhole, showPassage } from "../src/documents";
import { findServer } from "../src/locate";
import { type AskPartial, type Hit, Method } from "../src/protocol";
import type { Server } from "../src/server";
import { Uri, offersAssistants, participants, reset, tools, world } from "./fake-vscode";

const path = process.env["PATH"];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "edges-"));
  reset();
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
});

/** A program in a folder of its own; give the program's path. */
function program(where: string, mode = 0o755): string {
  mkdirSync(join(folder, where));
  writeFileSync(join(folder, where, "memcache-lsp"), "", { mode });
  return join(folder, where, "memcache-lsp");
}

/** The extension for Python, with the folder of its selected environment. */
function python(where?: string): (typeof world)["extensions"] {
  const uri = where && Uri.file(join(folder, where, "python"));
  const environments = {
    getActiveEnvironmentPath: () => ({ path: where }),
    resolveEnvironment: () => Promise.resolve(where === undefined ? undefined : { executable: { uri } }),
  };
  return { "ms-python.python": { packageJSON: {}, activate: () => Promise.resolve({ environments }) } };
}

test("the program is that of the setting, else of the Python environment, else on PATH", async () => {
  const [set, env, on] = [program("set"), program("env"), program("on")];
  process.env["PATH"] = ["relative", join(folder, "nothing"), join(folder, "on")].join(delimiter);
  reset({ setting: ` ${set} `, extensions: python("env") });
  assert.equal(await findServer(), set);
  reset({ extensions: python("env") });
  assert.equal(await findServer(), env);
  for (const extensions of [{}, python(), python("nothing")]) {
    reset({ extensions });
    assert.equal(await findServer(), on);
  }
  process.env["PATH"] = "";
  reset();
  assert.equal(await findServer(), undefined);
});

test("a setting that names no program is not replaced by another one, and no relative path is run", async () => {
  process.env["PATH"] = join(folder, "on");
  program("on");
  for (const setting of [join(folder, "gone"), program("plain", 0o644), "on/memcache-lsp"]) {
    reset({ setting });
    assert.equal(await findServer(), undefined, setting);
  }
  process.chdir(folder);
  process.env["PATH"] = `${delimiter}.${delimiter}on`;
  reset();
  assert.equal(await findServer(), undefined);
});

test("the Python environment of a workspace that is not trusted is not looked into", async () => {
  program("env");
  process.env["PATH"] = "";
  reset({ isTrusted: false, extensions: python("env") });
  assert.equal(await findServer(), undefined);
});

test("a Python extension that fails is as if there were none", async () => {
  const on = program("on");
  process.env["PATH"] = join(folder, "on");
  reset({ extensions: { "ms-python.python": { packageJSON: {}, activate: () => Promise.reject(new Error("broken")) } } });
  assert.equal(await findServer(), on);
});

test("a file is opened by what shows it", async () => {
  const pdf = { packageJSON: { contributes: { customEditors: [{ selector: [{ filenamePattern: "*.{epub,pdf}" }] }] } }, activate: () => Promise.resolve() };
  const option = { ...pdf, packageJSON: { contributes: { customEditors: [{ priority: "option", selector: [{ filenamePattern: "*.pdf" }] }] } } };
  const files = new Set(["/books/a.pdf", "/books/a.docx", "/project/page.html", "/books/page.html"]);
  const table: [string, Partial<typeof world>, string][] = [
    ["file:///books/a.pdf#page=2", {}, "external file:///books/a.pdf#page=2"],
    ["file:///books/a.pdf#page=2", { extensions: { pdf } }, "vscode.open file:///books/a.pdf#page=2"],
    ["file:///books/a.pdf#page=2", { extensions: { option } }, "external file:///books/a.pdf#page=2"],
    ["file:///books/a.pdf#page=2", { remoteName: "ssh-remote" }, "vscode.open file:///books/a.pdf"],
    ["file:///books/a.docx", {}, "external file:///books/a.docx"],
    ["file:///books/page.html", {}, "external file:///books/page.html"],
    ["file:///project/page.html", {}, "vscode.open file:///project/page.html"],
    ["file:///books/mail.eml", {}, "vscode.open file:///books/mail.eml"],
  ];
  for (const [uri, editor, expected] of table) {
    reset({ files, ...editor });
    await openWhole({ uri });
    assert.deepEqual(world.asked, [expected], uri);
  }
});

test("of a file that is gone no program is started", async () => {
  await assert.rejects(openWhole({ uri: "file:///books/gone.pdf#page=3" }), /There is no/);
  assert.deepEqual(world.asked, []);
});

test("a notebook is opened at its cell, and a passage as a text that nobody can save", async () => {
  await openWhole({ uri: "file:///project/plot.ipynb#cell", cell: 4 });
  await showPassage({ ...HIT, location: { ...HIT.location, page: 2, extracted: true }, breadcrumb: ["Operations"] }, {});
  assert.deepEqual(world.asked, ["notebook file:///project/plot.ipynb 3-4", "show memcache-passage:/retry.py p. 2?Operations › wait\n\ndef wait(): ..."]);
});

const RANGE = { start: { line: 11, character: 0 }, end: { line: 20, character: 0 } };
const HIT: Hit = {
  location: { uri: "file:///project/src/retry.py", range: RANGE }, path: "src/retry.py", symbol: "wait", kind: "function",
  language: "python", score: 1, snippet: "def wait(): ...", origin: "index",
}; // prettier-ignore

/** A server that says one thing; give what it was asked. */
function saying(result: object, partials: readonly AskPartial[] = []): { server: Server; requests: [string, unknown][] } {
  const requests: [string, unknown][] = [];
  const request = (method: string, params: unknown, { partial }: { partial?: (partial: AskPartial) => void }): Promise<object> => {
    requests.push([method, params]);
    for (const each of partials) partial?.(each);
    return Promise.resolve(result);
  };
  return { server: { request } as unknown as Server, requests };
}

/** Use the tool of other assistants. */
async function searched(result: object, input: object): Promise<{ text: string; asked: unknown }> {
  const { server, requests } = saying(result);
  const offered = offerToAssistants(server);
  const tool = tools.get("memcache_search");
  assert.ok(tool);
  const prepared = await tool.prepareInvocation?.({ input }, {} as vscode.CancellationToken);
  assert.match(String(prepared?.invocationMessage), /“retries”/);
  const done = await tool.invoke({ input, toolInvocationToken: undefined }, {} as vscode.CancellationToken);
  for (const each of offered) each.dispose();
  assert.equal(tools.size + participants.size, 0);
  return { text: (done?.content as { value: string }[]).map(({ value }) => value).join(""), asked: requests };
}

test("another assistant is told places, what is in them, and what could not be asked", async () => {
  const input = { query: "retries", languages: ["python"], globs: ["src/**"], caches: ["handbook"] };
  const { text, asked } = await searched({ hits: [HIT], complete: true, notes: ["attic is offline."] }, input);
  assert.equal(text, "attic is offline.\n\nsrc/retry.py:12-20 (function wait)\n```python\ndef wait(): ...\n```");
  const { query, ...scope } = input;
  assert.deepEqual(asked, [[Method.search, { query, limit: 10, scope }]]);
  const none = await searched({ hits: [], complete: true }, { query: "retries", limit: 3 });
  assert.equal(none.text, "Nothing was found.");
  assert.deepEqual(none.asked, [[Method.search, { query: "retries", limit: 3, scope: {} }]]);
});

test("an editor without interfaces for assistants is offered nothing", () => {
  offersAssistants(false);
  assert.deepEqual(offerToAssistants(saying({}).server), []);
  offersAssistants(true);
});

test("the chat participant streams sources, stage, answer and links", async () => {
  const page = { uri: "file:///books/a.pdf#page=2", range: RANGE, page: 2, extracted: true };
  const { server, requests } = saying({ message: "There is no model." }, [
    { type: "sources", items: [HIT] },
    { type: "stage", stage: "reading", percent: 40 },
    { type: "delta", seq: 0, text: "It waits [1]" },
    { type: "citation", n: 1, location: HIT.location, status: "fresh" },
    { type: "citation", n: 2, location: page, status: "fresh" },
  ]);
  const offered = offerToAssistants(server);
  const told: string[] = [];
  const where = (place: { uri: Uri } | Uri): string => (place instanceof Uri ? place.toString() : `${place.uri.toString()} lines`);
  const stream = {
    reference: (place: Uri) => told.push(`reference ${where(place)}`),
    progress: (text: string) => told.push(`progress ${text}`),
    markdown: (text: string) => told.push(text),
    anchor: (place: Uri, title: string) => told.push(`anchor ${where(place)} ${title}`),
  };
  const handler = participants.get("memcache.chat");
  await handler?.({ prompt: "how long?" } as vscode.ChatRequest, {} as never, stream as never, {} as never);
  for (const each of offered) each.dispose();
  assert.deepEqual(requests, [[Method.ask, { question: "how long?" }]]);
  assert.deepEqual(told, [
    "reference file:///project/src/retry.py lines",
    "progress reading 40 %",
    "It waits [1]",
    "\n\nThere is no model.",
    "\n\n",
    "anchor file:///project/src/retry.py lines [1]",
    "anchor file:///books/a.pdf#page=2 [2]",
  ]);
});

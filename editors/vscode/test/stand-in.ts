/** A server that says what a test wants to see: long answers at speed, stale citations, models and caches. */

import { pathToFileURL } from "node:url";
import type { AskParams, AskPartial, Cache, Cited, Hit, Model, RootStatus } from "../src/protocol";

const TOKENS = 2000;
const PER_TICK = 10; // tokens every TICK_MS: some 600 a second, many times what a model writes here
const TICK_MS = 16;

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

const models: Model[] = [
  { name: "small", sizeBytes: 98_000_000, fetched: true, used: true, use: "answer", memoryBytes: 2e8, fits: true },
  { name: "large", sizeBytes: 491_000_000, fetched: false, used: false, use: "answer", memoryBytes: 1e9, fits: true },
];
const handbook: Cache = {
  name: "handbook",
  state: "ready",
  places: [{ uri: pathToFileURL("/tmp/handbook").href, kind: "folder", state: "ready" }],
  files: { done: 3, total: 4, failed: 1, skipped: 0 },
  chunks: 9,
  failed: [{ path: "/tmp/handbook/torn.pdf", reason: "broken: it ends too early" }],
};
let caches: Cache[] = [handbook, { ...handbook, name: "attic", state: "offline", failed: [] }];
const asked: string[] = [];
/** Titles of the threads that are kept, by their ids. */
const kept = new Map<string, string>();
let isIndexed = true;
let isWhole = true; // what is there of the index
let root = "";

function send(message: object): void {
  const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
  process.stdout.write(`Content-Length: ${body.length}\r\n\r\n`);
  process.stdout.write(body);
}

function place(line: number): Cited["location"] {
  const range = { start: { line, character: 0 }, end: { line: line + 2, character: 0 } };
  return { uri: `${root}/sample.py`, range };
}

function hit(n: number): Hit {
  const about = { path: "sample.py", symbol: `wait_${n}`, kind: "function", language: "python" } as const;
  return { ...about, location: place(n * 4), score: 1 / (n + 1), snippet: `def wait_${n}():`, origin: "index" };
}

/** A place in a file that was deleted since. */
function gone(): Hit {
  return { ...hit(0), path: "gone.py", location: { ...place(0), uri: `${root}/gone.py` } };
}

/** A page and a cell, whose lines are those of the text that was read out of their files. */
function pages(): Hit[] {
  const about = { symbol: "Delays", kind: "section", score: 1, origin: "cache", cache: "handbook", breadcrumb: ["Operations"] } as const;
  const { range } = place(200);
  return [
    { ...about, path: "manual.pdf", language: "pdf", snippet: "A parcel waits for a day.", location: { uri: `${root}/manual.pdf#page=2`, range, page: 2, extracted: true } },
    { ...about, path: "notes.ipynb", language: "notebook", snippet: "Delays are plotted.", location: { uri: `${root}/notes.ipynb`, range, cell: 4, extracted: true } },
  ];
}

const SHORT = "It **waits** `base_s` [1].\n\n- The limit is made up entirely.\n- See [2, 3] and [9].\n\n<img src=x onerror=alert(1)>\n\n```python\ndef wait():\n    return 1  # seconds\n```\n";

/** Many tokens of all that Markdown has. */
function* tokens(): Generator<string> {
  const words = "The delay grows with each attempt until it meets the limit [1] and then stays there . ".split(/(?<= )/);
  for (let n = 0; n < TOKENS; n++) {
    const at = n % 200;
    if (at === 0) yield `\n\n## Part ${n / 200}\n\n`;
    else if (at === 60) yield "\n\n```python\n";
    else if (at > 60 && at < 120) yield at % 6 === 0 ? "\n" : `call_${n}(x) `;
    else if (at === 120) yield "\n```\n\n- ";
    else if (at > 120 && at % 15 === 0) yield "\n- ";
    else yield words[n % words.length] ?? "";
  }
}

async function answer(id: number | string, asks: AskParams): Promise<void> {
  const { partialResultToken: token, question, threadId } = asks;
  const isOfPages = question.startsWith("pages");
  const tell = (value: AskPartial): void => {
    send({ method: "$/progress", params: { token, value } });
  };
  const found = question.startsWith("gone") ? [gone()] : Array.from({ length: question.startsWith("half") ? 6 : 8 }, (_, n) => hit(n));
  tell({ type: "sources", items: isOfPages ? pages() : found });
  if (question.startsWith("slow")) {
    tell({ type: "stage", stage: "reading", percent: 40 });
    return; // until it is cancelled
  }
  tell({ type: "stage", stage: "writing", percent: 0 });
  let seq = 0;
  if (question.startsWith("soon") && !asked.includes(question)) isIndexed = false; // it begins to index just now
  const isFound = isIndexed;
  if (!isFound) tell({ type: "delta", seq: seq++, text: "Nothing was found. Indexing goes on." });
  else if (question.startsWith("stream")) {
    let tick = 0;
    for (const text of tokens()) {
      tell({ type: "delta", seq: seq++, text });
      if (++tick % PER_TICK === 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  } else if (isOfPages) {
    tell({ type: "delta", seq: seq++, text: "For a day [1], as is plotted [2]." });
    for (const [index, { location }] of pages().entries()) tell({ type: "citation", n: index + 1, location, status: "fresh" });
  } else {
    tell({ type: "delta", seq: seq++, text: SHORT });
    for (const n of [1, 2, 3]) tell({ type: "citation", n, location: place((n - 1) * 4), status: "fresh" });
    const start = SHORT.indexOf("The limit");
    tell({ type: "unsupported", start, end: start + "The limit is made up entirely.".length });
  }
  asked.push(question);
  const turnId = String(asked.length);
  const thread = threadId ?? `t${turnId}`;
  if (!kept.has(thread)) kept.set(thread, question);
  const usage = { promptTokens: 1, reusedTokens: 0, answerTokens: seq };
  const timings = { firstTextSeconds: 0, totalSeconds: 1 };
  const finishReason = isFound ? "stop" : "no_answer";
  const message = messageOf(asks);
  send({ id, result: { threadId: thread, turnId, finishReason, evidence: { read: 3, found: 8 }, usage, timings, ...(message && { message }) } });
  if (isOfPages) send({ method: "memcache/didReadDocument", params: { cache: "handbook", uri: `${root}/page.md`, title: "Rain" } });
  if (question.startsWith("stale")) {
    const stale: Cited[] = [{ n: 1, location: place(0), status: "stale" }];
    send({ method: "memcache/didChangeThread", params: { threadId: thread, turnId, stale } });
  }
}

function project(): RootStatus {
  const files = { done: isWhole ? 9 : 3, total: 9, failed: 0, skipped: 0 };
  return { uri: root, state: isWhole ? "ready" : "paused", files, chunks: 27, failed: [] };
}

/** Tell what a test wants to know. */
function messageOf({ question, intent, textDocument, selection }: AskParams): string | undefined {
  if (question.startsWith("rebuilt")) return `Rebuilt ${asked.filter((each) => each === "rebuild").length} times.`;
  if (question.startsWith("cold")) return `Threads kept: ${[...kept.values()].join(", ")}.`;
  return intent && `Asked to ${intent} ${textDocument?.uri.split("/").pop() ?? ""} ${selection?.start.line ?? "whole"}.`;
}

const status = { health: "ok", version: process.env["VERSION"] ?? "", mode: "in_process", pid: process.pid };
const answers: Record<string, (params: Record<string, unknown>) => unknown> = {
  initialize: (params) => {
    root = String(params["rootUri"]);
    return { capabilities: { experimental: { memcache: {} } } };
  },
  shutdown: () => null,
  "memcache/status": () => ({ ...status, quiescent: isIndexed, roots: [project()], embedder: "none", sessions: [], workers: [], queue: { questions: 0, files: 0 }, memoryBytes: 1e7 }),
  "memcache/threads": ({ action, threadId }) => {
    if (action === "delete") kept.delete(String(threadId));
    return { threads: [...kept].map(([name, title]) => ({ threadId: name, title, updated: "2026-01-31T18:05:00Z" })) };
  },
  "memcache/index": ({ action }) => {
    isIndexed = action !== "pause";
    isWhole = action !== "start";
    if (action === "rebuild") asked.push("rebuild");
    send({ method: "memcache/didChangeStatus", params: { health: "ok", quiescent: isIndexed } });
    return { roots: [] };
  },
  "memcache/models": ({ action, name }) => {
    for (const [index, model] of models.entries()) {
      if (action === "pull" && model.name === name) models[index] = { ...model, fetched: true };
      if (action === "use") models[index] = { ...model, used: model.name === name };
    }
    return { models };
  },
  "memcache/caches": ({ action, name }) => {
    if (action === "remove") caches = caches.filter((cache) => cache.name !== name);
    return { caches };
  },
  "memcache/search": ({ scope }) => ({ hits: pages(), complete: true, notes: [`Searched: ${JSON.stringify(scope)}.`] }),
};

function heard({ id, method = "", params = {} }: Message): void {
  if (method === "exit") process.exit(0);
  if (method === "initialized" && process.env["VERSION"] === "fragile") process.exit(1);
  if (method === "$/cancelRequest") send({ id: params["id"], error: { code: -32800, message: "cancelled" } });
  if (id === undefined) return;
  if (method === "memcache/ask") void answer(id, params as unknown as AskParams);
  else if (method in answers) send({ id, result: answers[method]?.(params) });
  else send({ id, error: { code: -32601, message: `The stand-in has no ${method}.` } });
}

let buffer = Buffer.alloc(0);
process.stdin.on("data", (data: Buffer) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end + 1).toString())?.[1]);
    if (end < 0 || buffer.length < end + 4 + length) return;
    const body = buffer.subarray(end + 4, end + 4 + length).toString();
    buffer = buffer.subarray(end + 4 + length);
    heard(JSON.parse(body) as Message);
  }
});
process.stdin.on("end", () => process.exit(0));

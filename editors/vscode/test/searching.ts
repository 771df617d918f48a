/** When a search is repeated and when it stops waiting, with a clock and a server of the test's own. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LOOK_MS } from "../src/looking";
import { ErrorCode, type SearchResult } from "../src/protocol";
import type { ScopeChoice } from "../src/scope";
import { Search } from "../src/search";
import { NoServer } from "../src/sentences";
import type { Server } from "../src/server";
import { type QuickPick, quickPicks } from "./fake-vscode";

const INCOMPLETE = "Search by Meaning in this project (the index is incomplete)";
const COMPLETE = "Search by Meaning in this project";

/** Lets what was promised happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Searching {
  /** The queries that were searched for. */
  readonly queries: string[] = [];
  isQuiescent = true;
  /** Of the index. */
  version = 1;
  isComplete = true;
  /** What a search comes to; a result by itself. */
  answer = (): Promise<SearchResult> => Promise.resolve({ hits: [], complete: this.isComplete });
  looks = 0;
  #onStatus: (status: { quiescent: boolean }) => void = () => undefined;
  readonly picker: QuickPick;

  constructor(private readonly context: TestContext) {
    context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const server = {
      request: (_method: string, { query }: { query: string }) => {
        this.queries.push(query);
        return this.answer();
      },
      indexed: () => {
        this.looks++;
        return Promise.resolve({ isQuiescent: this.isQuiescent, version: this.version, isWhole: true });
      },
      onStatus: (listener: (status: { quiescent: boolean }) => void) => {
        this.#onStatus = listener;
        return { dispose: () => undefined };
      },
    };
    const scope = { label: "this project", asked: {}, onChange: () => ({ dispose: () => undefined }) };
    void new Search(server as unknown as Server, scope as unknown as ScopeChoice).run();
    const made = quickPicks.pop();
    assert.ok(made);
    this.picker = made;
  }

  /** Let seconds go by. */
  async wait(seconds = 1): Promise<void> {
    for (let n = 0; n < seconds * 10; n++) {
      this.context.mock.timers.tick(LOOK_MS / 10);
      await settle();
    }
  }

  async type(text: string): Promise<void> {
    this.picker.type(text);
    await this.wait(0.5);
  }

  tell(isQuiescent: boolean): void {
    this.isQuiescent = isQuiescent;
    this.#onStatus({ quiescent: isQuiescent });
  }
}

test("what is incomplete is searched again when the indexing ended, and not before", async (context) => {
  const searching = new Searching(context);
  searching.isQuiescent = searching.isComplete = false;
  await searching.type("retries");
  await searching.wait(20);
  assert.deepEqual(searching.queries, ["retries"]);
  assert.equal(searching.picker.title, INCOMPLETE);
  searching.isQuiescent = searching.isComplete = true;
  await searching.wait(2);
  assert.deepEqual(searching.queries, ["retries", "retries"]);
  assert.equal(searching.picker.title, COMPLETE);
  const looks = searching.looks;
  await searching.wait(20);
  assert.equal(searching.looks, looks);
});

test("a paused index, which stays incomplete, is searched once more alone, until it goes on", async (context) => {
  const searching = new Searching(context);
  searching.isComplete = false;
  await searching.type("retries");
  await searching.wait(20);
  assert.equal(searching.queries.length, 2);
  assert.equal(searching.picker.title, INCOMPLETE);
  searching.tell(false); // it goes on, and ends between two looks
  searching.isComplete = true;
  searching.version++;
  searching.tell(true);
  await searching.wait();
  assert.equal(searching.queries.length, 3);
  assert.equal(searching.picker.title, COMPLETE);
});

test("a cache that was indexed between two looks is searched, though nobody told of it", async (context) => {
  const searching = new Searching(context);
  searching.isComplete = false;
  await searching.type("retries");
  await searching.wait(5);
  assert.equal(searching.queries.length, 2);
  searching.version++;
  await searching.wait(5);
  assert.equal(searching.queries.length, 3);
});

test("what ended while it was searched is searched again", async (context) => {
  const searching = new Searching(context);
  let answer: (result: SearchResult) => void = () => undefined;
  const { answer: whole } = searching;
  searching.isQuiescent = false;
  searching.answer = () => new Promise((resolve) => (answer = resolve));
  await searching.type("retries");
  searching.tell(true);
  await searching.wait(2);
  assert.deepEqual(searching.queries, ["retries"]);
  searching.answer = whole;
  answer({ hits: [], complete: false });
  await searching.wait(2);
  assert.deepEqual(searching.queries, ["retries", "retries"]);
  assert.equal(searching.picker.title, COMPLETE);
});

test("a search that the server gave up is not waited for, and one that was overtaken is", async (context) => {
  const searching = new Searching(context);
  const { answer: whole } = searching;
  const failing: (() => void)[] = [];
  const error = Object.assign(new Error("cancelled"), { code: ErrorCode.RequestCancelled });
  searching.answer = () =>
    new Promise((_, reject) => {
      failing.push(() => {
        reject(error);
      });
    });
  await searching.type("retries");
  assert.ok(searching.picker.busy);
  await searching.type("retries and");
  failing[0]?.();
  await settle();
  assert.ok(searching.picker.busy);
  failing[1]?.();
  await settle();
  assert.ok(!searching.picker.busy);
  searching.answer = whole;
  await searching.type("retries and more");
  assert.deepEqual(searching.picker.items.map(({ description }) => description), ["Nothing was found."]);
});

test("what goes wrong is told in the list, and looked at no more; without a server the list closes", async (context) => {
  const searching = new Searching(context);
  let isClosed = false;
  searching.picker.onDidHide(() => (isClosed = true));
  searching.isComplete = false;
  await searching.type("retries");
  searching.answer = () => Promise.reject(new Error("The disk is full."));
  await searching.type("retries and");
  assert.deepEqual(searching.picker.items.map(({ description }) => description), ["The disk is full."]);
  assert.ok(!searching.picker.busy);
  const { looks } = searching;
  await searching.wait(20);
  assert.equal(searching.looks, looks);
  searching.answer = () => Promise.reject(new NoServer("There is none."));
  await searching.type("retries and more");
  assert.ok(isClosed);
});

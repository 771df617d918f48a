/** How a question is asked, stopped and asked again, with a server of the test's own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type * as vscode from "vscode";
import { Conversation } from "../src/conversation";
import type { AskResult } from "../src/protocol";
import type { ScopeChoice } from "../src/scope";
import type { Indexed, Server } from "../src/server";
import { CancellationError, Disposable } from "./fake-vscode";

const NONE: AskResult = {
  threadId: "t", turnId: "1", finishReason: "no_answer", evidence: { read: 0, found: 0 },
  usage: { promptTokens: 0, reusedTokens: 0, answerTokens: 0 }, timings: { firstTextSeconds: 0, totalSeconds: 0 },
}; // prettier-ignore
const SOME: AskResult = { ...NONE, turnId: "2", finishReason: "stop" };

/** A server that is asked how far the index is, and answers as it is told; it notes what it was asked. */
class Asked {
  readonly noted: string[] = [];
  isQuiescent = true;
  answers = [SOME];
  /** While it starts it says nothing. */
  isStarting = false;
  /** Threads that it gives when it is told to. */
  readonly opened = new Map<string, Promise<unknown>>();
  readonly conversation: Conversation;

  constructor() {
    const server = {
      onThread: () => new Disposable(() => undefined),
      indexed: (_caches: readonly string[], token?: vscode.CancellationToken): Promise<Indexed> =>
        new Promise((resolve, reject) => {
          this.noted.push("look");
          token?.onCancellationRequested(() => {
            reject(new CancellationError());
          });
          if (!this.isStarting) resolve({ isQuiescent: this.isQuiescent, version: 1, isWhole: this.isQuiescent });
        }),
      quiescent: () => {
        this.noted.push("wait");
        this.isQuiescent = true;
        return Promise.resolve();
      },
      request: (method: string, { threadId }: { threadId?: string }) => {
        this.noted.push(method);
        const opened = method === "memcache/threads" && threadId !== undefined ? this.opened.get(threadId) : undefined;
        if (opened !== undefined) return opened;
        const answer = this.answers.shift() ?? SOME;
        return Promise.resolve(method === "memcache/threads" ? { threads: [], asked: answer } : answer);
      },
    };
    const memory = { get: (_name: string, none: unknown) => none, update: () => Promise.resolve() };
    this.conversation = new Conversation(server as unknown as Server, { asked: {} } as ScopeChoice, memory as unknown as vscode.Memento);
  }

  /** How the last turn stands. */
  async after(done: Promise<void>): Promise<string> {
    let last = "";
    const listener = this.conversation.onMessage((message) => {
      if (message.type === "turn") last = `${message.turn.state} ${message.turn.key}`;
    });
    await done;
    listener.dispose();
    return last.split(" ")[0] ?? "";
  }
}

test("a question is stopped also while the server starts", async () => {
  const asked = new Asked();
  asked.isStarting = true;
  const asking = asked.after(asked.conversation.ask({ question: "why?" }));
  asked.conversation.stop();
  assert.equal(await asking, "stopped");
  assert.ok(!asked.noted.includes("memcache/ask"));
});

test("a no from half an index is asked again by itself, and so is one that is asked again by hand", async () => {
  const asked = new Asked();
  let key = "";
  asked.conversation.onMessage((message) => {
    if (message.type === "turn") key = message.turn.key;
  });
  asked.answers = [NONE, NONE, SOME];
  asked.isQuiescent = false;
  await asked.conversation.ask({ question: "why?" });
  assert.deepEqual(asked.noted, ["look", "memcache/ask", "wait", "memcache/threads", "look", "memcache/ask"]);
  asked.noted.length = 0;
  asked.answers = [NONE];
  await asked.conversation.ask({ question: "why?" });
  asked.noted.length = 0;
  asked.isQuiescent = false;
  await asked.conversation.again(key);
  assert.deepEqual(asked.noted, ["look", "wait", "memcache/threads"]);
});

test("of threads that are opened the last one is shown, and no question is taken away by one that comes late", async () => {
  const asked = new Asked();
  const give = new Map<string, () => void>();
  for (const threadId of ["slow", "quick"]) {
    const thread = { threadId, title: threadId, turns: [] };
    asked.opened.set(threadId, new Promise((resolve) => give.set(threadId, () => { resolve({ threads: [thread] }); }))); // prettier-ignore
  }
  const slow = asked.conversation.open("slow");
  const quick = asked.conversation.open("quick");
  give.get("quick")?.();
  await quick;
  give.get("slow")?.();
  await slow;
  assert.equal(asked.conversation.threadId, "quick");
  const late = asked.conversation.open("slow");
  await asked.conversation.ask({ question: "why?" });
  await late;
  assert.equal(asked.conversation.threadId, SOME.threadId);
});

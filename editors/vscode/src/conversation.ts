/** The one thread that the panel shows: its turns, the question that is being answered, and what is kept of both. */

import * as vscode from "vscode";
import { moved } from "./edits";
import type { ToPanel } from "./messages";
import { fromRange, nameOf, nameOfHit } from "./places";
import { type AskParams, type AskPartial, type Location, Method, type Range, type Scope, type TextDocumentIdentifier } from "./protocol";
import type { ScopeChoice } from "./scope";
import { NoServer, isCancelled, sentence } from "./sentences";
import type { Server } from "./server";
import { type Turn, begin, finish, keptTurn, newTurn, restate, take } from "./turn";

const GATHERED_MS = 25; // how long partial results are gathered before the panel gets them
const KEPT_QUESTIONS = 50;
const HISTORY = "memcache.questions";

export type Intent = NonNullable<AskParams["intent"]>;

/** What a question is about. */
export interface About {
  readonly label: string;
  readonly textDocument: TextDocumentIdentifier;
  readonly selection?: Range;
  /** Where it is, if that is not what the user chose to ask. */
  readonly scope?: Scope;
}

export interface Question {
  readonly question: string;
  readonly intent?: Intent;
  readonly about?: About;
  /** What was chosen to be asked when it was asked first. */
  readonly scope?: Scope;
}

export class Conversation implements vscode.Disposable {
  readonly #messages = new vscode.EventEmitter<ToPanel>();
  readonly #asked = new vscode.EventEmitter<void>();
  /** What the panel is to know. */
  readonly onMessage = this.#messages.event;
  /** A question was answered, or stopped. */
  readonly onAsked = this.#asked.event;
  readonly #subscriptions: vscode.Disposable[];
  #turns: Turn[] = [];
  #questions = new Map<string, Question>();
  #threadId: string | undefined;
  #title = "";
  #running: vscode.CancellationTokenSource | undefined;
  /** Which thread is on its way; what is begun meanwhile is not taken away by it. */
  #opening: object | undefined;

  constructor(
    private readonly server: Server,
    private readonly scope: ScopeChoice,
    private readonly memory: vscode.Memento,
  ) {
    this.#subscriptions = [
      vscode.workspace.onDidChangeTextDocument((event) => {
        this.#edited(event);
      }),
      server.onThread(({ threadId, turnId, stale }) => {
        const turn = threadId === this.#threadId ? this.#turns.find((each) => each.turnId === turnId) : undefined;
        if (turn === undefined) return;
        restate(turn, stale);
        this.#tellPlaces(turn);
      }),
    ];
  }

  get threadId(): string | undefined {
    return this.#threadId;
  }

  get history(): readonly string[] {
    return this.memory.get<string[]>(HISTORY, []);
  }

  turn(key: string): Turn | undefined {
    return this.#turns.find((turn) => turn.key === key);
  }

  /** Tell everything, to a panel that knows nothing. */
  tellAll(): void {
    this.#messages.fire({ type: "thread", title: this.#title, turns: this.#turns });
    this.#messages.fire({ type: "history", questions: this.history });
  }

  /** Ask, after what is being answered was stopped; the answer streams to the panel. */
  async ask(given: Question): Promise<void> {
    // With an intent it is about a place in a file, whatever the question box says.
    const chosen = given.intent === undefined && given.about?.scope === undefined ? this.scope.asked : {};
    const question = { ...chosen, ...given };
    this.stop();
    const turn = newTurn(question.question, question.about?.label);
    this.#questions.set(turn.key, question);
    this.#begin(turn);
    const params = this.#params(question);
    await this.#answer(turn, async (wishes) => {
      await this.#remember(question.question);
      const caches = params.scope?.caches ?? [];
      let before = await this.server.indexed(caches, wishes.token);
      let result = await this.server.request(Method.ask, params, wishes);
      // It may have begun just after the question, as when the server starts.
      if (result.finishReason === "no_answer" && !(before.isQuiescent && (await this.server.indexed(caches, wishes.token)).isQuiescent)) {
        await this.#untilIndexed(turn, caches, wishes);
        // Of a question that was asked once one thread is to be listed.
        const { threadId } = result;
        if (params.threadId === undefined && threadId !== "")
          await this.server.request(Method.threads, { action: "delete", threadId }).catch(() => undefined); // it may be gone
        before = await this.server.indexed(caches, wishes.token);
        result = await this.server.request(Method.ask, params, wishes);
      }
      if (this.turn(turn.key) !== undefined) this.#threadId = result.threadId || this.#threadId; // empty where it was not kept
      finish(turn, result);
      if (!before.isWhole) turn.message = [turn.message, "Not all was indexed yet."].filter(Boolean).join(" ");
    });
  }

  /** Ask a question of the thread again. */
  async again(key: string): Promise<void> {
    const old = this.turn(key);
    if (old === undefined) return;
    const known = this.#questions.get(key) ?? { question: old.question };
    const [threadId, turnId] = [this.#threadId, old.turnId];
    if (threadId === undefined || turnId === undefined) {
      await this.ask(known);
      return;
    }
    this.stop();
    const turn = newTurn(old.question, old.about);
    this.#questions.set(turn.key, known);
    this.#begin(turn);
    await this.#answer(turn, async (wishes) => {
      const caches = known.scope?.caches ?? [];
      // Each answer is a turn of the thread that stays, so one that would say no once more is waited for before.
      const { isQuiescent } = await this.server.indexed(caches, wishes.token);
      if (old.finish === "no_answer" && !isQuiescent) await this.#untilIndexed(turn, caches, wishes);
      const params = { action: "askAgain", threadId, turnId } as const;
      const { asked } = await this.server.request(Method.threads, params, wishes);
      if (asked !== undefined) finish(turn, asked);
    });
  }

  stop(): void {
    this.#running?.cancel();
  }

  /** Begin with nothing; the next question opens a thread. */
  clear(): void {
    this.stop();
    this.#opening = undefined;
    [this.#turns, this.#threadId, this.#title] = [[], undefined, ""];
    this.#questions.clear();
    this.tellAll();
  }

  /** Show a thread that the server keeps. */
  async open(threadId: string): Promise<void> {
    const opening = (this.#opening = {});
    const { threads } = await this.server.request(Method.threads, { action: "get", threadId });
    const thread = threads.find((each) => each.threadId === threadId);
    if (thread === undefined || this.#opening !== opening) return;
    this.clear();
    [this.#threadId, this.#title] = [threadId, thread.title];
    this.#turns = (thread.turns ?? []).map(keptTurn);
    for (const { citations, names } of this.#turns)
      for (const { location } of citations) names[location.uri] = nameOf(location.uri);
    this.tellAll();
  }

  dispose(): void {
    this.stop();
    for (const each of [...this.#subscriptions, this.#messages, this.#asked]) each.dispose();
  }

  #begin(turn: Turn): void {
    this.#opening = undefined;
    if (this.#title === "") this.#title = turn.question;
    this.#turns.push(turn);
    this.#messages.fire({ type: "turn", turn });
  }

  /** Wait, for what was asked may be in what was not indexed yet; then forget that nothing was found. */
  async #untilIndexed(turn: Turn, caches: readonly string[], { flush, token }: Wishes): Promise<void> {
    flush();
    turn.message = "This is asked again when the index is complete.";
    this.#messages.fire({ type: "turn", turn });
    await this.server.quiescent(caches, token);
    begin(turn);
    this.#messages.fire({ type: "turn", turn });
  }

  async #answer(turn: Turn, ask: (wishes: Wishes) => Promise<void>): Promise<void> {
    const running = (this.#running = new vscode.CancellationTokenSource());
    const gathered = new Gathering((items) => {
      this.#messages.fire({ type: "partials", key: turn.key, items });
    });
    void vscode.commands.executeCommand("setContext", "memcache.answering", true);
    try {
      await ask({
        token: running.token,
        flush: () => {
          gathered.flush();
        },
        partial: (told) => {
          const partial = named(told);
          take(turn, partial);
          gathered.add(partial);
        },
      });
    } catch (error) {
      turn.state = isCancelled(error) ? "stopped" : "failed";
      delete turn.message; // it may promise that this is asked again
      const message = error instanceof NoServer ? error.message : sentence(error);
      if (message !== undefined) turn.message = message;
    } finally {
      gathered.flush();
      running.dispose();
      if (this.#running === running) {
        this.#running = undefined;
        void vscode.commands.executeCommand("setContext", "memcache.answering", false);
      }
      this.#messages.fire({ type: "turn", turn });
      this.#asked.fire();
    }
  }

  #params({ question, intent, about, scope = about?.scope }: Question): AskParams {
    const active = vscode.window.activeTextEditor?.document;
    const at = active?.uri.scheme === "file" ? { uri: active.uri.toString() } : undefined;
    const textDocument = about?.textDocument ?? at;
    return {
      question,
      ...(intent === undefined ? {} : { intent }),
      ...(this.#threadId === undefined ? {} : { threadId: this.#threadId }),
      ...(textDocument === undefined ? {} : { textDocument }),
      ...(about?.selection === undefined ? {} : { selection: about.selection }),
      ...(scope === undefined ? {} : { scope }),
    };
  }

  async #remember(question: string): Promise<void> {
    const others = this.history.filter((each) => each !== question);
    await this.memory.update(HISTORY, [question, ...others].slice(0, KEPT_QUESTIONS));
    this.#messages.fire({ type: "history", questions: this.history });
  }

  #edited({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const uri = document.uri.toString();
    const edits = contentChanges.map(({ range, text }) => ({ range: fromRange(range), text }));
    const here = (location: Location): boolean =>
      location.extracted !== true && vscode.Uri.parse(location.uri).toString() === uri;
    for (const turn of this.#turns) {
      if (![...turn.citations, ...turn.sources].some((each) => here(each.location))) continue;
      const follow = <T extends Turn["citations"][number] | Turn["sources"][number]>(each: T): T =>
        here(each.location) ? { ...each, location: moved(each.location, edits) } : each;
      turn.citations = turn.citations.map(follow);
      turn.sources = turn.sources.map(follow);
      this.#tellPlaces(turn);
    }
  }

  #tellPlaces({ key, citations, sources }: Turn): void {
    this.#messages.fire({ type: "places", key, citations, sources });
  }
}

/** Give sources the names that their files have in this workspace. */
function named(partial: AskPartial): AskPartial {
  if (partial.type !== "sources") return partial;
  return { ...partial, items: partial.items.map((hit) => ({ ...hit, path: nameOfHit(hit) })) };
}

interface Wishes {
  readonly token: vscode.CancellationToken;
  readonly partial: (partial: AskPartial) => void;
  /** Send what was gathered for the panel. */
  readonly flush: () => void;
}

/** Gathers what comes quickly, so that the panel is not sent a message for each token. */
class Gathering {
  #items: AskPartial[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (items: readonly AskPartial[]) => void) {}

  add(item: AskPartial): void {
    this.#items.push(item);
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, GATHERED_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    this.send(this.#items);
    this.#items = [];
  }
}

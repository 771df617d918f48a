/** The one owner of the language client: started on first use, asked by methods of the protocol. */

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  ProgressType,
  State,
  type StaticFeature,
  type WorkDoneProgressBegin,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";
import { Life } from "./life";
import { findServer } from "./locate";
import { LOOK_MS, every } from "./looking";
import {
  type AskPartial,
  type DidChangeStatusParams,
  type DidChangeThreadParams,
  type DidReadDocumentParams,
  Method,
  type Requests,
  capability,
} from "./protocol";
import { NoServer, plain, telling } from "./sentences";

/** What the server takes from an editor; the rest of the section is the extension's own. */
const TOLD = ["codeActions", "indexOnStart", "useModel", "answerTokens"] as const;
export const WORKSPACE = "workspace"; // the project's name among the caches of a scope
const ENDED = "The server ended meanwhile: ask again.";
const INDEXING = "memcache/indexing/"; // how the tokens of its progress bars begin

const declared: StaticFeature = {
  fillClientCapabilities(capabilities) {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), [capability]: true };
  },
  initialize() {
    /* nothing to begin */
  },
  getState: () => ({ kind: "static" }),
  clear() {
    /* nothing to end */
  },
};

export type ServerState = "stopped" | "starting" | "running" | "missing";

export interface Wishes {
  readonly token?: vscode.CancellationToken;
  readonly partial?: (partial: AskPartial) => void;
  readonly work?: (work: { message?: string; percentage?: number }) => void;
}

/** How far the index is of what is asked. */
export interface Indexed {
  readonly isQuiescent: boolean;
  /** Another whenever the index changed. */
  readonly version: number;
  readonly isWhole: boolean;
}

/** A client that leaves it to us to tell the user what went wrong. */
class Client extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server implements vscode.Disposable {
  readonly #status = new vscode.EventEmitter<DidChangeStatusParams>();
  readonly #thread = new vscode.EventEmitter<DidChangeThreadParams>();
  readonly #read = new vscode.EventEmitter<DidReadDocumentParams>();
  readonly #state = new vscode.EventEmitter<ServerState>();
  readonly #indexing = new vscode.EventEmitter<{ title: string; percentage: number } | undefined>();
  readonly onStatus = this.#status.event;
  readonly onThread = this.#thread.event;
  readonly onRead = this.#read.event;
  readonly onState = this.#state.event;
  readonly onIndexing = this.#indexing.event;
  readonly log = vscode.window.createOutputChannel("memcache-lsp", { log: true });
  readonly #bars = new Map<string | number, { title: string; percentage: number }>();
  readonly #settings = vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("memcache.server.path") && this.isStarted) void telling(() => this.restart());
    // It asks for them then.
    else if (event.affectsConfiguration("memcache") && this.#client?.isRunning() === true)
      void this.#client.sendNotification("workspace/didChangeConfiguration", { settings: null });
  });
  #client: LanguageClient | undefined;
  #life: Life | undefined;
  #starting: Promise<LanguageClient> | undefined;
  #stopping: Promise<void> | undefined;
  #tokens = 0;
  #stops = 0;

  get isStarted(): boolean {
    return this.#starting !== undefined;
  }

  /** Send a request; the server is started where it is not there. */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]["params"],
    wishes: Wishes = {},
  ): Promise<Requests[M]["result"]> {
    const client = await this.start();
    const listeners: vscode.Disposable[] = [];
    const tokens: { partialResultToken?: string; workDoneToken?: string } = {};
    // Before the request is sent, for what comes early is lost otherwise.
    if (wishes.partial !== undefined) {
      tokens.partialResultToken = `memcache-partial-${++this.#tokens}`;
      listeners.push(client.onProgress(new ProgressType<AskPartial>(), tokens.partialResultToken, wishes.partial));
    }
    const { work } = wishes;
    if (work !== undefined) {
      tokens.workDoneToken = `memcache-work-${++this.#tokens}`;
      const type = new ProgressType<WorkDoneProgressReport>();
      listeners.push(client.onProgress(type, tokens.workDoneToken, work));
    }
    try {
      const { token = new vscode.CancellationTokenSource().token } = wishes; // undefined would be a parameter
      return await client.sendRequest(method, { ...params, ...tokens }, token);
    } finally {
      for (const listener of listeners) listener.dispose();
    }
  }

  /**
   * Tell how far the index is of some caches, or of the project where it is among them or there are none: also where
   * indexing is paused or begins, it may be less than whole.
   */
  async indexed(asked: readonly string[] = [], token?: vscode.CancellationToken): Promise<Indexed> {
    const status = this.request(Method.status, { scope: { caches: asked } }, token && { token });
    // A stop is heard also while the server starts.
    const { quiescent, roots, caches = [], scope } = await (token === undefined ? status : unlessCancelled(status, token));
    const asksProject = asked.length === 0 || asked.includes(WORKSPACE);
    const ofCaches = caches.filter(({ name }) => asked.includes(name));
    const all = [...ofCaches, ...(asksProject ? roots : [])];
    return {
      isQuiescent: scope === undefined ? quiescent : !scope.indexing,
      version: scope?.version ?? 0,
      isWhole: all.every(({ state, files: { done, total } }) => state === "ready" || (total > 0 && done >= total)),
    };
  }

  /** Wait until nothing of them is being indexed, or somebody does not want to wait any more. */
  async quiescent(asked: readonly string[], token: vscode.CancellationToken): Promise<void> {
    const listeners: vscode.Disposable[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const giveUp = (): void => {
          reject(new vscode.CancellationError());
        };
        const look = (): void => {
          this.indexed(asked).then(({ isQuiescent }) => {
            if (isQuiescent) resolve();
          }, reject);
        };
        listeners.push(
          every(LOOK_MS, look),
          this.onStatus(look),
          this.onState((state) => {
            if (state === "stopped") reject(new Error(ENDED));
          }),
          token.onCancellationRequested(giveUp),
        );
        look();
      });
    } finally {
      for (const listener of listeners) listener.dispose();
    }
  }

  start(): Promise<LanguageClient> {
    if (this.#starting !== undefined) return this.#starting;
    const starting = this.#start().catch((error: unknown) => {
      if (this.#starting === starting) this.#starting = undefined;
      throw error;
    });
    this.#starting = starting;
    return starting;
  }

  /** Start it anew; who asks for that while it ends waits for the same, and what was being started is ended. */
  async restart(): Promise<void> {
    await (this.#stopping ??= this.stop().finally(() => {
      this.#stopping = undefined;
    }));
    const stops = this.#stops;
    await this.start().catch((error: unknown) => {
      if (this.#stops === stops) throw error; // otherwise another start has taken its place
    });
  }

  /** End it, also while it starts: who waits for it is told. */
  async stop(): Promise<void> {
    const [client, life] = [this.#client, this.#life];
    this.#starting = this.#client = this.#life = undefined;
    this.#stops++;
    const wasAsked = client?.isRunning() === true;
    if (wasAsked)
      await client.dispose(5000).catch((error: unknown) => {
        this.log.warn(`It did not end by itself: ${String(error)}`);
      });
    life?.end({ wasAsked });
    this.#forgetBars();
    this.#state.fire("stopped");
  }

  dispose(): void {
    void this.stop();
    for (const each of [this.#settings, this.#status, this.#thread, this.#read, this.#state, this.#indexing, this.log])
      each.dispose();
  }

  async #start(): Promise<LanguageClient> {
    const stops = this.#stops;
    const requireWanted = (): void => {
      if (this.#stops !== stops) throw new Error(ENDED);
    };
    this.#state.fire("starting");
    const command = await findServer();
    requireWanted();
    if (command === undefined) {
      this.#state.fire("missing");
      void tellHowToInstall();
      throw new NoServer("There is no memcache-lsp here.");
    }
    this.log.info(`Starting ${command}`);
    const life = new Life(command, (problem) => {
      if (this.#life !== life) return;
      this.#starting = this.#client = this.#life = undefined;
      this.#forgetBars();
      this.#state.fire("stopped");
      void this.#tellLost(problem);
    });
    const client = new Client("memcache", "memcache-lsp", life.begin, this.#options(life));
    client.registerFeature(declared);
    client.onNotification(Method.didChangeStatus, (status: DidChangeStatusParams) => {
      this.#status.fire(status);
    });
    client.onNotification(Method.didChangeThread, (change: DidChangeThreadParams) => {
      this.#thread.fire(change);
    });
    client.onNotification(Method.didReadDocument, (page: DidReadDocumentParams) => {
      this.#read.fire(page);
    });
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) life.answers();
      if (this.#life !== life) return;
      if (newState !== State.Running) this.#forgetBars();
      this.#state.fire(
        newState === State.Running ? "running" : newState === State.Starting ? "starting" : "stopped",
      );
    });
    [this.#client, this.#life] = [client, life];
    try {
      await client.start();
    } catch (error) {
      life.end({ wasAsked: false });
      requireWanted();
      this.#state.fire("stopped");
      throw life.problem === undefined ? error : new Error(life.problem, { cause: error });
    }
    requireWanted();
    return client;
  }

  async #tellLost(problem: string): Promise<void> {
    const [restart, log] = ["Restart", "Show Log"];
    const choice = await vscode.window.showErrorMessage(plain(problem), restart, log);
    if (choice === restart) await vscode.commands.executeCommand("memcache.restart");
    if (choice === log) this.log.show();
  }

  #options(life: Life): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: "file" }],
      outputChannel: this.log,
      initializationOptions: settings(),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: (error, _message, count) => ({
          action: life.mayGoOn(error, count) ? ErrorAction.Continue : ErrorAction.Shutdown,
          handled: true,
        }),
        closed: () => ({ action: life.startsAgain() ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true }),
      },
      middleware: {
        workspace: {
          configuration: (params) => params.items.map((item) => (item.section === "memcache" ? settings() : null)),
        },
        handleWorkDoneProgress: (token, value, next) => {
          if (String(token).startsWith(INDEXING)) this.#showIndexing(token, value);
          else next(token, value);
        },
      },
    };
  }

  #showIndexing(token: string | number, value: WorkDoneProgressBegin | WorkDoneProgressReport | { kind: "end" }): void {
    if (value.kind === "end") this.#bars.delete(token);
    else {
      const title = value.kind === "begin" ? value.title : this.#bars.get(token)?.title;
      if (title === undefined) return;
      this.#bars.set(token, { title, percentage: value.percentage ?? 0 });
    }
    this.#indexing.fire(this.#bars.get(token) ?? [...this.#bars.values()].pop());
  }

  #forgetBars(): void {
    this.#bars.clear();
    this.#indexing.fire(undefined);
  }
}

/** Give what was promised, or CancellationError as soon as somebody does not want to wait any more. */
function unlessCancelled<T>(promised: Promise<T>, token: vscode.CancellationToken): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(new vscode.CancellationError());
    };
    const listener = token.onCancellationRequested(giveUp);
    if (token.isCancellationRequested) giveUp();
    promised.then(resolve, reject).finally(() => {
      listener.dispose();
    });
  });
}

function settings(): Record<string, unknown> {
  const section = vscode.workspace.getConfiguration("memcache");
  return Object.fromEntries(TOLD.map((name) => [name, section.get(name)]));
}

async function tellHowToInstall(): Promise<void> {
  const path = vscode.workspace.getConfiguration("memcache").get<string>("server.path", "").trim();
  const what =
    path === ""
      ? "memcache-lsp was found neither in the selected Python environment nor on PATH."
      : `The setting memcache.server.path names no program: ${path}`;
  const [how, setting] = ["How to Install", "Open Settings"];
  const choice = await vscode.window.showErrorMessage(plain(what), how, setting);
  if (choice === how) await vscode.commands.executeCommand("memcache.howToInstall");
  if (choice === setting) await vscode.commands.executeCommand("workbench.action.openSettings", "memcache.server.path");
}

/** The one owner of the language client: started on first use, asked by methods of the protocol. */

import { homedir } from "node:os";
import * as vscode from "vscode";
import {
  type Executable,
  LanguageClient,
  type LanguageClientOptions,
  ProgressType,
  State,
  type StaticFeature,
  type WorkDoneProgressBegin,
  type WorkDoneProgressReport,
} from "vscode-languageclient/node";
import { findServer } from "./locate";
import {
  type AskPartial,
  type DidChangeStatusParams,
  type DidChangeThreadParams,
  type DidReadDocumentParams,
  ErrorCode,
  Method,
  type Requests,
  capability,
} from "./protocol";

/** What the server takes from an editor; the rest of the section is the extension's own. */
const TOLD = ["codeActions", "indexOnStart", "useModel", "answerTokens"] as const;
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

/** Says that there is no server; the user has been told. */
export class NoServer extends Error {}

export interface Wishes {
  readonly token?: vscode.CancellationToken;
  readonly partial?: (partial: AskPartial) => void;
  readonly work?: (work: { message?: string; percentage?: number }) => void;
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
  readonly #bars = new Map<string | number, string>();
  readonly #settings = vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("memcache.server.path") && this.isStarted) void this.restart().catch(() => undefined);
    // It asks for them then.
    else if (event.affectsConfiguration("memcache") && this.#client?.isRunning() === true)
      void this.#client.sendNotification("workspace/didChangeConfiguration", { settings: null });
  });
  #client: LanguageClient | undefined;
  #starting: Promise<LanguageClient> | undefined;
  #tokens = 0;

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

  /** Tell whether nothing is being indexed. */
  async isQuiescent(): Promise<boolean> {
    return (await this.request(Method.status, {})).quiescent;
  }

  /** Wait until nothing is being indexed, or somebody does not want to wait any more. */
  async quiescent(token: vscode.CancellationToken): Promise<void> {
    const listeners: vscode.Disposable[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const giveUp = (): void => {
          reject(new vscode.CancellationError());
        };
        listeners.push(
          this.onStatus((status) => {
            if (status.quiescent) resolve();
          }),
          this.onState((state) => {
            if (state === "stopped") giveUp();
          }),
          token.onCancellationRequested(giveUp),
        );
        // What was told before anybody listened.
        this.isQuiescent().then((is) => {
          if (is) resolve();
        }, reject);
      });
    } finally {
      for (const listener of listeners) listener.dispose();
    }
  }

  async start(): Promise<LanguageClient> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#starting = undefined;
    const client = this.#client;
    this.#client = undefined;
    await client?.dispose(5000).catch((error: unknown) => {
      this.log.warn(`It did not end by itself: ${String(error)}`);
    });
    this.#bars.clear();
    this.#indexing.fire(undefined);
    this.#state.fire("stopped");
  }

  dispose(): void {
    void this.stop();
    for (const each of [this.#settings, this.#status, this.#thread, this.#read, this.#state, this.#indexing, this.log])
      each.dispose();
  }

  async #start(): Promise<LanguageClient> {
    this.#state.fire("starting");
    const command = await findServer();
    if (command === undefined) {
      this.#state.fire("missing");
      void tellHowToInstall();
      throw new NoServer("There is no memcache-lsp here.");
    }
    this.log.info(`Starting ${command}`);
    // The home folder, for nothing of the workspace may be found by its being the current folder.
    const run: Executable = { command, args: ["serve"], options: { cwd: homedir() } };
    const client = new LanguageClient("memcache", "memcache-lsp", run, this.#options());
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
      if (newState !== State.Running) this.#forgetBars();
      this.#state.fire(
        newState === State.Running ? "running" : newState === State.Starting ? "starting" : "stopped",
      );
    });
    this.#client = client;
    await client.start();
    return client;
  }

  #options(): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: "file" }],
      outputChannel: this.log,
      initializationOptions: settings(),
      initializationFailedHandler: () => false,
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
    else if (value.kind === "begin") this.#bars.set(token, value.title);
    const title = this.#bars.get(token);
    if (title === undefined || value.kind === "end") this.#indexing.fire(undefined);
    else this.#indexing.fire({ title, percentage: value.percentage ?? 0 });
  }

  #forgetBars(): void {
    this.#bars.clear();
    this.#indexing.fire(undefined);
  }
}

/** Tell whether a request ended because it was cancelled. */
export function isCancelled(error: unknown): boolean {
  if (error instanceof vscode.CancellationError) return true;
  return error instanceof Error && "code" in error && error.code === ErrorCode.RequestCancelled;
}

/** Give the sentence of an error for the user; none where there is nothing to tell. */
export function sentence(error: unknown): string | undefined {
  if (error instanceof NoServer || isCancelled(error)) return undefined;
  return error instanceof Error ? error.message : String(error);
}

/** Do something; what goes wrong is told in one sentence. */
export async function telling(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const message = sentence(error);
    if (message !== undefined) void vscode.window.showErrorMessage(message);
  }
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
  const choice = await vscode.window.showErrorMessage(what, how, setting);
  if (choice === how) await vscode.commands.executeCommand("memcache.howToInstall");
  if (choice === setting) await vscode.commands.executeCommand("workbench.action.openSettings", "memcache.server.path");
}

/** As much of vscode as the extension's modules under test touch, with what they ask it recorded. Decides nothing. */

import type * as real from "vscode";

/** What an editor is like, to be set by a test. */
export interface World {
  setting: string;
  isTrusted: boolean;
  remoteName: string | undefined;
  /** Folders of the workspace. */
  folders: readonly string[];
  /** Other extensions, by their names. */
  extensions: Record<string, { readonly packageJSON: unknown; activate(): Promise<unknown> }>;
  /** Paths of files that are there. */
  files: ReadonlySet<string>;
  /** What was asked of the editor, in this order. */
  asked: string[];
}

export const world: World = {} as World;
export const tools = new Map<string, real.LanguageModelTool<object>>();
export const participants = new Map<string, real.ChatRequestHandler>();

/** Begin with an editor on one's own machine that has nothing else installed. */
export function reset(changed: Partial<World> = {}): void {
  const fresh = { setting: "", isTrusted: true, remoteName: undefined, folders: ["/project"], extensions: {}, files: new Set<string>(), asked: [] };
  Object.assign(world, fresh, changed);
}
reset();

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
    readonly query = "",
    readonly fragment = "",
  ) {}

  static parse(text: string): Uri {
    const { protocol, pathname, searchParams, hash } = new URL(text);
    return new Uri(protocol.slice(0, -1), decodeURIComponent(pathname), searchParams.toString(), decodeURIComponent(hash.slice(1)));
  }

  static file(path: string): Uri {
    return new Uri("file", path);
  }

  static from({ scheme, path, query }: { scheme: string; path: string; query: string }): Uri {
    return new Uri(scheme, path, query);
  }

  get fsPath(): string {
    return this.path;
  }

  with({ fragment }: { fragment: string }): Uri {
    return new Uri(this.scheme, this.path, this.query, fragment);
  }

  toString(): string {
    return `${this.scheme}://${this.path}${this.fragment && `#${this.fragment}`}`;
  }
}

class Values {
  readonly values: unknown[];
  constructor(...values: unknown[]) {
    this.values = values;
  }
}
export class Range extends Values {}
export class NotebookRange extends Values {}
export class ThemeColor extends Values {}
export class Location {
  constructor(
    readonly uri: Uri,
    readonly range: Range,
  ) {}
}
export class LanguageModelTextPart {
  constructor(readonly value: string) {}
}
export class LanguageModelToolResult {
  constructor(readonly content: readonly LanguageModelTextPart[]) {}
}
export class ThemeIcon extends Values {}
export class CancellationError extends Error {}
export class EventEmitter<T> {
  readonly #listeners = new Set<(event: T) => void>();
  readonly event = (listener: (event: T) => void): Disposable => {
    this.#listeners.add(listener);
    return new Disposable(() => this.#listeners.delete(listener));
  };
  fire(event: T): void {
    for (const listener of this.#listeners) listener(event);
  }
  dispose(): void {
    this.#listeners.clear();
  }
}
export class CancellationTokenSource {
  readonly #cancelled = new EventEmitter<undefined>();
  readonly token = {
    isCancellationRequested: false,
    /** Who listens too late is told at once, as by the editor. */
    onCancellationRequested: (listener: () => void): Disposable => {
      if (this.token.isCancellationRequested) listener();
      return this.#cancelled.event(listener);
    },
  };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.#cancelled.fire(undefined);
  }
  dispose(): void {
    this.#cancelled.dispose();
  }
}
export class Disposable {
  constructor(readonly dispose: () => void) {}
  static from(...parts: readonly { dispose(): void }[]): Disposable {
    return new Disposable(() => {
      for (const part of parts) part.dispose();
    });
  }
}
/** A list to choose from, in which a test types. */
export class QuickPick {
  title = "";
  value = "";
  busy = false;
  items: readonly real.QuickPickItem[] = [];
  readonly #typed: (() => void)[] = [];
  readonly #hidden: (() => void)[] = [];
  readonly onDidChangeValue = (act: () => void): number => this.#typed.push(act);
  readonly onDidHide = (act: () => void): number => this.#hidden.push(act);
  readonly onDidChangeActive = (): void => undefined;
  readonly onDidAccept = this.onDidChangeActive;
  readonly onDidTriggerButton = this.onDidChangeActive;
  readonly onDidTriggerItemButton = this.onDidChangeActive;
  readonly show = this.onDidChangeActive;
  readonly dispose = this.onDidChangeActive;
  hide(): void {
    for (const act of this.#hidden) act();
  }
  type(text: string): void {
    this.value = text;
    for (const act of this.#typed) act();
  }
}
export const quickPicks: QuickPick[] = [];
export const ViewColumn = { Active: -1, Beside: -2 };
export const NotebookEditorRevealType = { InCenterIfOutsideViewport: 2 };
export const TextEditorRevealType = { InCenterIfOutsideViewport: 2 };

export const window = {
  createQuickPick: () => {
    const made = new QuickPick();
    quickPicks.push(made);
    return made;
  },
  createTextEditorDecorationType: () => ({}),
  showTextDocument: (uri: Uri) => {
    world.asked.push(`show ${uri.scheme}:${uri.path}?${uri.query}`);
    return Promise.resolve();
  },
  showNotebookDocument: (notebook: { uri: Uri }) =>
    Promise.resolve({
      selections: [],
      revealRange: ({ values }: Values) => world.asked.push(`notebook ${notebook.uri.toString()} ${values.join("-")}`),
    }),
};

export const workspace = {
  get isTrusted() {
    return world.isTrusted;
  },
  get workspaceFolders() {
    return world.folders.map((path) => ({ uri: Uri.file(path) }));
  },
  getConfiguration: () => ({ get: () => world.setting }),
  getWorkspaceFolder: ({ path }: Uri) => world.folders.find((folder) => path.startsWith(`${folder}/`)),
  asRelativePath: ({ path }: Uri) => path,
  openNotebookDocument: (uri: Uri) => Promise.resolve({ uri }),
  registerTextDocumentContentProvider: () => ({}),
  onDidChangeTextDocument: () => new Disposable(() => undefined),
  fs: {
    stat: ({ path }: Uri) => (world.files.has(path) ? Promise.resolve({}) : Promise.reject(new Error(`There is no ${path}.`))),
  },
};

export const env = {
  get remoteName() {
    return world.remoteName;
  },
  openExternal: (uri: Uri) => {
    world.asked.push(`external ${uri.toString()}`);
    return Promise.resolve(true);
  },
};

export const commands = {
  executeCommand: (name: string, about: Uri | string) => {
    world.asked.push(`${name} ${about.toString()}`);
    return Promise.resolve();
  },
};

export const extensions = {
  get all() {
    return Object.values(world.extensions);
  },
  getExtension: (name: string) => world.extensions[name],
};

const forTools = {
  registerTool: (name: string, tool: real.LanguageModelTool<object>) => {
    tools.set(name, tool);
    return { dispose: () => tools.delete(name) };
  },
};

const forChat = {
  createChatParticipant: (name: string, handler: real.ChatRequestHandler) => {
    participants.set(name, handler);
    return { dispose: () => participants.delete(name) };
  },
};

// Editors that are made from VS Code may lack either.
export let lm: typeof forTools | undefined = forTools;
export let chat: typeof forChat | undefined = forChat;

export function offersAssistants(does: boolean): void {
  [lm, chat] = does ? [forTools, forChat] : [undefined, undefined];
}

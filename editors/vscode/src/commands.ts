/** The commands: what they ask the user for, and whom they call. */

import * as vscode from "vscode";
import { REBUILD, chooseModel, confirmed } from "./choices";
import type { About, Intent } from "./conversation";
import type { Parts } from "./extension";
import { fromRange, label, toRange } from "./places";
import { type AskParams, type IndexParams, Method, type Thread } from "./protocol";
import { plain, telling } from "./sentences";
import { showStatus } from "./report";

/** What a code action of the server brings. */
type Given = Partial<Pick<AskParams, "question" | "intent" | "textDocument" | "selection">>;
type Handlers = Record<string, (...given: never[]) => Promise<unknown>>;

export function registerCommands(parts: Parts): vscode.Disposable[] {
  const all = { ...asking(parts), ...finding(parts), ...indexing(parts), ...caching(parts), ...serving(parts), ...threads(parts) };
  return Object.entries(all).map(([name, run]) =>
    vscode.commands.registerCommand(`memcache.${name}`, (...given: never[]) => telling(() => run(...given))),
  );
}

function asking({ conversation, panel }: Parts): Handlers {
  const askAbout = async (intent: Intent, question: (about: string) => string, about?: About): Promise<void> => {
    if (about === undefined) return;
    await panel.show();
    await conversation.ask({ question: question(about.label), intent, about });
  };
  const explain = (about: string): string => `Explain ${about}.`;
  const callers = (about: string): string => `Who uses ${about}?`;
  const summarize = (about: string): string => `Summarize ${about}.`;
  const fixed: Partial<Record<Intent, (about: string) => string>> = { explain, callers, summarize };
  return {
    ask: async (given?: Given | string) => {
      if (typeof given === "string") {
        await panel.show();
        await conversation.ask({ question: given });
        return;
      }
      const about = given?.textDocument && aboutGiven(given.textDocument.uri, given.selection);
      const question = given?.intent && fixed[given.intent];
      if (given?.intent && question) await askAbout(given.intent, question, about);
      else await panel.focus(about);
    },
    askSelection: async () => {
      await panel.focus(aboutSelection());
    },
    explain: async () => {
      await askAbout("explain", explain, aboutSelection() ?? (await aboutSymbol()));
    },
    callers: async () => {
      await askAbout("callers", callers, aboutSelection() ?? (await aboutSymbol()));
    },
    summarize: async (uri?: vscode.Uri) => {
      const file = uri ?? vscode.window.activeTextEditor?.document.uri;
      if (file === undefined) return;
      await askAbout("summarize", summarize, aboutGiven(file.toString()));
    },
    stop: () => {
      conversation.stop();
      return Promise.resolve();
    },
    newThread: async () => {
      conversation.clear();
      await panel.focus();
    },
  };
}

function finding({ search, server }: Parts): Handlers {
  return {
    search: (query?: string) => search.run(typeof query === "string" ? query : ""),
    findSimilar: async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor === undefined) return;
      const about = aboutSelection() ?? (await aboutSymbol());
      await search.similar(editor.document.uri, about?.selection ?? fromRange(editor.selection));
    },
    whyIndexed: async () => {
      const document = vscode.window.activeTextEditor?.document;
      if (document === undefined) return;
      const params = { textDocument: { uri: document.uri.toString() } };
      const { reason } = await server.request(Method.explain, params);
      void vscode.window.showInformationMessage(plain(`${label(document.uri.toString())}: ${reason}`));
    },
  };
}

function indexing({ server }: Parts): Handlers {
  const act = async (action: IndexParams["action"]): Promise<void> => {
    const root = await chooseFolder();
    if (root !== undefined) await server.request(Method.index, { action, ...(root === "" ? {} : { root }) });
  };
  return {
    "index.start": () => act("start"),
    "index.pause": () => act("pause"),
    "index.resume": () => act("resume"),
    "index.rebuild": async () => {
      if (await confirmed("Rebuild", REBUILD)) await act("rebuild");
    },
  };
}

function caching({ caches, news, scope }: Parts): Handlers {
  return {
    caches: () => caches.show(),
    "caches.add": () => caches.add("folder"),
    "caches.addFiles": () => caches.add("files"),
    "caches.addReading": () => caches.add("reading"),
    "caches.remove": () => caches.remove(),
    news: () => news.show(),
    scope: () => scope.choose(),
  };
}

function serving({ folder, server }: Parts): Handlers {
  return {
    models: () => chooseModel(server),
    status: () => showStatus(server),
    restart: () => server.restart(),
    showLog: () => {
      server.log.show();
      return Promise.resolve();
    },
    howToInstall: async () => {
      await vscode.commands.executeCommand("markdown.showPreview", vscode.Uri.joinPath(folder, "INSTALL.md"));
    },
  };
}

function threads({ conversation, panel, server, threads: list }: Parts): Handlers {
  return {
    "threads.refresh": () => {
      list.refresh();
      return Promise.resolve();
    },
    "threads.open": async (thread: Thread) => {
      await panel.show();
      await conversation.open(thread.threadId);
    },
    "threads.delete": async (thread: Thread) => {
      await server.request(Method.threads, { action: "delete", threadId: thread.threadId });
      if (conversation.threadId === thread.threadId) conversation.clear();
      list.refresh();
    },
  };
}

/** Choose a workspace folder; empty for all of them, undefined where the user chose none. */
async function chooseFolder(): Promise<string | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length < 2) return "";
  const items = [
    { label: "All folders", uri: "" },
    ...folders.map(({ name, uri }) => ({ label: name, description: uri.fsPath, uri: uri.toString() })),
  ];
  return (await vscode.window.showQuickPick(items, { title: "Which folder?" }))?.uri;
}

function aboutGiven(uri: string, selection?: AskParams["selection"]): About {
  const textDocument = { uri };
  return { label: label(uri, selection), textDocument, ...(selection === undefined ? {} : { selection }) };
}

function aboutSelection(): About | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined || editor.selection.isEmpty) return undefined;
  return aboutGiven(editor.document.uri.toString(), fromRange(editor.selection));
}

/** What is defined where the cursor stands; the file where no extension knows. */
async function aboutSymbol(): Promise<About | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const { uri } = editor.document;
  const known = await vscode.commands.executeCommand<(vscode.DocumentSymbol | vscode.SymbolInformation)[] | undefined>(
    "vscode.executeDocumentSymbolProvider",
    uri,
  );
  const symbol = innermost(known ?? [], editor.selection.active);
  if (symbol === undefined) return aboutGiven(uri.toString());
  const about = aboutGiven(uri.toString(), fromRange(symbol.range));
  return { ...about, label: `${symbol.name} (${label(uri.toString())})` };
}

function innermost(
  symbols: readonly (vscode.DocumentSymbol | vscode.SymbolInformation)[],
  at: vscode.Position,
): { name: string; range: vscode.Range } | undefined {
  for (const symbol of symbols) {
    const range = "range" in symbol ? symbol.range : symbol.location.range;
    if (!toRange(fromRange(range)).contains(at)) continue;
    return ("children" in symbol ? innermost(symbol.children, at) : undefined) ?? { name: symbol.name, range };
  }
  return undefined;
}

/** The extension's beginning and end. The server is started by what needs it first. */

import * as vscode from "vscode";
import { offerToAssistants } from "./assistants";
import { Caches } from "./caches";
import { registerCommands } from "./commands";
import { Conversation } from "./conversation";
import { registerPassages } from "./documents";
import { News } from "./news";
import { Panel } from "./panel";
import { ScopeChoice } from "./scope";
import { Search } from "./search";
import { Server } from "./server";
import { StatusBar } from "./statusbar";
import { Threads } from "./threads";

/** What there is one of in a window. */
export interface Parts {
  readonly folder: vscode.Uri;
  readonly server: Server;
  readonly conversation: Conversation;
  readonly panel: Panel;
  readonly threads: Threads;
  readonly search: Search;
  readonly scope: ScopeChoice;
  readonly caches: Caches;
  readonly news: News;
}

export function activate(context: vscode.ExtensionContext): void {
  const server = new Server();
  const scope = new ScopeChoice(server);
  const conversation = new Conversation(server, scope, context.workspaceState);
  const panel = new Panel(context.extensionUri, conversation, scope);
  const threads = new Threads(server);
  const [search, caches, news] = [new Search(server, scope), new Caches(server, scope), new News(server, panel)];
  const parts = { folder: context.extensionUri, server, conversation, panel, threads, search, scope, caches, news };
  context.subscriptions.push(
    new StatusBar(server),
    vscode.window.registerWebviewViewProvider(Panel.id, panel),
    vscode.window.createTreeView("memcache.threads", { treeDataProvider: threads }),
    conversation.onAsked(() => {
      threads.refresh();
    }),
    server.onState((state) => {
      if (state === "running") threads.refresh();
    }),
    registerPassages(),
    ...registerCommands(parts),
    ...offerToAssistants(server),
    news,
    threads,
    panel,
    conversation,
    scope,
    server,
  );
}

/** The extension's beginning and end. The server is started by what needs it first. */

import * as vscode from "vscode";
import { offerToAssistants } from "./assistants";
import { registerCommands } from "./commands";
import { Conversation } from "./conversation";
import { Panel } from "./panel";
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
}

export function activate(context: vscode.ExtensionContext): void {
  const server = new Server();
  const conversation = new Conversation(server, context.workspaceState);
  const panel = new Panel(context.extensionUri, conversation);
  const threads = new Threads(server);
  const parts = { folder: context.extensionUri, server, conversation, panel, threads, search: new Search(server) };
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
    ...registerCommands(parts),
    ...offerToAssistants(server),
    threads,
    panel,
    conversation,
    server,
  );
}

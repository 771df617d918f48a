/** The list of threads in the side bar. */

import * as vscode from "vscode";
import { Method, type Thread } from "./protocol";
import type { Server } from "./server";

export class Threads implements vscode.TreeDataProvider<Thread>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(private readonly server: Server) {}

  refresh(): void {
    this.#changed.fire(undefined);
  }

  getTreeItem(thread: Thread): vscode.TreeItem {
    const item = new vscode.TreeItem(thread.title);
    item.id = thread.threadId;
    item.description = age(new Date(thread.updated), new Date());
    item.tooltip = `${thread.title}\n${new Date(thread.updated).toLocaleString()}`;
    item.iconPath = new vscode.ThemeIcon("comment-discussion");
    item.command = { command: "memcache.threads.open", title: "Open Thread", arguments: [thread] };
    return item;
  }

  /** List the threads; a server is not started for that. */
  async getChildren(parent?: Thread): Promise<Thread[]> {
    if (parent !== undefined || !this.server.isStarted) return [];
    const { threads } = await this.server.request(Method.threads, { action: "list" });
    return [...threads];
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

/** Tell how long ago something was, shortly. */
function age(then: Date, now: Date): string {
  const minutes = Math.max(0, Math.floor((now.getTime() - then.getTime()) / 60_000));
  if (minutes < 60) return minutes === 0 ? "now" : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

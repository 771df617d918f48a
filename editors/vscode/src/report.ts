/** What the server is at, told in a quick pick whose lines lead on. */

import * as vscode from "vscode";
import { megabytes } from "./choices";
import { type Cache, Method, type RootStatus, type StatusResult } from "./protocol";
import type { Server } from "./server";

interface Line extends vscode.QuickPickItem {
  readonly command?: string;
}

export const STATES: Record<Cache["state"], string> = {
  ready: "up to date",
  indexing: "being indexed",
  paused: "paused",
  cancelled: "stopped",
  unindexed: "not indexed",
  failed: "failed",
  offline: "offline",
};

export async function showStatus(server: Server): Promise<void> {
  const status = await server.request(Method.status, {});
  const lines = [...problems(status), ...folders(status), ...caches(status), ...rest(status), ...actions(status)];
  const options = { title: `memcache-lsp ${status.version}`, placeHolder: "Status", matchOnDescription: true };
  const chosen = await vscode.window.showQuickPick(lines, options);
  if (chosen?.command !== undefined) await vscode.commands.executeCommand(chosen.command);
}

function problems({ health, message, outside = [] }: StatusResult): Line[] {
  const told: Line[] = message === undefined ? [] : [{ label: `$(${health === "ok" ? "info" : health}) ${message}` }];
  return [...told, ...outside.map((each) => ({ label: `$(globe) ${each}` }))];
}

function folders({ roots }: StatusResult): Line[] {
  return roots.map((root) => ({
    label: `$(${icon(root.state)}) ${vscode.Uri.parse(root.uri).fsPath}`,
    description: STATES[root.state],
    detail: told(root),
    command: root.state === "paused" ? "memcache.index.resume" : "memcache.index.start",
  }));
}

function caches({ caches: added = [] }: StatusResult): Line[] {
  return added.map((cache) => ({ ...cacheLine(cache), command: "memcache.caches" }));
}

/** Tell what a cache is at. */
export function cacheLine(cache: Cache): vscode.QuickPickItem {
  const { name, state, reading } = cache;
  return {
    label: `$(${icon(state)}) ${name}`,
    description: reading === true ? `${STATES[state]}, reading folder` : STATES[state],
    detail: told(cache),
  };
}

export function icon(state: Cache["state"]): string {
  if (state === "ready") return "check";
  if (state === "offline") return "debug-disconnect";
  return state === "failed" ? "error" : "sync";
}

export function counted({ files, chunks }: RootStatus | Cache): string {
  const failed = files.failed === 0 ? "" : `, ${files.failed} failed`;
  return `${files.done} of ${files.total} files, ${chunks} pieces${failed}`;
}

function told(index: RootStatus | Cache): string {
  const { files, sizeBytes, failed, message } = index;
  return [
    counted(index),
    `${files.skipped} left out`,
    ...(sizeBytes === undefined ? [] : [megabytes(sizeBytes)]),
    ...failed.slice(0, 3).map(({ path, reason }) => `${path}: ${reason}`),
    ...(message === undefined ? [] : [message]),
  ].join(" · ");
}

function rest({ model, embedder, mode, pid, memoryBytes, workers, sessions, queue }: StatusResult): Line[] {
  const workerBytes = workers.reduce((sum, worker) => sum + (worker.memoryBytes ?? 0), 0);
  return [
    {
      label: `$(comment-discussion) ${model?.name ?? "No model: answers are quotations"}`,
      description: model?.state ?? "",
      command: "memcache.models",
    },
    {
      label: `$(server-process) ${mode === "daemon" ? "Daemon" : "Server of this editor"} ${pid}`,
      description: `${megabytes(memoryBytes + workerBytes)}, ${sessions.length} connected, ${queue.questions} questions wait`,
      detail: `Vectors by ${embedder}`,
      command: "memcache.showLog",
    },
  ];
}

function actions({ quiescent, roots }: StatusResult): Line[] {
  const paused = roots.some(({ state }) => state === "paused");
  return [
    { label: "Do", kind: vscode.QuickPickItemKind.Separator },
    { label: "$(comment-discussion) Ask…", command: "memcache.ask" },
    { label: "$(search) Search by Meaning…", command: "memcache.search" },
    ...(quiescent ? [] : [{ label: "$(debug-pause) Pause Indexing", command: "memcache.index.pause" }]),
    ...(paused ? [{ label: "$(debug-continue) Resume Indexing", command: "memcache.index.resume" }] : []),
    { label: "$(refresh) Rebuild Index…", command: "memcache.index.rebuild" },
    { label: "$(debug-restart) Restart Server", command: "memcache.restart" },
    { label: "$(output) Show Log", command: "memcache.showLog" },
  ];
}

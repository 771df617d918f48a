/** How what changes without a notification is looked at. */

import * as vscode from "vscode";

export const LOOK_MS = 1000; // how often it is looked whether an indexing ended: of a cache nobody is told

export function every(ms: number, act: () => void): vscode.Disposable {
  const timer = setInterval(act, ms);
  return new vscode.Disposable(() => {
    clearInterval(timer);
  });
}

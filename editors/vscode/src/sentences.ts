/** What went wrong, in a sentence for the user where there is something to tell. */

import * as vscode from "vscode";
import { ErrorCode } from "./protocol";

/** Says that there is no server; the user has been told. */
export class NoServer extends Error {}

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

/** Give a text for a notification, where VS Code makes a link that may run a command of `[…](…)`. */
export function plain(text: string): string {
  return text.replaceAll("](", "] (");
}

/** Do something; what goes wrong is told in one sentence. */
export async function telling(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const message = sentence(error);
    if (message !== undefined) void vscode.window.showErrorMessage(plain(message));
  }
}

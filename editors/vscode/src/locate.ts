/** Finds the server's program: by setting, in the selected Python environment, on PATH. Starts nothing. */

import { access, constants } from "node:fs/promises";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import * as vscode from "vscode";

const NAMES = process.platform === "win32" ? ["memcache-lsp.exe", "memcache-lsp.cmd"] : ["memcache-lsp"];

/** What the extension ms-python.python offers to others, as far as it is needed. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(
      environment: unknown,
    ): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
  };
}

/** Return the program's full path, or undefined where there is none. */
export async function findServer(): Promise<string | undefined> {
  const setting = vscode.workspace.getConfiguration("memcache").get<string>("server.path", "").trim();
  if (setting !== "") return (await isProgram(setting)) ? setting : undefined;
  // A workspace that is not trusted may bring its own environment.
  const folders = vscode.workspace.isTrusted ? [await pythonFolder()] : [];
  folders.push(...(process.env["PATH"] ?? "").split(delimiter));
  for (const folder of folders) {
    if (folder === undefined || !isAbsolute(folder)) continue;
    for (const name of NAMES) if (await isProgram(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

async function pythonFolder(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  try {
    const environments = (await extension?.activate())?.environments;
    const resource = vscode.workspace.workspaceFolders?.[0]?.uri;
    const found = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath(resource));
    return found?.executable.uri && dirname(found.executable.uri.fsPath);
  } catch {
    return undefined; // another extension's trouble is told by that extension
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return isAbsolute(path);
  } catch {
    return false;
  }
}

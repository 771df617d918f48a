/** Opens files as a whole, of which the server read out a text: where their page or cell is, if that can be shown. */

import * as vscode from "vscode";
import type { Hit, Location } from "./protocol";
import { spot } from "./spots";

const BINARY = /\.(pdf|docx|epub|gz|bz2|xz|zst)$/i;
const NOTEBOOK = /\.ipynb$/i;
const WEB_PAGE = /\.x?html?$/i;
const PASSAGE = "memcache-passage"; // scheme of documents that hold their text in their URI

type Showing = Pick<vscode.TextDocumentShowOptions, "viewColumn" | "preserveFocus" | "preview">;

/** What an extension says of its own editors. */
interface Contributed {
  readonly contributes?: { readonly customEditors?: readonly CustomEditor[] };
}

interface CustomEditor {
  readonly priority?: string;
  readonly selector?: readonly { readonly filenamePattern?: string }[];
}

/** Open a file by what shows it best: a notebook's or an extension's editor, as text, or a program of the system. */
export async function openWhole(place: Pick<Location, "uri" | "cell">, showing: Showing = {}): Promise<void> {
  const uri = vscode.Uri.parse(place.uri);
  const isElsewhere = vscode.env.remoteName !== undefined; // the system's programs do not see its files
  if (NOTEBOOK.test(uri.path)) await openNotebook(uri, place.cell, showing);
  else if (hasEditor(uri.path)) await vscode.commands.executeCommand("vscode.open", uri, showing);
  else if (!isElsewhere && isForPrograms(uri)) await openExternally(uri);
  else await openAsText(uri, showing);
}

/** Show the passage of a hit that no editor shows in its file. */
export async function showPassage(hit: Hit, showing: Showing): Promise<void> {
  const name = (hit.path.split("/").pop() ?? hit.path) + spot(hit.location);
  const uri = vscode.Uri.from({ scheme: PASSAGE, path: `/${name}`, query: passageOf(hit) });
  await vscode.window.showTextDocument(uri, showing);
}

/** Give what was read at a hit, below the headings around it. */
export function passageOf({ breadcrumb = [], symbol, snippet }: Hit): string {
  const headings = [...breadcrumb, symbol].filter(Boolean).join(" › ");
  return [headings, snippet].filter(Boolean).join("\n\n");
}

export function registerPassages(): vscode.Disposable {
  const provider = { provideTextDocumentContent: (uri: vscode.Uri) => uri.query };
  return vscode.workspace.registerTextDocumentContentProvider(PASSAGE, provider);
}

async function openNotebook(uri: vscode.Uri, cell: number | undefined, showing: Showing): Promise<void> {
  const notebook = await vscode.workspace.openNotebookDocument(uri.with({ fragment: "" }));
  const editor = await vscode.window.showNotebookDocument(notebook, showing);
  if (cell === undefined) return;
  const range = new vscode.NotebookRange(cell - 1, cell);
  editor.selections = [range];
  editor.revealRange(range, vscode.NotebookEditorRevealType.InCenterIfOutsideViewport);
}

/** Tell whether an extension has an editor for files of this kind, which it opens by default. */
function hasEditor(path: string): boolean {
  const ending = /\.(\w+)$/.exec(path)?.[1];
  if (ending === undefined) return false;
  const named = new RegExp(`[.{,]${ending}(?:[,}]|$)`, "i"); // as in *.pdf and *.{pdf,epub}
  return vscode.extensions.all.some((extension) => {
    const { contributes } = extension.packageJSON as Contributed;
    return (contributes?.customEditors ?? []).some(
      ({ priority, selector = [] }) =>
        priority !== "option" && selector.some(({ filenamePattern = "" }) => named.test(filenamePattern)),
    );
  });
}

/** A web page of the workspace is source text, one that was saved elsewhere is for reading. */
function isForPrograms(uri: vscode.Uri): boolean {
  if (WEB_PAGE.test(uri.path)) return vscode.workspace.getWorkspaceFolder(uri) === undefined;
  return BINARY.test(uri.path);
}

async function openExternally(uri: vscode.Uri): Promise<void> {
  await vscode.workspace.fs.stat(uri.with({ fragment: "" })); // no program tells that a file is gone
  await vscode.env.openExternal(uri);
}

/** Open text; of what is none the editor tells that. */
async function openAsText(uri: vscode.Uri, showing: Showing): Promise<void> {
  await vscode.commands.executeCommand("vscode.open", uri.with({ fragment: "" }), showing);
}

/** Places in files: between the protocol and vscode, and on the screen. */

import { homedir } from "node:os";
import { sep } from "node:path";
import * as vscode from "vscode";
import { openWhole } from "./documents";
import type { Hit, Location, Range } from "./protocol";
import { lastLine, spot } from "./spots";

const PEEKED_LINES = 14;
const HIGHLIGHT = vscode.window.createTextEditorDecorationType({
  backgroundColor: new vscode.ThemeColor("editor.rangeHighlightBackground"),
  isWholeLine: true,
});

export function toRange(range: Range): vscode.Range {
  return new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character);
}

/** Give a range of the editor as the protocol has it. */
export function fromRange(range: vscode.Range): Range {
  const { start, end } = range;
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}

/** Name a file for people: its path in its folder, which is named where there are several, or in the home folder. */
export function nameOf(uri: string): string {
  const path = vscode.workspace.asRelativePath(vscode.Uri.parse(uri));
  const home = homedir() + sep;
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path;
}

/** Name a hit's file: that of a cache is named as the cache has it. */
export function nameOfHit({ location, path, cache }: Hit): string {
  return cache === undefined ? nameOf(location.uri) : path;
}

/** Name a place for people: `src/retry.py:12-20`. */
export function label(uri: string, range?: Range): string {
  return nameOf(uri) + (range === undefined ? "" : spot({ range }));
}

/** Open a place: the cursor at its beginning, its lines highlighted until the cursor moves; or the file as a whole. */
export async function open(location: Location, options: vscode.TextDocumentShowOptions = {}): Promise<void> {
  if (location.extracted === true) {
    await openWhole(location, options);
    return;
  }
  const range = toRange(location.range);
  const start = new vscode.Range(range.start, range.start);
  const editor = await vscode.window.showTextDocument(vscode.Uri.parse(location.uri), { ...options, selection: start });
  highlight(editor, new vscode.Range(range.start.line, 0, lastLine(location.range), 0));
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

function highlight(editor: vscode.TextEditor, lines: vscode.Range): void {
  editor.setDecorations(HIGHLIGHT, [lines]);
  const first = lines.start.line;
  const subscription = vscode.window.onDidChangeTextEditorSelection((event) => {
    if (event.textEditor === editor && event.selections[0]?.active.line === first) return;
    if (event.textEditor === editor) editor.setDecorations(HIGHLIGHT, []);
    else if (vscode.window.visibleTextEditors.includes(editor)) return;
    subscription.dispose(); // an editor that is not seen any more is never shown again, but another one for its text
  });
}

/** Read the lines of a place as they are now: in the editor, or on disk. */
export async function read(location: Location): Promise<{ text: string; language: string } | undefined> {
  const uri = vscode.Uri.parse(location.uri);
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  const first = location.range.start.line;
  const last = Math.min(lastLine(location.range), first + PEEKED_LINES - 1);
  try {
    const text = open?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
    const lines = text.split(/\r\n|\n|\r/).slice(first, last + 1);
    return { text: lines.join("\n"), language: open?.languageId ?? "" };
  } catch {
    return undefined; // the file is gone
  }
}

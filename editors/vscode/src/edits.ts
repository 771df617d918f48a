/** Where lines are after an edit. Must not import vscode. */

import type { Location, Position, Range } from "./protocol";

/** A change of a document: a range of it was replaced by a text. */
export interface Edit {
  readonly range: Range;
  readonly text: string;
}

/** Give the place where a location is after edits of one change, which are all told in the text before it. */
export function moved<T extends Location>(location: T, edits: readonly Edit[]): T {
  // From the last one backwards, so that those before it still mean the text as it was.
  const ordered = [...edits].sort((a, b) => compare(b.range.start, a.range.start));
  const range = ordered.reduce(after, location.range);
  return range === location.range ? location : { ...location, range };
}

function after(range: Range, edit: Edit): Range {
  const added = edit.text.split(/\r\n|\n|\r/).length - 1 - (edit.range.end.line - edit.range.start.line);
  if (added === 0 || compare(edit.range.start, range.end) >= 0) return range;
  if (compare(edit.range.end, range.start) <= 0) return { start: down(range.start, added), end: down(range.end, added) };
  if (compare(edit.range.start, range.start) >= 0 && compare(edit.range.end, range.end) <= 0)
    return { start: range.start, end: down(range.end, added) };
  const start = compare(edit.range.start, range.start) < 0 ? edit.range.start : range.start;
  const end = down(range.end, added);
  return { start, end: compare(end, start) > 0 ? end : { line: start.line + 1, character: 0 } };
}

function down(position: Position, lines: number): Position {
  return { line: Math.max(0, position.line + lines), character: position.character };
}

function compare(a: Position, b: Position): number {
  return a.line - b.line || a.character - b.character;
}

/** How a place in a file is told: its lines, its page or its cell. Must not import vscode. */

import type { Location, Range } from "./protocol";

/** The last line of a range, which may end at character 0 of the line after it. */
export function lastLine({ start, end }: Range): number {
  return end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
}

/** What stands behind a file's name: `:12-20`, ` p. 12`, ` cell 4`; nothing where its lines are not the file's own. */
export function spot({ range, page, cell, extracted }: Omit<Location, "uri">): string {
  if (page !== undefined) return ` p. ${page}`;
  if (cell !== undefined) return ` cell ${cell}`;
  if (extracted === true) return "";
  const [first, last] = [range.start.line + 1, lastLine(range) + 1];
  return first === last ? `:${first}` : `:${first}-${last}`;
}

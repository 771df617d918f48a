/** A question and its answer as the panel shows them, and how what streams changes them. Must not import vscode. */

import type { AskPartial, AskResult, AskStage, Cited, Hit, Location, Turn as Kept } from "./protocol";

export interface Stretch {
  readonly start: number;
  readonly end: number;
}

export type TurnState = "running" | "done" | "stopped" | "failed";

export interface Turn {
  /** Unique among all turns that are shown. */
  readonly key: string;
  turnId?: string;
  readonly question: string;
  /** What the question is about, such as `retry.py:12-20`. */
  readonly about?: string;
  sources: readonly Hit[];
  /** The number of the first source; lower ones are those of earlier turns. */
  first: number;
  citations: Cited[];
  /** The same as they came. */
  asRead: readonly Cited[];
  unsupported: Stretch[];
  text: string;
  stage?: AskStage;
  state: TurnState;
  finish?: AskResult["finishReason"];
  /** One sentence for the user. */
  message?: string;
  /** Names of the cited files, by URI. */
  names: Record<string, string>;
}

let count = 0;

export function newTurn(question: string, about?: string): Turn {
  const key = `turn-${++count}`;
  return { key, question, ...nothing(), state: "running", ...(about === undefined ? {} : { about }) };
}

function nothing(): Pick<Turn, "sources" | "first" | "citations" | "asRead" | "unsupported" | "text" | "names"> {
  return { sources: [], first: 1, citations: [], asRead: [], unsupported: [], text: "", names: {} };
}

/** Show a turn that the server kept. */
export function keptTurn(kept: Kept): Turn {
  const turn = newTurn(kept.question);
  turn.turnId = kept.turnId;
  turn.text = kept.answer;
  cite(turn, kept.citations);
  turn.state = kept.finishReason === undefined ? "stopped" : "done";
  if (kept.finishReason !== undefined) turn.finish = kept.finishReason;
  return turn;
}

/** Take what streamed. */
export function take(turn: Turn, partial: AskPartial): void {
  switch (partial.type) {
    case "sources":
      turn.sources = partial.items;
      turn.first = partial.first ?? 1;
      break;
    case "stage":
      turn.stage = partial;
      break;
    case "delta":
      turn.text += partial.text;
      break;
    case "citation":
      cite(turn, [...turn.citations, withoutType(partial)]);
      break;
    case "unsupported":
      turn.unsupported.push({ start: partial.start, end: partial.end });
      break;
  }
}

/** Forget what streamed, for the question is asked anew. */
export function begin(turn: Turn): void {
  Object.assign(turn, { ...nothing(), state: "running" });
  delete turn.stage;
  delete turn.message;
}

/** Take the end of an answer. */
export function finish(turn: Turn, result: AskResult): void {
  turn.state = "done";
  turn.turnId = result.turnId;
  turn.finish = result.finishReason;
  if (result.answer !== undefined) turn.text = result.answer;
  if (result.citations !== undefined) cite(turn, result.citations);
  if (result.message !== undefined) turn.message = result.message;
}

function cite(turn: Turn, citations: readonly Cited[]): void {
  turn.citations = [...citations];
  turn.asRead = [...citations];
}

function withoutType({ n, location, status, at }: AskPartial & { type: "citation" }): Cited {
  return { n, location, status, ...(at === undefined ? {} : { at }) };
}

/**
 * Replace the citations that changed, each being the nearest one of its number, at all marks that stand for its lines. All
 * others say what was read, where it was read.
 */
export function restate(turn: Turn, changed: readonly Cited[]): void {
  const stale = new Set<number>();
  for (const now of changed) {
    const line = now.location.range.start.line;
    const [best] = turn.citations
      .map((cited) => ({ cited, away: Math.abs(cited.location.range.start.line - line) }))
      .filter(({ cited }) => cited.n === now.n)
      .sort((a, b) => a.away - b.away);
    if (best === undefined) continue;
    // What is told of a text that was read out has no page or cell.
    const { uri, page, cell } = best.cited.location;
    const kept = { uri, ...(page === undefined ? {} : { page }), ...(cell === undefined ? {} : { cell }) };
    const stated = now.location.extracted === true ? { ...now, location: { ...now.location, ...kept } } : now;
    const was = best.cited.location;
    turn.citations = turn.citations.map((each, at) => {
      if (each.n !== now.n || !isSame(each.location, was)) return each;
      stale.add(at);
      return { ...stated, ...(each.at === undefined ? {} : { at: each.at }) };
    });
  }
  turn.citations = turn.citations.map((each, at) => (stale.has(at) || each.status === "fresh" ? each : fresh(each, turn.asRead[at])));
}

/** A citation that says again what was read; of one that did not when it came, the first lines are not known. */
function fresh(now: Cited, asRead: Cited | undefined): Cited {
  return asRead?.status === "fresh" ? asRead : { ...now, status: "fresh" };
}

function isSame(one: Location, other: Location): boolean {
  const [a, b] = [one.range, other.range];
  return one.uri === other.uri && a.start.line === b.start.line && a.end.line === b.end.line;
}

/** The place that `[n]` stands for in the mark at `at`, or at all: the cited lines, or else the source. */
export function cited(turn: Turn, n: number, at?: number): Cited | Hit | undefined {
  const all = turn.citations.filter((each) => each.n === n);
  if (at === undefined) return all[0] ?? source(turn, n);
  return all.find((each) => each.at === at) ?? all.find((each) => each.at === undefined) ?? source(turn, n);
}

export function source({ sources, first }: Turn, n: number): Hit | undefined {
  return sources[n - first];
}

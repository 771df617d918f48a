/** What needs no editor: how places are told, lines after edits, Markdown in pieces, a turn's life. */

import "./conversing";
import "./edges";
import "./lives";
import "./searching";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, moved } from "../src/edits";
import type { Cited, Hit, Location, Range } from "../src/protocol";
import { plain } from "../src/sentences";
import { spot } from "../src/spots";
import { type Stretch, cited, finish, keptTurn, newTurn, restate, take } from "../src/turn";
import { render } from "../webview/markdown";

const lines = (start: number, end: number): Range => ({ start: { line: start, character: 0 }, end: { line: end, character: 0 } });
const edit = (start: number, end: number, text: string): Edit => ({ range: lines(start, end), text });
const place = (range: Range): Cited["location"] => ({ uri: "file:///a.py", range });
const citation = (n: number, line: number, status: Cited["status"] = "fresh"): Cited => ({ n, status, location: place(lines(line, line + 2)) });

/** A generator of numbers that is the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) yield (state = (state * 48271) % 2147483647) / 2147483647;
}

test("a place follows edits", () => {
  const table: [string, Edit[], Range][] = [
    ["nothing", [], lines(10, 12)],
    ["below", [edit(12, 12, "x\n")], lines(10, 12)],
    ["within a line", [edit(3, 3, "word")], lines(10, 12)],
    ["above, inserted", [edit(0, 0, "a\nb\n")], lines(12, 14)],
    ["just before", [edit(10, 10, "a\n")], lines(11, 13)],
    ["above, deleted", [edit(2, 5, "")], lines(7, 9)],
    ["inside", [edit(11, 11, "a\n")], lines(10, 13)],
    ["all of it deleted", [edit(8, 20, "")], lines(8, 9)],
    ["two at once", [edit(0, 0, "a\n"), edit(4, 6, "")], lines(9, 11)],
  ];
  for (const [name, edits, expected] of table) assert.deepEqual(moved(place(lines(10, 12)), edits).range, expected, name);
});

test("a place holds the lines that it held, whatever is edited beside it", () => {
  const random = numbers(7);
  const below = (n: number): number => Math.floor(random.next().value * n);
  for (let round = 0; round < 500; round++) {
    let text = Array.from({ length: 30 }, (_, n) => `line ${n}`);
    let at = place(lines(10, 13));
    for (let step = 0; step < 5; step++) {
      const above = below(2) === 0;
      const [low, high] = above ? [0, at.range.start.line] : [at.range.end.line, text.length];
      const start = low + below(high - low);
      const end = Math.min(high, start + below(3));
      const added = Array.from({ length: below(4) }, (_, n) => `new ${round} ${step} ${n}`);
      text = [...text.slice(0, start), ...added, ...text.slice(end)];
      at = moved(at, [edit(start, end, added.map((line) => `${line}\n`).join(""))]);
    }
    assert.deepEqual(text.slice(at.range.start.line, at.range.end.line), ["line 10", "line 11", "line 12"]);
  }
});

const MARKDOWN = `The delay [1] doubles *each* time [2, 3].

## Limits

- first \`[4]\` point
- second point [5]

1. one

   inner text
2. two

\`\`\`python
def wait(): # [6]

    return 1
\`\`\`
| a | b |
|---|---|
| 1 | [7] |

> quoted
lazy

Title
===
[1]: not-a-definition
<b>no html</b> ![no](image.png) [bad](javascript:alert) end.
`;

/** Render as the panel does it: what is done is not touched again. */
function inPieces(text: string, cuts: readonly number[], unsupported: readonly Stretch[]): string {
  let [html, done] = ["", 0];
  for (const cut of [...cuts, text.length]) {
    const rendered = render(text.slice(done, cut), done, unsupported);
    html += rendered.done;
    done += rendered.doneLength;
    if (cut === text.length) html += rendered.open;
  }
  return html;
}

test("Markdown in pieces is the same as in one", () => {
  const random = numbers(11);
  const at = (): number => Math.floor(random.next().value * MARKDOWN.length);
  for (let round = 0; round < 300; round++) {
    const cuts = Array.from({ length: 8 }, at).sort((a, b) => a - b);
    assert.equal(inPieces(MARKDOWN, cuts, []), inPieces(MARKDOWN, [], []), `cut at ${cuts.join(", ")}`);
  }
});

test("citations become buttons, and nothing of the text becomes HTML", () => {
  const html = inPieces(MARKDOWN, [], []);
  const numbered = [...html.matchAll(/data-n="(\d+)"/g)].map(([, n]) => Number(n));
  assert.deepEqual(numbered, [1, 2, 3, 5, 7, 1]);
  assert.ok(html.includes("&lt;b&gt;no html&lt;/b&gt;"));
  assert.ok(!/<img|javascript:[^<]*"/.test(html));
});

test("a button tells where its mark stands, whatever was rendered before it", () => {
  const text = `\u{1D11E} One [1].\n\n\`[1]\` and [1](https://a.example), then [1, 2].\n\n- so [1]`;
  for (const stretches of [[], [{ start: 0, end: 8 }, { start: 12, end: text.length }]]) {
    const html = inPieces(text, [20], stretches);
    const told = [...html.matchAll(/data-n="(\d)" data-at="(\d+)"/g)].map(([, n, at]) => [Number(n), Number(at)]);
    const second = text.indexOf("[1, 2]");
    assert.deepEqual(told, [[1, text.indexOf("[1]")], [1, second], [2, second], [1, text.lastIndexOf("[1]")]]);
    assert.ok(!/[\u{100000}-\u{10FFFD}]/u.test(html));
  }
});

test("a range is a button for each of its numbers, all at one place", () => {
  const numbers = (text: string): string[] => [...inPieces(text, [], []).matchAll(/data-n="(\d+)" data-at="(\d+)"/g)].map(([, n, at]) => `${n} at ${at}`);
  assert.deepEqual(numbers("So [1-3]."), ["1 at 3", "2 at 3", "3 at 3"]);
  assert.deepEqual(numbers("So [1, 4–5]; [2-900]"), ["1 at 3", "4 at 3", "5 at 3", "2 at 13", "900 at 13"]);
  assert.deepEqual(numbers("So [5-3]"), ["5 at 3", "3 at 3"]);
});

test("icons of fonts stay, and what could be taken for our marks does not", () => {
  const html = inPieces("A \uE001 or \u{F0A1E} icon `\u{F0A1E}` [1]. \u{10FFFC}\u{100002}", [], [{ start: 0, end: 4 }]);
  assert.match(html, /\uE001 <\/mark>or \u{F0A1E} icon <code>\u{F0A1E}<\/code>/u);
  assert.ok(!/[\u{100000}-\u{10FFFD}]/u.test(html));
});

test("each mark of a number leads to its own lines", () => {
  const turn = newTurn("how long?");
  const hit: Hit = { location: place(lines(1, 2)), path: "a.py", symbol: "", kind: "block", language: "python", score: 1, snippet: "", origin: "index" };
  take(turn, { type: "sources", items: [hit] });
  for (const [line, at] of [[4, 10], [40, 20], [4, 30]] as const) take(turn, { type: "citation", ...citation(1, line), at });
  const line = (at?: number): number | undefined => cited(turn, 1, at)?.location.range.start.line;
  assert.deepEqual([line(10), line(20), line(30), line()], [4, 40, 4, 4]);
  assert.equal(line(25), 1, "the source, for a mark whose lines are gone");
  restate(turn, [citation(1, 6, "moved")]);
  assert.deepEqual([line(10), line(20), line(30)], [6, 40, 6]);
  assert.deepEqual(turn.citations.map(({ at }) => at), [10, 20, 30]);
  const kept = keptTurn({ turnId: "1", question: "why?", answer: "Be", citations: [citation(1, 4)] });
  assert.equal(cited(kept, 1, 10)?.location.range.start.line, 4, "of an answer whose marks are not known");
});

test("a stretch is marked wherever it begins and ends", () => {
  const said = (start: number, end: number): string => {
    const html = inPieces(MARKDOWN, [], [{ start, end }]);
    assert.ok(!/[\u{100000}-\u{10FFFD}]/u.test(html), `${start} to ${end}`);
    assert.equal(html.replace(/<mark[^>]*>|<\/mark>/g, ""), inPieces(MARKDOWN, [], []), `${start} to ${end}`);
    return [...html.matchAll(/<mark[^>]*>(.*?)<\/mark>/gs)].map(([, text]) => text).join("");
  };
  const from = MARKDOWN.indexOf("- second");
  assert.match(said(from, from + "- second point".length), /^second point$/);
  assert.match(said(0, 9), /^The delay$/);
  const random = numbers(5);
  for (let round = 0; round < 300; round++) {
    const start = MARKDOWN.search(/The/) + Math.floor(random.next().value * 40);
    said(start, start + Math.floor(random.next().value * 30));
  }
});

test("a turn takes what streams, ends, and learns what no longer holds", () => {
  const turn = newTurn("how long?");
  take(turn, { type: "delta", seq: 0, text: "It " });
  take(turn, { type: "delta", seq: 1, text: "waits [1]." });
  for (const line of [4, 40]) take(turn, { type: "citation", ...citation(1, line) });
  const usage = { promptTokens: 1, reusedTokens: 0, answerTokens: 2 };
  const timings = { firstTextSeconds: 0, totalSeconds: 1 };
  finish(turn, { threadId: "t", turnId: "1", finishReason: "stop", evidence: { read: 1, found: 1 }, usage, timings });
  assert.deepEqual([turn.text, turn.state, turn.turnId], ["It waits [1].", "done", "1"]);
  restate(turn, [citation(1, 43, "moved")]);
  const stated = (): [string, number][] => turn.citations.map(({ status, location }) => [status, location.range.start.line]);
  assert.deepEqual(stated(), [["fresh", 4], ["moved", 43]]);
  restate(turn, [citation(1, 4, "stale")]);
  assert.deepEqual(stated(), [["stale", 4], ["fresh", 40]], "the second is where it was read again");
  restate(turn, []);
  assert.deepEqual(stated(), [["fresh", 4], ["fresh", 40]]);
});

test("a place is told by its lines, page or cell, and not by lines that nobody sees", () => {
  const table: [Omit<Location, "uri">, string][] = [
    [{ range: lines(11, 20) }, ":12-20"],
    [{ range: lines(11, 12) }, ":12"],
    [{ range: { start: { line: 3, character: 2 }, end: { line: 4, character: 1 } } }, ":4-5"],
    [{ range: lines(300, 310), page: 12, extracted: true }, " p. 12"],
    [{ range: lines(30, 31), cell: 4, extracted: true }, " cell 4"],
    [{ range: lines(30, 31), extracted: true }, ""],
  ];
  for (const [place, told] of table) assert.equal(spot(place), told);
});

test("a citation whose text changed is still that of its page", () => {
  const turn = newTurn("how long?");
  const location = { uri: "file:///a.pdf#page=2", range: lines(40, 42), page: 2, extracted: true };
  take(turn, { type: "citation", n: 1, location, status: "fresh" });
  const now = { uri: "file:///a.pdf", range: lines(44, 46), extracted: true };
  restate(turn, [{ n: 1, location: now, status: "moved" }]);
  assert.deepEqual(turn.citations, [{ n: 1, location: { ...location, range: lines(44, 46) }, status: "moved" }]);
});

test("nothing in a notification is a link", () => {
  assert.equal(plain("New in notes: [free](command:workbench.action.quit)"), "New in notes: [free] (command:workbench.action.quit)");
});

test("the sources of a later turn of a thread go on counting", () => {
  const turn = newTurn("and then?");
  const hit: Hit = { location: place(lines(1, 2)), path: "a.py", symbol: "", kind: "block", language: "python", score: 1, snippet: "", origin: "index" };
  take(turn, { type: "sources", items: [hit], first: 9 });
  assert.deepEqual([cited(turn, 1), cited(turn, 9)], [undefined, hit]);
});

test("a turn that was stopped is kept as such", () => {
  const kept = { turnId: "1", question: "why?", answer: "Be", citations: [] };
  assert.equal(keptTurn(kept).state, "stopped");
  assert.equal(keptTurn({ ...kept, finishReason: "stop" }).state, "done");
});

/** What needs no editor: how places are told, lines after edits, Markdown in pieces, a turn's life. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, moved } from "../src/edits";
import type { Cited, Hit, Location, Range } from "../src/protocol";
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

test("a stretch is marked wherever it begins and ends", () => {
  const said = (start: number, end: number): string => {
    const html = inPieces(MARKDOWN, [], [{ start, end }]);
    assert.ok(!/[\uE000\uE001]/.test(html), `${start} to ${end}`);
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
  assert.deepEqual(turn.citations.map(({ status }) => status), ["fresh", "moved"]);
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

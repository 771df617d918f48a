/** Markdown into HTML, block by block, with `[n]` as buttons and unsupported stretches marked.
 *  No HTML of the text is taken over, and nothing is loaded. The only importer of markdown-it. */

import MarkdownIt from "markdown-it";
import type { StateCore, Token } from "markdown-it/index.js";
import type { Stretch } from "../src/turn";
import { escape, highlight } from "./highlight";

// Ours are private characters of the last plane, for those before it are the icons of fonts.
const [BEGIN, END] = ["\u{10FFFC}", "\u{10FFFD}"]; // stand in the text where a stretch begins and ends
const MARKS = /[\u{100000}-\u{10FFFD}]/gu;
const FIRST_OFFSET = 0x100000; // a character from here on stands behind a mark's bracket, and tells where the bracket is
const LAST_OFFSET = 0xfffb;
const CITATION = /\[[\u{100000}-\u{10FFFB}]?\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*\]/u; // as the server reads them
const MOST_OF_RANGE = 20;
const PIECES = new RegExp(`(${BEGIN}|${END}|${CITATION.source})`, "u");
const BLOCK_PREFIX = /^(?:\s*(?:[-*+]|\d{1,9}[.)]|#{1,6}|>|\|)\s+|\s+)+/;
const STRUCTURE = /^\s*(?:`{3,}.*|~{3,}.*|[|:\-=\s]*)$/; // fences, rules, blank lines: a mark there would change the block
const UNSUPPORTED = '<mark class="unsupported" title="The cited lines do not bear this out.">';

/** What is known while a text is rendered. */
interface Env {
  /** Whether we are within an unsupported stretch. */
  within: boolean;
}

/** A text in two: blocks that will not change any more, and the last one, which may. */
export interface Rendered {
  readonly done: string;
  readonly open: string;
  /** How much of the text the done blocks are. */
  readonly doneLength: number;
}

const markdown = new MarkdownIt({ html: false, linkify: false, highlight: (code, language) => coloured(code, language) });
markdown.disable(["image", "reference"]); // `[1]: …` defines no link here
markdown.validateLink = (url) => /^https?:\/\//i.test(url);
markdown.core.ruler.push("memcache", split);
markdown.renderer.rules.code_inline = (tokens, index) => `<code>${escape(bare(tokens[index]?.content ?? ""))}</code>`;
markdown.renderer.rules.fence = markdown.renderer.rules.code_block = (tokens, index) => {
  const token = tokens[index];
  return block(bare(token?.content ?? ""), token?.info.trim().split(/\s+/)[0] ?? "");
};
markdown.renderer.rules["memcache"] = (tokens, index) => tokens[index]?.content ?? "";
markdown.renderer.rules["table_open"] = () => '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>';
markdown.renderer.rules["table_close"] = () => "</table></div>";

/** Render text that begins at `offset` of an answer. */
export function render(text: string, offset: number, unsupported: readonly Stretch[]): Rendered {
  const env: Env = { within: unsupported.some(({ start, end }) => start < offset && offset < end) };
  const tokens = markdown.parse(marked(text.replace(MARKS, (mark) => " ".repeat(mark.length)), offset, unsupported), env);
  const last = tokens.findLastIndex((token) => token.level === 0 && token.nesting >= 0 && token.map !== null);
  const line = tokens[last]?.map?.[0] ?? 0;
  const html = (some: Token[]): string => markdown.renderer.render(some, markdown.options, env);
  if (last <= 0 || line === 0) return { done: "", open: html(tokens), doneLength: 0 };
  return { done: html(tokens.slice(0, last)), open: html(tokens.slice(last)), doneLength: offsetOf(line, text) };
}

/** Give code as a block. */
export function block(code: string, language: string): string {
  return `<pre tabindex="0" role="group" aria-label="Code"><code>${coloured(code, language)}</code></pre>`;
}

function coloured(code: string, language: string): string {
  return highlight(bare(code), language);
}

function bare(text: string): string {
  return text.replace(MARKS, "");
}

function offsetOf(line: number, text: string): number {
  let at = 0;
  for (let count = 0; count < line; count++) at = text.indexOf("\n", at) + 1;
  return at;
}

/** Put marks where stretches begin and end, and behind the bracket of a citation where that is. */
function marked(text: string, offset: number, unsupported: readonly Stretch[]): string {
  const brackets = [...text.matchAll(new RegExp(CITATION, "gu"))]
    .map(({ index }) => ({ at: index + 1, mark: String.fromCodePoint(FIRST_OFFSET + Math.min(LAST_OFFSET, offset + index)) }));
  const stretches = unsupported.flatMap(({ start, end }) => [
    { at: placed(text, start - offset, BEGIN), mark: BEGIN },
    { at: placed(text, end - offset, END), mark: END },
  ]);
  let made = text;
  for (const { at, mark } of [...brackets, ...stretches].sort((a, b) => b.at - a.at)) if (at >= 0) made = made.slice(0, at) + mark + made.slice(at);
  return made;
}

/** Give the place nearest to `at` where a mark changes no block and splits no citation; -1 where there is none. */
function placed(text: string, at: number, mark: string): number {
  if (at < 0 || at > text.length) return -1;
  const begin = text.lastIndexOf("\n", at - 1) + 1;
  const next = text.indexOf("\n", begin);
  const line = text.slice(begin, next < 0 ? text.length : next);
  if (STRUCTURE.test(line)) return next < 0 ? -1 : placed(text, next + 1, mark);
  const place = Math.max(at, begin + (BLOCK_PREFIX.exec(line)?.[0].length ?? 0));
  for (const { index, 0: found } of text.matchAll(new RegExp(CITATION, "gu")))
    if (index < place && place < index + found.length) return mark === BEGIN ? index : index + found.length;
  return place;
}

/** Make citations and marks of the text tokens. */
function split(state: StateCore): void {
  const env = state.env as Env;
  for (const token of state.tokens) {
    if (token.type.startsWith("heading")) token.tag = lower(token.tag);
    if (token.type === "fence" || token.type === "code_block") follow(token.content, env);
    if (token.type !== "inline" || token.children === null) continue;
    let links = 0;
    const made: Token[] = [];
    for (const child of token.children) {
      if (child.type === "link_open") links++;
      if (child.type === "link_close") links--;
      if (child.type === "text") made.push(...pieces(child.content, env, links > 0, state));
      else made.push(child);
      if (child.type === "code_inline") follow(child.content, env);
    }
    token.children = made;
  }
}

/** The answer's headings stand below that of its question. */
function lower(tag: string): string {
  return `h${Math.min(6, Number(tag.slice(1)) + 2)}`;
}

function follow(text: string, env: Env): void {
  for (const [mark] of text.matchAll(MARKS)) if (mark === BEGIN || mark === END) env.within = mark === BEGIN;
}

function pieces(text: string, env: Env, inLink: boolean, state: StateCore): Token[] {
  let html = "";
  for (const piece of text.split(PIECES)) {
    if (piece === BEGIN || piece === END) env.within = piece === BEGIN;
    else if (piece !== "") {
      const inner = !inLink && CITATION.test(piece) ? citations(piece) : escape(bare(piece));
      html += env.within ? `${UNSUPPORTED}${inner}</mark>` : inner;
    }
  }
  const token = new state.Token("memcache", "", 0);
  token.content = html;
  return [token];
}

function citations(text: string): string {
  const at = (text.codePointAt(1) ?? 0) - FIRST_OFFSET;
  const mark = bare(text);
  const buttons = numbersOf(mark).map((each) => citation(each, at)).join("");
  // It may be a class of characters as well: once it is known what was cited, that is shown again.
  return /[–-]/.test(mark) ? `<span data-range="${escape(mark)}">${buttons}</span>` : buttons;
}

/** The numbers of a mark such as `[1, 3-5]`; of a long range the ends. */
function numbersOf(mark: string): number[] {
  return [...mark.matchAll(/(\d+)(?:\s*[–-]\s*(\d+))?/g)].flatMap(([, from, to]) => {
    const [first, last] = [Number(from), Number(to ?? from)];
    if (last <= first) return to === undefined || last === first ? [first] : [first, last];
    if (last - first >= MOST_OF_RANGE) return [first, last];
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

function citation(n: number, at: number): string {
  return `<button type="button" class="cite" data-n="${n}" data-at="${at}" aria-label="Source ${n}">[${n}]</button>`;
}

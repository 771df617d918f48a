/** One question with its sources, stage and answer on the screen. */

import type { FromPanel } from "../src/messages";
import type { Cited, Hit } from "../src/protocol";
import { spot } from "../src/spots";
import { type Turn, source } from "../src/turn";
import { Answer } from "./answer";
import { button, element } from "./dom";

const FIRST_SOURCES = 5; // the others are shown on demand
const LONG = 400; // characters of a question, beyond which its first ones are shown
const SHORT = 280;
const STAGES = {
  waiting: "Waiting for the model",
  loading: "Loading the model",
  reading: "Reading",
  thinking: "Thinking",
  writing: "Writing",
};
const ENDS = {
  stop: undefined,
  length: "The answer was cut at its limit.",
  extract: "Quoted from the sources, without a model.",
  no_answer: "Nothing here answers that.",
};

export class TurnView {
  readonly element = element("article", "turn");
  readonly #sources = element("ol", "sources");
  readonly #more = button("more", "", () => {
    this.#all = true;
    this.#drawSources();
  });
  readonly #stage = element("div", "stage");
  readonly #bar = document.createElement("progress");
  readonly #stageText = element("span");
  readonly #answer = new Answer();
  readonly #message = element("p", "message");
  readonly #tools = element("div", "tools");
  #all = false;
  #drawn: unknown[] = [];

  constructor(
    readonly turn: Turn,
    post: (message: FromPanel) => void,
  ) {
    const { key, question, about } = turn;
    const heading = element("h2", "", question.length > LONG ? `${question.slice(0, SHORT).trimEnd()}…` : question);
    heading.id = `${key}-question`;
    const whole = button("more", "The whole question", () => {
      heading.textContent = question;
      whole.remove();
    });
    this.element.dataset["key"] = key;
    this.element.setAttribute("aria-labelledby", heading.id);
    this.#sources.setAttribute("aria-label", "Sources");
    this.#bar.max = 100;
    this.#bar.setAttribute("aria-label", "Progress of the answer");
    this.#stage.append(this.#bar, this.#stageText);
    this.#tools.append(
      button("again", "Ask Again", () => {
        post({ type: "again", key });
      }),
      button("copy", "Copy", () => {
        post({ type: "copy", key });
      }),
    );
    this.element.append(heading);
    if (question.length > LONG) this.element.append(whole);
    if (about !== undefined && !question.includes(about)) this.element.append(element("p", "about", `About ${about}`));
    this.element.append(this.#sources, this.#more, this.#stage, this.#answer.element, this.#message, this.#tools);
    this.draw();
  }

  get plainText(): string {
    return this.#answer.plainText;
  }

  /** Show the turn as it is now. */
  draw(): void {
    const { turn } = this;
    this.element.dataset["state"] = turn.state;
    this.element.setAttribute("aria-busy", String(turn.state === "running"));
    this.#drawStage();
    this.#answer.show(turn);
    const drawn = [turn.sources, turn.citations, turn.citations.length, turn.text.length === 0];
    if (drawn.some((each, index) => each !== this.#drawn[index])) this.#drawSources();
    this.#drawn = drawn;
    const message = turn.message ?? this.#end();
    this.#message.hidden = message === undefined;
    this.#message.textContent = message ?? "";
    this.#tools.hidden = turn.state === "running";
    this.#nameCitations();
  }

  #end(): string | undefined {
    const { state, finish, text } = this.turn;
    if (state === "stopped") return "Stopped.";
    if (finish === "no_answer" && text !== "") return undefined; // which says so itself
    return finish && ENDS[finish];
  }

  #drawStage(): void {
    const { stage, state } = this.turn;
    this.#stage.hidden = state !== "running" || stage?.stage === "writing";
    const percent = stage?.percent ?? 0;
    if (percent > 0) this.#bar.value = percent;
    else this.#bar.removeAttribute("value");
    const what = stage === undefined ? "Searching" : STAGES[stage.stage];
    this.#stageText.textContent = percent > 0 ? `${what} ${percent} %` : `${what} …`;
  }

  /** List the sources; of a turn that the server kept only what was cited is known. */
  #drawSources(): void {
    const { sources, first, citations, names } = this.turn;
    const listed: { n: number; hit?: Hit; cited?: Cited }[] = sources.map((hit, index) => {
      const cited = citations.find(({ n }) => n === index + first);
      return { n: index + first, hit, ...(cited && { cited }) };
    });
    if (listed.length === 0) for (const cited of distinct(citations)) listed.push({ n: cited.n, cited });
    const shown = listed.filter(({ cited }, index) => this.#all || index < FIRST_SOURCES || cited !== undefined);
    this.#list(shown.map(({ n, hit, cited }) => item(n, hit, cited, names)));
    this.#sources.hidden = shown.length === 0;
    this.#more.hidden = shown.length === listed.length;
    const left = listed.length - shown.length;
    this.#more.textContent = `${left} more source${left === 1 ? "" : "s"}`;
  }

  /** Put lines in the place of those that are there; their buttons stay, for one may have the focus or be pointed at. */
  #list(lines: readonly HTMLLIElement[]): void {
    for (const [index, line] of lines.entries()) {
      const [known, button] = [this.#sources.children[index], line.firstElementChild];
      const kept = known?.firstElementChild;
      if (known === undefined) this.#sources.append(line);
      else if (kept instanceof HTMLElement && button instanceof HTMLElement && isFor(kept, button)) {
        known.className = line.className;
        if (kept.innerHTML !== button.innerHTML) kept.replaceChildren(...button.childNodes);
      } else known.replaceWith(line);
    }
    while (this.#sources.children.length > lines.length) this.#sources.lastElementChild?.remove();
  }

  /** Tell at each `[n]` of the answer what it stands for, and disable those that stand for nothing. */
  #nameCitations(): void {
    const { citations, state } = this.turn;
    for (const mark of this.#answer.element.querySelectorAll<HTMLButtonElement>("button.cite:not([data-named])")) {
      const n = Number(mark.dataset["n"]);
      const path = source(this.turn, n)?.path;
      const known = path !== undefined || citations.some((cited) => cited.n === n);
      if (!known && state === "running") continue;
      mark.disabled = !known;
      mark.dataset["named"] = "";
      if (path !== undefined) mark.setAttribute("aria-label", `Source ${n}: ${path}`);
    }
    for (const range of this.#answer.element.querySelectorAll<HTMLElement>("[data-range]"))
      if (range.querySelector("button:disabled") !== null) range.replaceWith(range.dataset["range"] ?? "");
    for (const { n, at, status } of citations) {
      const which = `button.cite[data-n="${n}"]${at === undefined ? "" : `[data-at="${at}"]`}`;
      for (const mark of this.#answer.element.querySelectorAll<HTMLElement>(which)) mark.dataset["status"] = status;
    }
  }
}

/** Tell whether two buttons of the list stand for the same place. */
function isFor(one: HTMLElement, other: HTMLElement): boolean {
  return one.dataset["n"] === other.dataset["n"] && one.dataset["at"] === other.dataset["at"];
}

/** Give citations, each place of a number once. */
function distinct(citations: readonly Cited[]): Cited[] {
  const known = new Map(citations.map((each) => [JSON.stringify([each.n, each.location, each.status]), each]));
  return [...known.values()];
}

function item(n: number, hit?: Hit, cited?: Cited, names: Turn["names"] = {}): HTMLLIElement {
  const location = hit?.location ?? cited?.location;
  const path = hit?.path ?? names[cited?.location.uri ?? ""] ?? "";
  const link = button("source", "", () => undefined);
  link.dataset["n"] = String(n);
  link.dataset["source"] = "";
  if (hit === undefined && cited?.at !== undefined) link.dataset["at"] = String(cited.at);
  const place = element("span", "place");
  place.append(element("span", "number", `[${n}]`), pathOf(path, location === undefined ? "" : spot(location)));
  link.append(place);
  if (hit !== undefined && hit.symbol !== "") link.append(element("span", "symbol", hit.symbol));
  if (hit?.cache !== undefined) link.append(element("span", "badge", hit.cache));
  if (cited?.status === "stale") link.append(element("span", "badge", "changed since"));
  if (cited?.status === "moved") link.append(element("span", "badge", "moved"));
  const line = element("li");
  line.classList.toggle("cited", cited !== undefined);
  line.append(link);
  return line;
}

/** A path with its spot; where there is too little room the folders are cut first. */
function pathOf(path: string, where: string): HTMLSpanElement {
  const made = element("span", "path");
  const name = path.lastIndexOf("/") + 1;
  if (name > 0) made.append(element("span", "folders", path.slice(0, name)));
  made.append(element("span", "file", path.slice(name) + where));
  return made;
}

/** The panel's page: takes what the extension tells, draws once a frame, and tells what the user does. */

import type { FromPanel, ToPanel } from "../src/messages";
import { type Turn, take } from "../src/turn";
import { byId } from "./dom";
import { PeekView, markOf } from "./peek";
import { type Draft, Questions } from "./questions";
import { TurnView } from "./turnview";

const NEAR_END = 60; // pixels from the end where the page follows what streams
const READ_ALOUD = 1500; // characters of an answer that are told to a screen reader

const host = acquireVsCodeApi<Draft>();
const post = (message: FromPanel): void => {
  host.postMessage(message);
};
const views = new Map<string, TurnView>();
const dirty = new Set<TurnView>();
const [main, turns] = [byId("main", HTMLElement), byId("turns", HTMLElement)];
const [live, stop, send] = [
  byId("live", HTMLElement),
  byId("stop", HTMLButtonElement),
  byId("send", HTMLButtonElement),
];
const peek = new PeekView(post);
const questions = new Questions(
  (question) => {
    post({ type: "ask", question });
  },
  (draft) => {
    host.setState(draft);
  },
  host.getState()?.draft,
);

window.addEventListener("message", ({ data }: MessageEvent<ToPanel>) => {
  heard(data);
});
turns.addEventListener("click", (event) => {
  const target = (event.target as Element).closest<HTMLElement>("button[data-n]");
  const mark = target ? markOf(target) : undefined;
  if (mark === undefined) return;
  peek.hide();
  const beside = event.ctrlKey || event.metaKey;
  post({ type: "open", ...mark, beside });
});
stop.addEventListener("click", () => {
  post({ type: "stop" });
  questions.focus();
});
byId("forget", HTMLButtonElement).addEventListener("click", () => {
  post({ type: "forgetAbout" });
  questions.focus();
});
const scope = byId("scope", HTMLButtonElement);
scope.addEventListener("click", () => {
  post({ type: "chooseScope" });
});
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  if (peek.isShown) peek.hide();
  else if (!stop.hidden) post({ type: "stop" });
});
post({ type: "ready" });

function heard(message: ToPanel): void {
  switch (message.type) {
    case "thread":
      views.clear();
      dirty.clear();
      turns.replaceChildren();
      for (const turn of message.turns) add(turn);
      changed();
      break;
    case "turn":
      add(message.turn);
      changed();
      break;
    case "partials":
    case "places":
      update(message);
      break;
    case "history":
      questions.history = message.questions;
      break;
    case "about":
      byId("about", HTMLElement).hidden = message.about === null;
      byId("about-label", HTMLElement).textContent = message.about === null ? "" : `About ${message.about}`;
      break;
    case "scope":
      scope.textContent = `In: ${message.label}`;
      questions.about = message.label;
      break;
    case "focus":
      questions.focus();
      break;
    case "peeked":
      peek.show(message);
      break;
  }
}

/** Show a turn, new or as it ended. */
function add(turn: Turn): void {
  const known = views.get(turn.key);
  if (known === undefined) {
    const view = new TurnView(turn, post);
    views.set(turn.key, view);
    turns.append(view.element);
    view.element.scrollIntoView({ block: "start" });
    return;
  }
  const wasRunning = known.turn.state === "running";
  Object.assign(known.turn, { message: undefined, stage: undefined }, turn);
  redraw(known);
  if (wasRunning && turn.state !== "running") requestAnimationFrame(() => (live.textContent = told(known)));
}

function told(view: TurnView): string {
  const { state, message } = view.turn;
  if (state !== "done") return message ?? "Stopped.";
  return `Answer: ${view.plainText.slice(0, READ_ALOUD)}`;
}

function update(message: ToPanel & { type: "partials" | "places" }): void {
  const view = views.get(message.key);
  if (view === undefined) return;
  if (message.type === "places") Object.assign(view.turn, { citations: message.citations, sources: message.sources });
  else
    for (const item of message.items) {
      take(view.turn, item);
      if (item.type === "sources") live.textContent = `${item.items.length} sources`;
    }
  redraw(view);
}

function redraw(view: TurnView): void {
  if (dirty.size === 0) requestAnimationFrame(draw);
  dirty.add(view);
}

/** Draw what changed since the last frame, and stay at the end if that is where the user is. */
function draw(): void {
  const atEnd = main.scrollHeight - main.scrollTop - main.clientHeight < NEAR_END;
  for (const view of dirty) view.draw();
  dirty.clear();
  if (atEnd) main.scrollTop = main.scrollHeight;
  changed();
}

function changed(): void {
  const running = [...views.values()].some(({ turn }) => turn.state === "running");
  const hadFocus = document.activeElement === stop;
  stop.hidden = !running;
  send.hidden = running;
  if (hadFocus && !running) questions.focus();
  byId("empty", HTMLElement).hidden = views.size > 0;
}

/** The peek: lines of a source as they are now, beside the `[n]` that is pointed at or has the focus. */

import type { FromPanel, Mark, ToPanel } from "../src/messages";
import { byId, element } from "./dom";
import { block } from "./markdown";

const DELAY_MS = 200;
const GAP = 4; // pixels between the mark and its peek
const STATUS = { fresh: "", moved: " — moved", stale: " — changed since the answer" };

export class PeekView {
  readonly #view = byId("peek", HTMLElement);
  #target: HTMLElement | undefined;
  #timer: number | undefined;

  constructor(private readonly post: (message: FromPanel) => void) {
    document.addEventListener("pointerover", ({ target }) => {
      this.#pointed(target);
    });
    document.addEventListener("focusin", ({ target }) => {
      this.#pointed(target);
    });
    document.addEventListener("focusout", () => {
      this.#later(undefined);
    });
    document.addEventListener("scroll", () => {
      this.hide();
    }, true); // prettier-ignore
  }

  get isShown(): boolean {
    return !this.#view.hidden;
  }

  hide(): void {
    clearTimeout(this.#timer);
    this.#target?.removeAttribute("aria-describedby");
    this.#target = undefined;
    this.#view.hidden = true;
  }

  /** Show what came for a mark, if that is still the one. */
  show({ key, n, at, peek }: ToPanel & { type: "peeked" }): void {
    const target = this.#target;
    const mark = target && markOf(target);
    if (target?.isConnected !== true || mark?.key !== key || mark.n !== n || mark.at !== at) return;
    const title = peek === null ? "These lines are gone." : peek.place + STATUS[peek.status];
    this.#view.replaceChildren(element("p", "", title));
    if (peek !== null && peek.text !== "") this.#view.insertAdjacentHTML("beforeend", block(peek.text, peek.language));
    this.#view.querySelector("pre")?.removeAttribute("tabindex");
    this.#view.hidden = false;
    target.setAttribute("aria-describedby", this.#view.id);
    const [pointed, own] = [target.getBoundingClientRect(), this.#view.getBoundingClientRect()];
    const below = pointed.bottom + GAP + own.height <= window.innerHeight;
    this.#view.style.top = `${Math.max(0, below ? pointed.bottom + GAP : pointed.top - GAP - own.height)}px`;
  }

  #pointed(target: EventTarget | null): void {
    if (!(target instanceof Element) || this.#view.contains(target)) {
      clearTimeout(this.#timer); // the pointer may rest on the peek itself
      return;
    }
    this.#later(target.closest<HTMLElement>("button[data-n]:not(:disabled)") ?? undefined);
  }

  #later(target: HTMLElement | undefined): void {
    clearTimeout(this.#timer);
    if (target === this.#target && this.isShown) return;
    this.#timer = window.setTimeout(() => {
      this.hide();
      const mark = target && markOf(target);
      if (target === undefined || mark === undefined) return;
      this.#target = target;
      this.post({ type: "peek", ...mark });
    }, DELAY_MS);
  }
}

/** What a button of a turn stands for. */
export function markOf(target: HTMLElement): Mark | undefined {
  const { n, at, source } = target.dataset;
  const key = target.closest<HTMLElement>(".turn")?.dataset["key"];
  if (key === undefined) return undefined;
  return { key, n: Number(n), ...(at === undefined ? {} : { at: Number(at) }), source: source !== undefined };
}

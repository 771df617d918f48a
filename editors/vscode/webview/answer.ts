/** The text of one answer on the screen: what streamed since the last frame costs no more than its last block. */

import type { Stretch, Turn } from "../src/turn";
import { render } from "./markdown";

export class Answer {
  readonly element = document.createElement("div");
  readonly #done = document.createElement("div");
  readonly #open = document.createElement("div");
  #doneLength = 0;
  #shown = "";
  #stretches: readonly Stretch[] = [];

  constructor() {
    this.element.className = "answer";
    this.element.append(this.#done, this.#open);
  }

  /** Show the text as it is now. */
  show({ text, unsupported }: Turn): void {
    if (text === this.#shown && unsupported.length === this.#stretches.length) return;
    const fresh = unsupported.slice(this.#stretches.length);
    if (!text.startsWith(this.#shown) || fresh.some(({ start }) => start < this.#doneLength)) this.#clear();
    const { done, open, doneLength } = render(text.slice(this.#doneLength), this.#doneLength, unsupported);
    if (doneLength > 0) {
      this.#done.insertAdjacentHTML("beforeend", done);
      this.#doneLength += doneLength;
    }
    this.#open.innerHTML = open;
    [this.#shown, this.#stretches] = [text, [...unsupported]];
  }

  get plainText(): string {
    return this.element.textContent;
  }

  #clear(): void {
    this.#done.replaceChildren();
    this.#doneLength = 0;
  }
}

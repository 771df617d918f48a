/** The question box: sends on Enter, walks through earlier questions by the arrow keys, keeps what is half written. */

import { byId } from "./dom";

export interface Draft {
  readonly draft?: string;
}

export class Questions {
  readonly #box = byId("question", HTMLTextAreaElement);
  #history: readonly string[] = [];
  #at = -1; // place in the history, -1 for what is being written
  #written = "";

  constructor(
    readonly ask: (question: string) => void,
    readonly keep: (draft: Draft) => void,
    draft = "",
  ) {
    this.#box.value = draft;
    byId("form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#box.addEventListener("keydown", (event) => {
      this.#pressed(event);
    });
    this.#box.addEventListener("input", () => {
      this.#at = -1;
      this.keep({ draft: this.#box.value });
    });
  }

  set history(questions: readonly string[]) {
    this.#history = questions;
    this.#at = -1;
  }

  /** Tell what a question is about. */
  set about(label: string) {
    this.#box.placeholder = `Ask about ${label}`;
  }

  focus(): void {
    this.#box.focus();
  }

  #send(): void {
    const question = this.#box.value.trim();
    if (question === "") return;
    this.#put("");
    this.#at = -1;
    this.ask(question);
  }

  #pressed(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "ArrowUp" && this.#isAtEdge(0)) this.#walk(event, 1);
    else if (event.key === "ArrowDown" && this.#isAtEdge(this.#box.value.length)) this.#walk(event, -1);
  }

  #isAtEdge(place: number): boolean {
    const { selectionStart, selectionEnd, value } = this.#box;
    return (selectionStart === selectionEnd && selectionStart === place) || (this.#at >= 0 && !value.includes("\n"));
  }

  #walk(event: KeyboardEvent, step: number): void {
    const next = this.#at + step;
    if (next < -1 || next >= this.#history.length) return;
    event.preventDefault();
    if (this.#at === -1) this.#written = this.#box.value;
    this.#at = next;
    this.#put(next === -1 ? this.#written : (this.#history[next] ?? ""));
  }

  #put(text: string): void {
    this.#box.value = text;
    this.#box.setSelectionRange(text.length, text.length);
    this.keep({ draft: text });
  }
}

/** Search as one types: the hits in a quick pick, best first, each shown in the editor when it is the active one. */

import * as vscode from "vscode";
import { showPassage } from "./documents";
import { LOOK_MS, every } from "./looking";
import { nameOfHit, open } from "./places";
import { type Hit, Method, type SearchResult } from "./protocol";
import type { ScopeChoice } from "./scope";
import { NoServer, sentence, telling } from "./sentences";
import type { Server } from "./server";
import { spot } from "./spots";

const PAUSE_MS = 80; // of typing, before a search
const PREVIEW_MS = 120; // on a hit, before it is shown
const LIMIT = 30;

const ICONS: Record<string, string> = {
  class: "symbol-class",
  constant: "symbol-constant",
  constructor: "symbol-constructor",
  enum: "symbol-enum",
  field: "symbol-field",
  function: "symbol-function",
  interface: "symbol-interface",
  method: "symbol-method",
  module: "symbol-module",
  namespace: "symbol-namespace",
  property: "symbol-property",
  section: "book",
  struct: "symbol-struct",
  trait: "symbol-interface",
  type: "symbol-struct",
  variable: "symbol-variable",
};

interface Found extends vscode.QuickPickItem {
  /** None where the line just says something. */
  readonly hit?: Hit;
}

const BESIDE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("split-horizontal"),
  tooltip: "Open to the Side",
};

const SCOPE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("layers"),
  tooltip: "Choose What Is Searched",
};

export class Search {
  constructor(
    private readonly server: Server,
    private readonly scope: ScopeChoice,
  ) {}

  /** Search by what is typed. */
  async run(query = ""): Promise<void> {
    const picker = new Picker(this.#title, "Words, names, an error message, or a question");
    let latest: vscode.CancellationTokenSource | undefined;
    let timer: NodeJS.Timeout | undefined;
    const search = (value: string): void => {
      latest?.cancel();
      clearTimeout(timer);
      if (value.trim() === "") {
        picker.show({ hits: [], complete: true }, "");
        return;
      }
      const current = (latest = new vscode.CancellationTokenSource());
      timer = setTimeout(() => {
        void picker.fill(value, current.token, () => this.#search(value, current.token));
      }, PAUSE_MS);
    };
    // The version of the index, at least, that what is shown was searched in: paused, an index stays incomplete.
    let searched: number | undefined;
    const anew = (): void => {
      searched = undefined;
      search(picker.value);
    };
    const look = async (): Promise<void> => {
      if (!picker.mayGetMore()) return;
      const value = picker.value;
      try {
        const { isQuiescent, version } = await this.server.indexed(this.scope.asked.scope?.caches);
        if (!picker.mayGetMore() || picker.value !== value || !isQuiescent || version === searched) return;
        searched = version;
        search(value);
      } catch {
        picker.isComplete = true; // the next search tells what is wrong
      }
    };
    picker.onType(anew);
    const again = vscode.Disposable.from(
      every(LOOK_MS, () => void look()),
      this.server.onStatus(() => void look()),
      this.scope.onChange(() => {
        picker.title = this.#title;
        anew();
      }),
    );
    picker.value = query;
    if (query !== "") search(query);
    await picker.closed;
    again.dispose();
    latest?.cancel();
    clearTimeout(timer);
    if (!picker.wantsScope) return;
    await this.scope.choose();
    await this.run(picker.value);
  }

  /** Show what resembles a stretch of a document. */
  async similar(uri: vscode.Uri, range: Hit["location"]["range"]): Promise<void> {
    const picker = new Picker(`Find Similar in ${this.scope.label}`, "Narrow down", true);
    const source = new vscode.CancellationTokenSource();
    const { token } = source;
    const params = { textDocument: { uri: uri.toString() }, range, limit: LIMIT, ...this.scope.asked };
    void picker.fill("", token, () => this.server.request(Method.similar, params, { token }));
    await picker.closed;
    source.cancel(); // whoever closes it waits for nothing
    if (!picker.wantsScope) return;
    await this.scope.choose();
    await this.similar(uri, range);
  }

  get #title(): string {
    return `Search by Meaning in ${this.scope.label}`;
  }

  async #search(query: string, token: vscode.CancellationToken): Promise<SearchResult> {
    const document = vscode.window.activeTextEditor?.document;
    const at = document?.uri.scheme === "file" ? { textDocument: { uri: document.uri.toString() } } : {};
    return this.server.request(Method.search, { query, limit: LIMIT, ...at, ...this.scope.asked }, { token });
  }
}

/** A quick pick of hits, with preview. */
class Picker {
  readonly #picker = vscode.window.createQuickPick<Found>();
  readonly #before = vscode.window.activeTextEditor;
  readonly #place = vscode.window.activeTextEditor?.selection;
  readonly closed: Promise<void>;
  /** Whether the shown hits are those of a whole index. */
  isComplete = true;
  /** Whether it was left in order to search elsewhere. */
  wantsScope = false;
  #isClosed = false;
  #preview: NodeJS.Timeout | undefined;
  #shown = "";
  #accepted = false;
  #previewed = false;

  constructor(
    public title: string,
    placeholder: string,
    private readonly filters = false,
  ) {
    const picker = this.#picker;
    picker.title = title;
    picker.placeholder = placeholder;
    picker.matchOnDescription = picker.matchOnDetail = filters;
    picker.onDidChangeActive(([item]) => {
      this.#show(item);
    });
    picker.onDidAccept(() => void this.#accept(picker.activeItems[0], vscode.ViewColumn.Active));
    picker.buttons = [SCOPE];
    picker.onDidTriggerButton(() => {
      this.wantsScope = true;
      picker.hide();
    });
    picker.onDidTriggerItemButton(({ item }) => void this.#accept(item, vscode.ViewColumn.Beside));
    this.closed = new Promise((resolve) => {
      picker.onDidHide(() => {
        this.#isClosed = true;
        clearTimeout(this.#preview);
        if (!this.#accepted) void this.#restore();
        picker.dispose();
        resolve();
      });
    });
    picker.show();
  }

  get value(): string {
    return this.#picker.value;
  }

  set value(text: string) {
    this.#picker.value = text;
  }

  onType(listener: () => void): void {
    this.#picker.onDidChangeValue(listener);
  }

  /** Show what a search gives, unless it was overtaken by another one. */
  async fill(query: string, token: vscode.CancellationToken, search: () => Promise<SearchResult>): Promise<void> {
    this.#picker.busy = true;
    try {
      const result = await search();
      if (!token.isCancellationRequested) this.show(result, query);
    } catch (error) {
      if (token.isCancellationRequested) return; // by another search, which goes on
      const message = sentence(error);
      if (error instanceof NoServer) this.#picker.hide();
      else if (message !== undefined) {
        this.#shown = "";
        this.#picker.items = said([message]);
        this.isComplete = true; // nothing is to be asked again
      }
      this.#picker.busy = false;
    }
  }

  show({ hits, complete, notes = [] }: SearchResult, query: string): void {
    this.isComplete = complete;
    this.#picker.busy = false;
    this.#picker.title = complete ? this.title : `${this.title} (the index is incomplete)`;
    const shown = JSON.stringify([query, notes, hits]);
    if (shown === this.#shown) return; // what goes on being indexed changed nothing
    this.#shown = shown;
    const found = hits.map((hit) => this.#item(hit));
    const nothing = hits.length === 0 && (query !== "" || this.filters) ? ["Nothing was found."] : [];
    this.#picker.items = [...said([...notes, ...nothing]), ...found];
    if (notes.length > 0) this.#picker.activeItems = found.slice(0, 1);
  }

  /** Whether another search may find more than what is shown. */
  mayGetMore(): boolean {
    return !this.isComplete && !this.#picker.busy && !this.#isClosed;
  }

  /** A hit's label is an icon alone: by a text the quick pick would put its own order in place of the server's. */
  #item(hit: Hit): Found {
    const parts = [hit.symbol, nameOfHit(hit) + spot(hit.location), hit.cache].filter(Boolean);
    return {
      hit,
      label: `$(${ICONS[hit.kind] ?? "symbol-file"})`,
      description: parts.join("  —  "),
      detail: hit.snippet.split("\n").find((line) => line.trim() !== "")?.trim().slice(0, 160) ?? "",
      alwaysShow: !this.filters,
      buttons: [BESIDE],
    };
  }

  #show(item: Found | undefined): void {
    clearTimeout(this.#preview);
    const hit = item?.hit;
    if (hit === undefined) return;
    this.#preview = setTimeout(() => {
      this.#previewed = true;
      const shown = { preview: true, preserveFocus: true };
      const showing = hit.location.extracted === true ? showPassage(hit, shown) : open(hit.location, shown);
      showing.catch(() => undefined); // the file is gone
    }, PREVIEW_MS);
  }

  async #accept(item: Found | undefined, viewColumn: vscode.ViewColumn): Promise<void> {
    const hit = item?.hit;
    if (hit === undefined) return;
    this.#accepted = true;
    this.#picker.hide();
    await telling(() => open(hit.location, { viewColumn }));
  }

  async #restore(): Promise<void> {
    if (!this.#previewed || this.#before === undefined) return;
    const options = { viewColumn: this.#before.viewColumn ?? vscode.ViewColumn.Active, preserveFocus: false };
    await vscode.window.showTextDocument(this.#before.document, {
      ...options,
      ...(this.#place === undefined ? {} : { selection: this.#place }),
    });
  }
}

/** Lines that just say something. */
function said(messages: readonly string[]): Found[] {
  return messages.map((message) => ({ label: "$(info)", description: message, alwaysShow: true }));
}

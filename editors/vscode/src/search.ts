/** Search as one types: the hits in a quick pick, best first, each shown in the editor when it is the active one. */

import * as vscode from "vscode";
import { lastLine, nameOf, open } from "./places";
import { type Hit, Method, type SearchResult } from "./protocol";
import { type Server, isCancelled, sentence } from "./server";

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

export class Search {
  constructor(private readonly server: Server) {}

  /** Search by what is typed. */
  async run(query = ""): Promise<void> {
    const picker = new Picker("Search by Meaning", "Words, names, an error message, or a question");
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
    picker.onType(search);
    const again = this.server.onStatus(({ quiescent }) => {
      if (quiescent && !picker.isComplete) search(picker.value);
    });
    picker.value = query;
    if (query !== "") search(query);
    await picker.closed;
    again.dispose();
    latest?.cancel();
    clearTimeout(timer);
  }

  /** Show what resembles a stretch of a document. */
  async similar(uri: vscode.Uri, range: Hit["location"]["range"]): Promise<void> {
    const picker = new Picker("Find Similar", "Narrow down", true);
    const { token } = new vscode.CancellationTokenSource();
    const params = { textDocument: { uri: uri.toString() }, range, limit: LIMIT };
    await picker.fill("", token, () => this.server.request(Method.similar, params, { token }));
    await picker.closed;
  }

  async #search(query: string, token: vscode.CancellationToken): Promise<SearchResult> {
    const document = vscode.window.activeTextEditor?.document;
    const at = document?.uri.scheme === "file" ? { textDocument: { uri: document.uri.toString() } } : {};
    return this.server.request(Method.search, { query, limit: LIMIT, ...at }, { token });
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
  #preview: NodeJS.Timeout | undefined;
  #accepted = false;
  #previewed = false;

  constructor(
    private readonly title: string,
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
    picker.onDidTriggerItemButton(({ item }) => void this.#accept(item, vscode.ViewColumn.Beside));
    this.closed = new Promise((resolve) => {
      picker.onDidHide(() => {
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

  onType(listener: (value: string) => void): void {
    this.#picker.onDidChangeValue(listener);
  }

  /** Show what a search gives, unless it was overtaken by another one. */
  async fill(query: string, token: vscode.CancellationToken, search: () => Promise<SearchResult>): Promise<void> {
    this.#picker.busy = true;
    try {
      const result = await search();
      if (!token.isCancellationRequested) this.show(result, query);
    } catch (error) {
      if (isCancelled(error) || token.isCancellationRequested) return;
      const message = sentence(error);
      if (message === undefined) this.#picker.hide();
      else this.#say(message);
    }
    this.#picker.busy = false;
  }

  show(result: SearchResult, query: string): void {
    this.isComplete = result.complete;
    this.#picker.title = result.complete ? this.title : `${this.title} (indexing goes on)`;
    this.#picker.items = result.hits.map((hit) => this.#item(hit));
    if (result.hits.length === 0 && (query !== "" || this.filters)) this.#say("Nothing was found.");
  }

  #say(message: string): void {
    this.#picker.items = [{ label: message, alwaysShow: true }];
  }

  /** A hit's label is an icon alone: by a text the quick pick would put its own order in place of the server's. */
  #item(hit: Hit): Found {
    const { range } = hit.location;
    const lines = `${nameOf(hit.location.uri)}:${range.start.line + 1}-${lastLine(range) + 1}`;
    return {
      hit,
      label: `$(${ICONS[hit.kind] ?? "symbol-file"})`,
      description: hit.symbol === "" ? lines : `${hit.symbol}  —  ${lines}`,
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
      open(hit.location, { preview: true, preserveFocus: true }).catch(() => undefined); // the file is gone
    }, PREVIEW_MS);
  }

  async #accept(item: Found | undefined, viewColumn: vscode.ViewColumn): Promise<void> {
    const hit = item?.hit;
    if (hit === undefined) return;
    this.#accepted = true;
    this.#picker.hide();
    await open(hit.location, { viewColumn });
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

/** The answer panel: a webview that shows the conversation, and what is done in it. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { About, Conversation } from "./conversation";
import type { FromPanel, Mark, Peek, ToPanel } from "./messages";
import { passageOf } from "./documents";
import { nameOf, open, read } from "./places";
import type { Cited, Hit } from "./protocol";
import type { ScopeChoice } from "./scope";
import { plain } from "./sentences";
import { spot } from "./spots";
import { cited, source as sourceOf } from "./turn";

export class Panel implements vscode.WebviewViewProvider, vscode.Disposable {
  static readonly id = "memcache.panel";
  readonly #subscriptions: readonly vscode.Disposable[];
  #view: vscode.WebviewView | undefined;
  #ready = false;
  #about: About | undefined;
  #wantsFocus = false;

  constructor(
    private readonly folder: vscode.Uri,
    private readonly conversation: Conversation,
    private readonly scope: ScopeChoice,
  ) {
    this.#subscriptions = [
      conversation.onMessage((message) => {
        this.#send(message);
      }),
      scope.onChange(() => {
        this.#tellScope();
      }),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.#view = view;
    this.#ready = false;
    const dist = vscode.Uri.joinPath(this.folder, "dist");
    view.webview.options = { enableScripts: true, localResourceRoots: [dist] };
    view.webview.onDidReceiveMessage((message: FromPanel) => this.#heard(message));
    view.onDidChangeVisibility(() => {
      if (!view.visible && this.#view === view) this.#ready = false; // the page is gone until it is shown again
    });
    view.onDidDispose(() => {
      if (this.#view === view) [this.#view, this.#ready] = [undefined, false];
    });
    view.webview.html = page(view.webview, dist);
  }

  /** Show the panel with the cursor in its question box; what is asked next is about `about`. */
  async focus(about?: About): Promise<void> {
    this.#about = about;
    this.#wantsFocus = true;
    await vscode.commands.executeCommand(`${Panel.id}.focus`);
    this.#tellAbout();
    this.#giveFocus();
  }

  /** Show the panel and leave the cursor where it is. */
  async show(): Promise<void> {
    if (this.#view === undefined) await vscode.commands.executeCommand(`${Panel.id}.focus`);
    else this.#view.show(true);
  }

  dispose(): void {
    for (const each of this.#subscriptions) each.dispose();
  }

  async #heard(message: FromPanel): Promise<void> {
    switch (message.type) {
      case "ready":
        this.#ready = true;
        this.conversation.tellAll();
        this.#tellScope();
        this.#tellAbout();
        this.#giveFocus();
        break;
      case "ask":
        await this.#ask(message.question);
        break;
      case "stop":
        this.conversation.stop();
        break;
      case "again":
        await this.conversation.again(message.key);
        break;
      case "copy":
        await this.#copy(message.key);
        break;
      case "open":
        await this.#open(message);
        break;
      case "peek":
        await this.#peek(message);
        break;
      case "forgetAbout":
        this.#about = undefined;
        this.#tellAbout();
        break;
      case "chooseScope":
        await vscode.commands.executeCommand("memcache.scope");
        await this.focus(this.#about);
        break;
      case "newThread":
        this.conversation.clear();
        break;
    }
  }

  async #ask(question: string): Promise<void> {
    const about = this.#about;
    this.#about = undefined;
    this.#tellAbout();
    await this.conversation.ask({ question, ...(about === undefined ? {} : { about }) });
  }

  async #copy(key: string): Promise<void> {
    const turn = this.conversation.turn(key);
    if (turn === undefined) return;
    const places = turn.citations.map(({ n, location }) => `[${n}]: ${nameOf(location.uri)}${spot(location)}`);
    await vscode.env.clipboard.writeText([turn.text.trim(), [...new Set(places)].join("\n")].filter(Boolean).join("\n\n") + "\n");
    vscode.window.setStatusBarMessage("The answer was copied.", 3000);
  }

  #place({ key, n, at, source }: Mark): Cited | Hit | undefined {
    const turn = this.conversation.turn(key);
    return turn && (source ? (sourceOf(turn, n) ?? cited(turn, n, at)) : cited(turn, n, at));
  }

  async #open(message: FromPanel & { type: "open" }): Promise<void> {
    const place = this.#place(message);
    if (place === undefined) return;
    const viewColumn = message.beside ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    try {
      await open(place.location, { viewColumn });
    } catch {
      void vscode.window.showWarningMessage(plain(`${vscode.Uri.parse(place.location.uri).fsPath} cannot be opened any more.`));
    }
  }

  async #peek(message: FromPanel & { type: "peek" }): Promise<void> {
    const { key, n, at } = message;
    const [turn, place] = [this.conversation.turn(key), this.#place(message)];
    const peek = turn === undefined || place === undefined ? null : await peekOf(place, sourceOf(turn, n));
    this.#send({ type: "peeked", key, n, ...(at === undefined ? {} : { at }), peek });
  }

  #giveFocus(): void {
    if (!this.#wantsFocus || !this.#ready) return;
    this.#wantsFocus = false;
    this.#send({ type: "focus" });
  }

  #tellAbout(): void {
    this.#send({ type: "about", about: this.#about?.label ?? null });
  }

  #tellScope(): void {
    this.#send({ type: "scope", label: this.scope.label });
  }

  #send(message: ToPanel): void {
    if (this.#ready) void this.#view?.webview.postMessage(message);
  }
}

/** Give the lines of a place; of a file that has none, what was read there when the question was asked. */
async function peekOf(place: Cited | Hit, source: Hit | undefined): Promise<Peek | null> {
  const { location } = place;
  const told = {
    place: (source?.path ?? nameOf(location.uri)) + spot(location),
    status: "status" in place ? place.status : "fresh",
  } as const;
  if (location.extracted === true) {
    const kept = "passage" in place ? (place.passage ?? "") : ""; // of an earlier answer
    return { ...told, text: source === undefined ? kept : passageOf(source), language: "" };
  }
  const found = await read(location);
  return found === undefined ? null : { ...told, text: found.text, language: source?.language ?? found.language };
}

function page(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString("base64url");
  const file = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
  const policy = `default-src 'none'; base-uri 'none'; form-action 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${file("panel.css")}">
<title>memcache answers</title>
</head>
<body>
<main id="main" aria-label="Questions and answers">
  <h1 class="hidden">Answers</h1>
  <p id="empty">Ask about this project, or about folders that you add as caches. Every claim in the answer links to the lines it comes from.</p>
  <div id="turns"></div>
</main>
<form id="form" aria-label="Ask">
  <p id="about" hidden><span id="about-label"></span><button type="button" id="forget" aria-label="Ask about everything">✕</button></p>
  <button type="button" id="scope" title="Choose What Is Asked"></button>
  <textarea id="question" rows="2" aria-label="Question" placeholder="Ask" spellcheck="true"></textarea>
  <div class="buttons">
    <span id="hint">Enter asks, ↑ brings back</span>
    <button type="button" id="stop" class="secondary" hidden>Stop</button>
    <button type="submit" id="send">Ask</button>
  </div>
</form>
<div id="peek" role="tooltip" hidden></div>
<div id="live" role="status" aria-live="polite" class="hidden"></div>
<script nonce="${nonce}" src="${file("panel.js")}"></script>
</body>
</html>`;
}

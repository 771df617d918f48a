/** The status bar item: progress of the indexing, and health. */

import * as vscode from "vscode";
import type { DidChangeStatusParams } from "./protocol";
import type { Server, ServerState } from "./server";

export class StatusBar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("memcache.status", vscode.StatusBarAlignment.Right, 80);
  readonly #subscriptions: vscode.Disposable[];
  #state: ServerState = "stopped";
  #status: DidChangeStatusParams = { health: "ok", quiescent: true };
  #indexing: { title: string; percentage: number } | undefined;

  constructor(server: Server) {
    this.#item.name = "memcache-lsp";
    this.#item.command = "memcache.status";
    this.#subscriptions = [
      server.onState((state) => {
        this.#state = state;
        this.#status = { health: "ok", quiescent: true };
        this.#draw();
      }),
      server.onStatus((status) => {
        this.#status = status;
        this.#draw();
      }),
      server.onIndexing((indexing) => {
        this.#indexing = indexing;
        this.#draw();
      }),
    ];
    this.#draw();
    this.#item.show();
  }

  dispose(): void {
    for (const each of [...this.#subscriptions, this.#item]) each.dispose();
  }

  #draw(): void {
    const { icon, told, colour } = this.#look();
    this.#item.text = this.#indexing ? `${icon} memcache ${this.#indexing.percentage}%` : `${icon} memcache`;
    this.#item.tooltip = told;
    this.#item.accessibilityInformation = { label: `memcache: ${told}` };
    this.#item.backgroundColor = colour && new vscode.ThemeColor(`statusBarItem.${colour}Background`);
  }

  #look(): { icon: string; told: string; colour?: "warning" | "error" } {
    if (this.#state === "missing") return { icon: "$(error)", told: "The server is not installed.", colour: "error" };
    if (this.#state === "stopped") return { icon: "$(search)", told: "The server is not running." };
    if (this.#state === "starting") return { icon: "$(sync~spin)", told: "The server is starting." };
    const { health, quiescent, message } = this.#status;
    if (health !== "ok") return { icon: `$(${health})`, told: message ?? "Something is wrong.", colour: health };
    if (this.#indexing) return { icon: "$(sync~spin)", told: `${this.#indexing.title}: ${this.#indexing.percentage} %` };
    return { icon: quiescent ? "$(search)" : "$(sync~spin)", told: message ?? (quiescent ? "The index is up to date." : "Indexing.") };
  }
}

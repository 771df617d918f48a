/** The reading folder's news: one unobtrusive message at a time, and the list of the pages that came. */

import * as vscode from "vscode";
import { pick } from "./choices";
import { openWhole } from "./documents";
import type { Panel } from "./panel";
import { nameOf } from "./places";
import type { DidReadDocumentParams } from "./protocol";
import { plain, telling } from "./sentences";
import type { Server } from "./server";

const SHOWN_MS = 15_000; // a message is then among VS Code's earlier notifications, which tell nobody that they are
const KEPT_PAGES = 50;
const ASK: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("comment-discussion"), tooltip: "Ask About It" };

type Page = DidReadDocumentParams;

export class News implements vscode.Disposable {
  readonly #subscription: vscode.Disposable;
  #pages: readonly Page[] = [];
  #untold: Page[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    server: Server,
    private readonly panel: Panel,
  ) {
    this.#subscription = server.onRead((page) => {
      const others = this.#pages.filter(({ uri }) => uri !== page.uri);
      this.#pages = [page, ...others].slice(0, KEPT_PAGES);
      this.#untold = [page, ...this.#untold.filter(({ uri }) => uri !== page.uri)];
      this.#tell();
    });
  }

  /** List the pages that came while the window was open; each can be opened, or asked about. */
  async show(): Promise<void> {
    if (this.#pages.length === 0) {
      void vscode.window.showInformationMessage("No new page came into a reading folder since the window was opened.");
      return;
    }
    const items = this.#pages.map((page) => ({
      page,
      label: `$(book) ${titleOf(page)}`,
      description: page.cache,
      detail: nameOf(page.uri),
      buttons: [ASK],
    }));
    const chosen = await pick("New Pages", "Enter opens one", items);
    if (chosen?.button === ASK) await this.#ask(chosen.item.page);
    else if (chosen !== undefined) await openWhole(chosen.item.page);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscription.dispose();
  }

  #tell(): void {
    const [page, ...others] = this.#untold;
    if (page === undefined || this.#timer !== undefined) return;
    this.#untold = [];
    const next = (): void => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#tell();
    };
    const timer = (this.#timer = setTimeout(next, SHOWN_MS));
    void this.#message(page, others.length).finally(() => {
      if (this.#timer === timer) next();
    });
  }

  async #message(page: Page, others: number): Promise<void> {
    const [open, ask, show] = ["Open", "Ask About It", "Show…"];
    const told = `${others === 0 ? "New" : `${others + 1} new pages, the latest`} in ${page.cache}: ${titleOf(page)}`;
    const chosen = await vscode.window.showInformationMessage(plain(told), open, ask, ...(others === 0 ? [] : [show]));
    await telling(async () => {
      if (chosen === show) await this.show();
      else if (chosen === ask) await this.#ask(page);
      else if (chosen === open) await openWhole(page);
    });
  }

  async #ask(page: Page): Promise<void> {
    await this.panel.focus({ label: titleOf(page), textDocument: { uri: page.uri }, scope: { caches: [page.cache] } });
  }
}

function titleOf({ title, uri }: Page): string {
  return title ?? vscode.Uri.parse(uri).path.split("/").pop() ?? uri;
}

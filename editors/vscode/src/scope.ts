/** What the next questions and searches ask: the project, added caches, or both. Kept as long as the window. */

import * as vscode from "vscode";
import { Method, type Scope } from "./protocol";
import { STATES } from "./report";
import { type Server, WORKSPACE } from "./server";

export class ScopeChoice implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onChange = this.#changed.event;
  #names: readonly string[] = [WORKSPACE];

  constructor(private readonly server: Server) {}

  /** The parameter of a request. */
  get asked(): { readonly scope?: Scope } {
    return this.#names.length === 1 && this.#includes(WORKSPACE) ? {} : { scope: { caches: this.#names } };
  }

  get label(): string {
    return this.#names.map((name) => (name === WORKSPACE ? "this project" : name)).join(" + ");
  }

  /** Ask for these caches; for the project where there are none. */
  set(names: readonly string[]): void {
    this.#names = names.length === 0 ? [WORKSPACE] : names;
    this.#changed.fire();
  }

  add(name: string): void {
    if (!this.#includes(name)) this.set([...this.#names, name]);
  }

  forget(name: string): void {
    if (this.#includes(name)) this.set(this.#names.filter((each) => each !== name));
  }

  /** Have the user choose. */
  async choose(): Promise<void> {
    const { caches } = await this.server.request(Method.caches, { action: "list" });
    if (caches.length === 0) {
      offerToAdd();
      return;
    }
    const items = [
      { name: WORKSPACE, label: "This project" },
      ...caches.map(({ name, state, files }) => ({ name, label: name, description: `${files.done} files, ${STATES[state]}` })),
    ];
    const title = "What is asked and searched?";
    const options = { title, placeHolder: "The project, caches, or both", canPickMany: true } as const;
    const picked = items.map((item) => ({ ...item, picked: this.#includes(item.name) }));
    const chosen = await vscode.window.showQuickPick(picked, options);
    if (chosen !== undefined) this.set(chosen.map(({ name }) => name));
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #includes(name: string): boolean {
    return this.#names.includes(name);
  }
}

function offerToAdd(): void {
  const add = "Add a Folder…";
  void vscode.window.showInformationMessage("Nothing is searched beside the project yet.", add).then((chosen) => {
    if (chosen === add) void vscode.commands.executeCommand("memcache.caches.add");
  });
}

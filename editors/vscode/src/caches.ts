/** The added caches: what they are at, and how one is added to, indexed and removed. */

import * as vscode from "vscode";
import { REBUILD, confirmed, pick } from "./choices";
import { type Cache, type CachePlace, type CachesParams, type CachesResult, type IndexParams, Method } from "./protocol";
import { cacheLine, counted, icon, STATES } from "./report";
import type { ScopeChoice } from "./scope";
import { plain } from "./sentences";
import type { Server } from "./server";

/** What is added: a folder, files, or a folder whose new files are told of. */
export type Kind = "folder" | "files" | "reading";

interface Line extends vscode.QuickPickItem {
  readonly act?: () => Thenable<unknown>;
  /** What its only button does. */
  readonly trash?: () => Thenable<unknown>;
}

const REMOVE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Remove…" };
const MOST_FAILED = 20; // that are listed one by one

export class Caches {
  constructor(
    private readonly server: Server,
    private readonly scope: ScopeChoice,
  ) {}

  /** List them; each leads to what it is made of and what can be done with it. */
  async show(): Promise<void> {
    const { caches, message } = await this.#request({ action: "list" });
    const lines: Line[] = caches.map((cache) => ({
      ...cacheLine(cache),
      act: () => this.#show(cache),
      trash: () => this.remove(cache),
    }));
    await choose("Caches", "Folders and files that are searched beside the project", [
      ...(message === undefined ? [] : [{ label: `$(warning) ${message}` }]),
      ...lines,
      { label: "$(new-folder) Add a Folder…", act: () => this.add("folder") },
      { label: "$(new-file) Add Files…", act: () => this.add("files") },
      { label: "$(book) Add a Reading Folder…", detail: "Its new pages are told of", act: () => this.add("reading") },
    ]);
  }

  /** Add what the user chooses, to a cache of a name or to one that is to be named. */
  async add(kind: Kind, to?: string): Promise<void> {
    const isFiles = kind === "files";
    const chosen = await vscode.window.showOpenDialog({
      canSelectFolders: !isFiles,
      canSelectFiles: isFiles,
      canSelectMany: kind !== "reading",
      title: isFiles ? "Files to search beside the project" : "Folder to search beside the project",
      openLabel: "Add",
    });
    const [first] = chosen ?? [];
    if (chosen === undefined || first === undefined) return;
    const name = to ?? (await nameFor(kind, first));
    if (!name) return;
    const reading = kind === "reading" ? { reading: true } : {};
    const { message } = await this.#request({ action: "add", name, uris: chosen.map(String), ...reading });
    const ask = "Ask It Too";
    const told = message ?? `${name} is indexed now, and can be asked as far as it is.`;
    void vscode.window.showInformationMessage(plain(told), ask).then((answer) => {
      if (answer === ask) this.scope.add(name);
    });
  }

  /** Remove a cache, or a place of it, after the user was asked. */
  async remove(given?: Cache, place?: CachePlace): Promise<void> {
    const cache = given ?? (await this.#chosen("Which cache is removed?"));
    if (cache === undefined) return;
    const question = `Remove ${place === undefined ? cache.name : pathOf(place)}?`;
    const detail = "What is kept of it is forgotten, answers that draw on it included. Its files stay as they are.";
    if (!(await confirmed("Remove", question, detail))) return;
    const uris = place === undefined ? {} : { uris: [place.uri] };
    const { caches, message } = await this.#request({ action: "remove", name: cache.name, ...uris });
    if (!caches.some(({ name }) => name === cache.name)) this.scope.forget(cache.name);
    if (message !== undefined) void vscode.window.showInformationMessage(plain(message));
  }

  async #chosen(title: string): Promise<Cache | undefined> {
    const { caches } = await this.#request({ action: "list" });
    if (caches.length === 0) void vscode.window.showInformationMessage("There are no caches.");
    else return (await pick(title, "", caches.map((cache) => ({ ...cacheLine(cache), cache }))))?.item.cache;
    return undefined;
  }

  /** Show one: its places, the files that failed and why, and what can be done. */
  async #show(cache: Cache): Promise<void> {
    const { name, state, places, failed, reading, message } = cache;
    const index = (action: IndexParams["action"]) => () => this.server.request(Method.index, { action, cache: name });
    const rebuild = async (): Promise<unknown> => (await confirmed("Rebuild", REBUILD)) && index("rebuild")();
    const lines: Line[] = [
      ...(message === undefined ? [] : [{ label: `$(info) ${message}` }]),
      ...places.map((place) => ({ ...placeLine(place), trash: () => this.remove(cache, place) })),
      ...failed.slice(0, MOST_FAILED).map(failedLine),
      ...(failed.length > MOST_FAILED ? [{ label: `$(error) ${failed.length - MOST_FAILED} others failed` }] : []),
      { label: "Do", kind: vscode.QuickPickItemKind.Separator },
      { label: "$(search) Ask and Search Only This", act: () => this.#search(name) },
      { label: "$(new-folder) Add a Folder…", act: () => this.add("folder", name) },
      ...(reading === true ? [] : [{ label: "$(new-file) Add Files…", act: () => this.add("files", name) }]),
      state === "indexing"
        ? { label: "$(debug-pause) Pause Indexing", act: index("pause") }
        : { label: "$(sync) Index What Changed", act: index(state === "paused" ? "resume" : "start") },
      { label: "$(refresh) Rebuild Index…", act: rebuild },
      { label: "$(trash) Remove…", act: () => this.remove(cache) },
    ];
    await choose(`${name}: ${STATES[state]}, ${counted(cache)}`, "What it is made of", lines);
  }

  async #search(name: string): Promise<void> {
    this.scope.set([name]);
    await vscode.commands.executeCommand("memcache.search");
  }

  #request(params: CachesParams): Promise<CachesResult> {
    return this.server.request(Method.caches, params);
  }
}

async function choose(title: string, placeholder: string, lines: readonly Line[]): Promise<void> {
  const items = lines.map((line) => (line.trash === undefined ? line : { ...line, buttons: [REMOVE] }));
  const chosen = await pick(title, placeholder, items);
  await (chosen?.button === undefined ? chosen?.item.act : chosen.item.trash)?.();
}

/** Ask for a name; that of the folder is proposed. */
async function nameFor(kind: Kind, { path }: vscode.Uri): Promise<string | undefined> {
  const folders = path.split("/").filter(Boolean);
  const value = kind === "reading" ? "reading" : (folders.at(kind === "files" ? -2 : -1) ?? "");
  const prompt = "What is asked by this name. A cache that has it already gets this in addition.";
  return vscode.window.showInputBox({ title: "Name of the cache", prompt, value });
}

function placeLine(place: CachePlace): Line {
  const { uri, kind, state, offlineSince, message } = place;
  const since = offlineSince === undefined ? "" : ` since ${new Date(offlineSince).toLocaleString()}`;
  return {
    label: `$(${state === "ready" ? kind : icon(state)}) ${pathOf(place)}`,
    description: STATES[state] + since,
    ...(message === undefined ? {} : { detail: message }),
    act: () => vscode.commands.executeCommand("revealFileInOS", vscode.Uri.parse(uri)),
  };
}

function failedLine({ path, reason }: Cache["failed"][number]): Line {
  return { label: `$(error) ${path}`, detail: reason, act: () => vscode.commands.executeCommand("vscode.open", vscode.Uri.file(path)) };
}

function pathOf({ uri }: CachePlace): string {
  return vscode.Uri.parse(uri).fsPath;
}

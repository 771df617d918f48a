/** Other people's extensions, which run beside ours: an assistant, an editor for PDF, Python's environments. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const COMMANDS = [
  { command: "probe.tool", title: "Use the Tool", category: "probe" },
  { command: "probe.forgetPath", title: "Forget the Path", category: "probe" },
];
const EDITORS = [{ viewType: "probe.pdf", displayName: "PDF", selector: [{ filenamePattern: "*.pdf" }] }];

const PROBE = `const vscode = require("vscode");
exports.activate = (context) => {
  context.subscriptions.push(vscode.window.registerCustomEditorProvider("probe.pdf", {
    openCustomDocument: (uri) => ({ uri, dispose: () => undefined }),
    resolveCustomEditor: ({ uri }) => void vscode.window.showInformationMessage("The PDF editor shows #" + uri.fragment),
  }));
  context.subscriptions.push(vscode.commands.registerCommand("probe.tool", async () => {
    const input = { query: "dead letters", limit: 3 };
    const { content } = await vscode.lm.invokeTool("memcache_search", { input, toolInvocationToken: undefined });
    vscode.window.showInformationMessage("The tool said: " + content[0].value.slice(0, 200));
  }));
  context.subscriptions.push(vscode.commands.registerCommand("probe.forgetPath", () => {
    process.env.PATH = "";
    vscode.window.showInformationMessage("The path is forgotten.");
  }));
};
`;

/** The environment `.venv` of the first folder is the selected one; that of ms-python.python answers alike. */
const PYTHON = `const vscode = require("vscode");
const { existsSync } = require("node:fs");
exports.activate = () => ({
  environments: {
    getActiveEnvironmentPath: (folder) => ({ path: vscode.Uri.joinPath(folder, ".venv").fsPath }),
    resolveEnvironment: async ({ path }) =>
      existsSync(path) ? { executable: { uri: vscode.Uri.file(path + "/bin/python") } } : undefined,
  },
});
`;

export function installOthers(folder: string): void {
  install(folder, "memcache-lsp.probe", PROBE, { contributes: { commands: COMMANDS, customEditors: EDITORS } });
  install(folder, "ms-python.python", PYTHON, { capabilities: { untrustedWorkspaces: { supported: true } } });
}

function install(folder: string, id: string, script: string, about: object): void {
  const own = join(folder, `${id}-0.0.1`);
  mkdirSync(own, { recursive: true });
  const [publisher, name] = id.split(".");
  const manifest = { name, publisher, version: "0.0.1", engines: { vscode: "^1.95.0" }, main: "main.js", ...about };
  writeFileSync(join(own, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(own, "main.js"), script);
}

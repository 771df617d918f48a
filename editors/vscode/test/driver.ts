/** A real VS Code for tests: its server, a window of its web workbench in Chromium, and what a user does in it. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { installOthers } from "./others";
import { type Browser, type BrowserContext, type Frame, type FrameLocator, type Locator, type Page, chromium } from "playwright-core";

export const TIMEOUT_MS = 60_000;

/** Where things are; given by whoever runs the tests. */
export interface Setup {
  /** `server-main.js` of VS Code. */
  readonly vscode: string;
  readonly chromium: string;
  /** The packed extension. */
  readonly vsix: string;
  /** A folder of its own for this run. */
  readonly folder: string;
  readonly images: string;
}

export function setup(): Setup {
  const [, , file] = process.argv;
  if (file === undefined) throw new Error("Give the file that says where things are.");
  return JSON.parse(readFileSync(file, "utf8")) as Setup;
}

interface Opening {
  readonly trust?: boolean;
  /** Whether it was open before, so that nobody is asked whether it is trusted. */
  readonly isKnown?: boolean;
}

export class Workbench {
  private constructor(
    private readonly server: ChildProcess,
    readonly browser: Browser,
    /** One for all windows, so that each loads the workbench out of the first one's cache. */
    private readonly context: BrowserContext,
    private readonly url: string,
  ) {}

  static async start({ vscode, chromium: executablePath, vsix, folder }: Setup): Promise<Workbench> {
    const data = join(folder, "data");
    const shared = ["--accept-server-license-terms", "--extensions-dir", join(folder, "extensions"), "--server-data-dir", data];
    mkdirSync(join(data, "data", "Machine"), { recursive: true });
    const quick = { "workbench.reduceMotion": "on", "git.enabled": false, "extensions.ignoreRecommendations": true };
    const settings = { "workbench.startupEditor": "none", "telemetry.telemetryLevel": "off", "memcache.answerTokens": 24, ...quick };
    writeFileSync(join(data, "data", "Machine", "settings.json"), JSON.stringify(settings));
    installOthers(join(folder, "extensions"));
    const flags = ["--without-connection-token", "--host", "127.0.0.1", "--port", "0", "--telemetry-level", "off", "--force-disable-user-env"];
    const server = spawn(process.execPath, [vscode, ...flags, ...shared], { stdio: ["ignore", "pipe", "ignore"] });
    const [port, browser] = await Promise.all([
      listening(server),
      chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] }),
      promisify(execFile)(process.execPath, [vscode, "--install-extension", vsix, ...shared]),
    ]);
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
    context.setDefaultTimeout(TIMEOUT_MS);
    return new Workbench(server, browser, context, `http://127.0.0.1:${port}/`);
  }

  /** Open a folder, or a file that lists folders, in a window of its own. */
  async open(path: string, { trust = true, isKnown = false }: Opening = {}): Promise<Window> {
    const page = await this.context.newPage();
    const kind = path.endsWith(".code-workspace") ? "workspace" : "folder";
    await page.goto(`${this.url}?${kind}=${encodeURIComponent(path)}`, { waitUntil: "commit" });
    const answer = trust ? /^(Yes, I trust the authors|Trust)/ : /^(No, I don't trust the authors|Don't Trust)/;
    if (!isKnown) await page.getByRole("button", { name: answer }).first().click();
    await page.getByRole("tab", { name: /memcache/ }).first().waitFor();
    return new Window(page);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.kill();
  }
}

export class Window {
  constructor(readonly page: Page) {}

  get panel(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready[src*="extensionId=memcache-lsp.memcache-lsp"]').frameLocator("#active-frame");
  }

  get turn(): Locator {
    return this.panel.locator(".turn").last();
  }

  /** Run a command of the palette. */
  async run(title: string): Promise<void> {
    const input = this.page.locator(".quick-input-widget input").first();
    // What was open a moment ago may take the focus back, which closes the palette.
    for (let tries = 5; ; tries--) {
      await this.page.keyboard.press("F1");
      try {
        await input.fill(`>${title}`, { timeout: 3000 });
        await this.row(title).click({ timeout: 3000 });
        return;
      } catch (error) {
        if (tries === 0) throw error;
      }
    }
  }

  /** Search by meaning, as one types. */
  async search(text: string): Promise<void> {
    await this.run("memcache: Search by Meaning…");
    await this.page.locator(".quick-input-title", { hasText: "Search by Meaning" }).waitFor();
    await this.page.mouse.move(0, 0); // what it rests on tells about itself, in front of the title
    await this.page.locator(".quick-input-widget input").first().pressSequentially(text, { delay: 20 });
  }

  /** Our item of the status bar, by what it tells. */
  status(told = ""): Locator {
    return this.page.locator(`.statusbar-item [aria-label^="memcache: ${told}"]`);
  }

  /** A line of what was opened from above. */
  row(text: string): Locator {
    return this.page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first();
  }

  /** Open a file by a search for its path. */
  async edit(path: string): Promise<void> {
    await this.search(path);
    await this.row(path).waitFor();
    await this.page.keyboard.press("Enter");
    await this.cursorIn(path.split("/").pop() ?? path);
  }

  /** Choose a colour theme. */
  async colours(theme: string): Promise<void> {
    await this.run("Preferences: Color Theme");
    await this.page.locator(".quick-input-widget input").first().fill(theme);
    await this.row(theme).click();
    await this.page.locator(".quick-input-list").waitFor({ state: "hidden" });
  }

  /** The panel's document, for what locators cannot do. */
  async frame(): Promise<Frame> {
    const outer = await this.page.waitForSelector('iframe.webview.ready[src*="extensionId=memcache-lsp.memcache-lsp"]');
    const middle = await outer.contentFrame();
    const inner = await middle?.waitForSelector("#active-frame");
    const frame = await inner?.contentFrame();
    if (!frame) throw new Error("There is no panel.");
    return frame;
  }

  async ask(question: string): Promise<void> {
    const before = await this.panel.locator(".turn").count();
    const box = this.panel.getByRole("textbox", { name: "Question" });
    await box.fill(question);
    // An editor that is still being opened may take the focus, and the key.
    await this.until(this.panel.locator(".turn").nth(before), async () => {
      if ((await box.inputValue()) === question) await box.press("Enter");
    });
  }

  /** Do something again until this is shown: what the window is busy with may swallow a click, or scroll it away. */
  async until(shown: Locator, act: () => Promise<void>, timeout = 4000): Promise<Locator> {
    for (let left = 10; ; left--) {
      try {
        await act();
        await shown.waitFor({ timeout });
        return shown;
      } catch (error) {
        if (left === 0) throw error;
      }
    }
  }

  /** Point at a source until it is described by its peek, and return that: sources that move are drawn anew. */
  async pointAt(source: Locator): Promise<Locator> {
    await this.until(this.panel.locator('[aria-describedby="peek"]').first(), async () => {
      await this.page.mouse.move(0, 0);
      await source.hover({ timeout: 4000 });
    });
    return this.panel.locator("#peek");
  }

  /** Wait until the last turn ended in one of these ways. */
  async ended(...states: string[]): Promise<void> {
    const wanted = (states.length === 0 ? ["done"] : states).map((state) => `.turn:last-child[data-state="${state}"]`);
    await this.panel.locator(wanted.join(", ")).waitFor();
  }

  /** Tell where the cursor is: the file of the active editor, and the line. */
  async cursor(): Promise<{ file: string; line: number }> {
    const file = await this.page.locator(".tab.active .label-name").first().textContent();
    const status = await this.page.locator('[id="status.editor.selection"]').textContent();
    return { file: file ?? "", line: Number(/Ln (\d+)/.exec(status ?? "")?.[1]) };
  }

  /** Wait until the cursor is in a file, at a line, and give that. What is a preview only has not the focus. */
  async cursorIn(file: string, line?: number): Promise<number> {
    await this.page.locator(".tab.active", { hasText: file }).waitFor();
    await this.page.locator(".editor-group-container.active .monaco-editor.focused").first().waitFor();
    await this.page.locator('[id="status.editor.selection"]', { hasText: new RegExp(`Ln ${line ?? "\\d+"}\\b`) }).waitFor();
    return (await this.cursor()).line;
  }
}

async function listening(server: ChildProcess): Promise<number> {
  if (server.stdout === null) throw new Error("The server's output is not read.");
  const lines = createInterface(server.stdout);
  for await (const line of lines) {
    const found = /agent listening on (\d+)/.exec(line);
    if (found !== null) {
      server.stdout.resume();
      return Number(found[1]);
    }
  }
  throw new Error("VS Code's server ended before it listened.");
}


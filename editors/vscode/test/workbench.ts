/** What a user sees: the extension in a real workbench, with the real server and a real model. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { type Window, Workbench, setup } from "./driver";

const here = setup();
const project = join(here.folder, "courier");
const QUESTION = "what happens to a parcel that fails too often?";
let workbench: Workbench;
let window: Window;

before(async () => {
  workbench = await Workbench.start(here);
  window = await workbench.open(project);
});
after(async () => {
  await workbench.close();
});

/** A test that leaves a picture where it fails. */
function check(name: string, body: () => Promise<void>): void {
  void test(name, async () => {
    try {
      await body();
    } catch (error) {
      const path = join(here.images, `failed-${name.replace(/\W+/g, "-")}.png`);
      await window.page.screenshot({ path }).catch(() => undefined);
      throw error;
    }
  });
}

check("a question is answered from its sources", async () => {
  await window.run("memcache: Ask…");
  await window.ask(QUESTION);
  await window.turn.locator(".source").first().waitFor();
  await window.ended();
  assert.notEqual(await window.turn.locator(".answer").textContent(), "");
  await window.page.screenshot({ path: join(here.images, "answer.png") });
});

check("a source opens at its lines", async () => {
  const source = window.turn.locator(".source").first();
  const [, path, first] = /\](.+?):(\d+)-/.exec((await source.textContent()) ?? "") ?? [];
  await source.click();
  const name = path?.split("/").pop() ?? "";
  assert.equal(await window.cursorIn(name), Number(first));
});

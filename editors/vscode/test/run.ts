/** One workbench for all tests, and its one window. */

import { after, test } from "node:test";
import { join } from "node:path";
import { type Window, Workbench, setup } from "./driver";

export const here = setup();
let starting: Promise<Workbench> | undefined;
export let window: Window;

export function workbench(): Promise<Workbench> {
  return (starting ??= Workbench.start(here));
}

/** Open a folder in the window's place. */
export async function open(path: string, options: { trust?: boolean } = {}): Promise<void> {
  const opened = await (await workbench()).open(path, options);
  if ((window as Window | undefined) !== undefined) await window.page.close();
  window = opened;
}

/** A test that leaves a picture where it fails, and tells its seconds. */
export function check(name: string, body: () => Promise<void>): void {
  void test(name, async () => {
    const began = Date.now();
    try {
      await body();
    } catch (error) {
      const path = join(here.images, `failed-${name.replace(/\W+/g, "-")}.png`);
      await window.page.screenshot({ path }).catch(() => undefined);
      throw error;
    }
    console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s`);
  });
}

after(async () => {
  await (await starting)?.close();
});

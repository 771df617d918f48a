/** Takes the README's pictures, of a real answer by the model that is set up: `node dist/test/pictures.mjs SETUP.json`. */

import { join } from "node:path";
import { Workbench, setup } from "./driver";

const here = setup();
const workbench = await Workbench.start(here);
const window = await workbench.open(join(here.folder, "courier"));
await window.page.setViewportSize({ width: 1000, height: 620 });
await window.run("memcache: Ask…");
await window.ask("how long does a retry wait?");
await window.ended();
await window.turn.locator(".answer button.cite").first().click();
await window.page.locator(".monaco-editor.focused").first().waitFor();
await window.page.mouse.move(700, 500);
await window.turn.locator("h2").scrollIntoViewIfNeeded();
await window.page.screenshot({ path: join(here.images, "answer.png") });
await window.search("how is a signature checked");
await window.row("webhooks.py").waitFor();
await window.page.locator(".tab.active", { hasText: "webhooks.py" }).waitFor();
await window.page.locator(".monaco-editor .view-line", { hasText: "def check_signature" }).first().waitFor();
await window.page.screenshot({ path: join(here.images, "search.png") });
await workbench.close();

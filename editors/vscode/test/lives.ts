/** The life of the server's process: silence, repeated ends, an end that is wanted. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Life } from "../src/life";

/** Write a program; one that only waits, by default. */
function program(lines = "exec sleep 1000"): string {
  const path = join(mkdtempSync(join(tmpdir(), "memcache-life-")), "memcache-lsp");
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

function unexpected(problem: string): void {
  assert.fail(problem);
}

test("a server that does not answer is ended, and that is told", async () => {
  const lost: string[] = [];
  const life = new Life(program("sleep 20 & wait"), (problem) => lost.push(problem), 50); // what it starts holds its output open
  const begun = await life.begin();
  if (begun.stdout) await Promise.all([once(begun, "exit"), once(begun.stdout, "close")]);
  assert.equal(begun.signalCode, "SIGKILL");
  assert.equal(life.startsAgain(), false);
  assert.match(life.problem ?? "", /did not answer within 0\.05 s: look at/);
  assert.deepEqual(lost, []); // who starts it waits for it, and tells
});

test("a server that ends before it answers is not started again", async () => {
  const life = new Life(program("exit 3"), unexpected);
  const begun = await life.begin();
  await once(begun, "exit");
  assert.equal(life.startsAgain(), false);
  assert.match(life.problem ?? "", /ended before it answered/);
});

test("a server that ends again and again is given up, in one sentence", async () => {
  const lost: string[] = [];
  const life = new Life(program(), (problem) => lost.push(problem));
  const again: boolean[] = [];
  for (let n = 0; n < 5; n++) {
    const begun = await life.begin();
    if (n !== 2) life.answers(); // once it does not even get so far
    begun.kill("SIGKILL");
    await once(begun, "exit");
    again.push(life.startsAgain());
  }
  assert.deepEqual(again, [true, true, true, true, false]);
  assert.equal(lost.length, 1);
  assert.match(lost[0] ?? "", /ended 5 times within 3 minutes, so it was not started again/);
});

test("a server that cannot be started again is given up, in one sentence", async () => {
  const lost: string[] = [];
  const path = program();
  const life = new Life(path, (problem) => lost.push(problem));
  const begun = await life.begin();
  life.answers();
  begun.kill("SIGKILL");
  await once(begun, "exit");
  assert.ok(life.startsAgain());
  rmSync(path);
  await assert.rejects(life.begin());
  assert.equal(lost.length, 1);
  assert.match(lost[0] ?? "", /cannot be started \(.*ENOENT\): look at the setting/);
});

test("a server that says nonsense before it answers is told by who starts it, and later by us", async () => {
  const lost: string[] = [];
  const nonsense = new Error("Header must provide a Content-Length property.\n{}");
  const early = new Life(program(), unexpected);
  await early.begin();
  assert.equal(early.mayGoOn(nonsense, undefined), false);
  assert.match(early.problem ?? "", /is not understood \(Header must provide a Content-Length property\.\): memcache: Show Log/);
  const late = new Life(program(), (problem) => lost.push(problem));
  await late.begin();
  late.answers();
  assert.equal(late.mayGoOn(nonsense, 1), true);
  assert.equal(late.mayGoOn(nonsense, 4), false);
  assert.equal(late.startsAgain(), false);
  assert.equal(lost.length, 1);
});

test("a server that was ended is not started again, also where it is just being started", async () => {
  const life = new Life(program(), unexpected);
  const [begun] = await Promise.all([life.begin(), Promise.resolve().then(() => { life.end({ wasAsked: false }); })]); // prettier-ignore
  if (begun.signalCode === null) await once(begun, "exit");
  assert.equal(begun.signalCode, "SIGKILL");
  assert.equal(life.startsAgain(), false);
  assert.equal(life.problem, undefined);
});

test("a server that was asked to end has time for it, and is ended where it does not", async () => {
  const life = new Life(program(), unexpected);
  const begun = await life.begin();
  life.answers();
  life.end({ wasAsked: true });
  assert.equal(begun.signalCode, null);
  await once(begun, "exit");
  assert.equal(begun.signalCode, "SIGKILL");
});

/** The server's process: started, given time to answer, started again where it ends by itself, and ended. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";

const PATIENCE_MS = 60_000; // for the answer to `initialize`
const GRACE_MS = 2000;
const MOST_ERRORS = 3; // in a row
const MOST_ENDS = 5;
const ENDS_WITHIN_MS = 180_000;

export class Life {
  /** Why it is not started again; undefined while it lives, and where it was ended by us. */
  problem: string | undefined;
  #process: ChildProcess | undefined;
  #patience: NodeJS.Timeout | undefined;
  #hadAnswered = false;
  #isOver = false;
  #ends: number[] = [];

  /** `lost` is called when a server that had answered is not started again. */
  constructor(
    private readonly command: string,
    private readonly lost: (problem: string) => void,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  /** Start the process; the language client calls this for the first start and each later one. */
  readonly begin = async (): Promise<ChildProcess> => {
    // The home folder, for nothing of the workspace may be found by its being the current folder.
    const begun = spawn(this.command, ["serve"], { cwd: homedir(), stdio: "pipe" });
    try {
      await once(begun, "spawn");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#fail(`${this.command} cannot be started (${why}): look at the setting memcache.server.path.`);
      throw error;
    }
    this.#process = begun;
    if (this.#isOver) {
      this.#kill();
      return begun;
    }
    this.#patience = setTimeout(() => {
      this.problem = `${this.command} did not answer within ${this.patienceMs / 1000} s: look at memcache: Show Log, and at the setting memcache.server.path.`;
      this.#kill();
    }, this.patienceMs);
    return begun;
  };

  /** It has answered `initialize`. */
  answers(): void {
    clearTimeout(this.#patience);
    this.#hadAnswered = true;
  }

  /** End the process, whatever it does; one that was asked to end has some time for it. */
  end({ wasAsked }: { wasAsked: boolean }): void {
    this.#isOver = true;
    const process = this.#process;
    if (!wasAsked || process === undefined) this.#kill();
    else {
      const late = setTimeout(() => process.kill("SIGKILL"), GRACE_MS);
      process.once("exit", () => {
        clearTimeout(late);
      });
    }
  }

  /** Something went wrong with the connection, which is worth going on or not. */
  mayGoOn(error: Error, count: number | undefined): boolean {
    if (count !== undefined && count <= MOST_ERRORS) return true;
    const [why] = error.message.split("\n");
    this.#fail(`What ${this.command} says is not understood (${why}): memcache: Show Log tells more.`);
    return false;
  }

  /** The connection was closed; tell whether it is started again. */
  startsAgain(): boolean {
    const hadAnswered = this.#hadAnswered;
    this.#kill(); // it may have closed nothing but its output
    if (this.#isOver) return false;
    const now = Date.now();
    this.#ends = [...this.#ends, now].filter((end) => now - end < ENDS_WITHIN_MS);
    if (!hadAnswered) this.problem ??= `${this.command} ended before it answered: memcache: Show Log tells why.`;
    else if (this.#ends.length >= MOST_ENDS)
      this.problem ??= `memcache-lsp ended ${MOST_ENDS} times within ${ENDS_WITHIN_MS / 60_000} minutes, so it was not started again: memcache: Show Log tells why.`;
    if (this.problem === undefined) return true;
    this.#fail(this.problem);
    return false;
  }

  /** Give it up. Who waits for the first start tells why; of a later one nobody but us does. */
  #fail(problem: string): void {
    this.problem ??= problem;
    const isLost = this.#hadAnswered && !this.#isOver;
    this.end({ wasAsked: false });
    if (isLost) this.lost(this.problem);
  }

  #kill(): void {
    clearTimeout(this.#patience);
    this.#process?.kill("SIGKILL");
    // What it started itself may hold them open.
    this.#process?.stdout?.destroy();
    this.#process?.stderr?.destroy();
    this.#process = undefined;
  }
}

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
  #isAnswering = false;
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
    await once(begun, "spawn");
    this.#process = begun;
    this.#isAnswering = false;
    if (this.#isOver) this.#kill();
    this.#patience = setTimeout(() => {
      this.problem = `${this.command} did not answer within ${this.patienceMs / 1000} s: look at memcache: Show Log, and at the setting memcache.server.path.`;
      this.#kill();
    }, this.patienceMs);
    return begun;
  };

  /** It has answered `initialize`. */
  answers(): void {
    clearTimeout(this.#patience);
    this.#isAnswering = true;
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
    this.#lose(`The connection to memcache-lsp is broken (${error.message}).`);
    return false;
  }

  /** The connection was closed; tell whether it is started again. */
  startsAgain(): boolean {
    const hadAnswered = this.#isAnswering || this.#ends.length > 0;
    this.#kill(); // it may have closed nothing but its output
    if (this.#isOver) return false;
    const now = Date.now();
    this.#ends = [...this.#ends, now].filter((end) => now - end < ENDS_WITHIN_MS);
    if (!hadAnswered) this.problem ??= `${this.command} ended before it answered: memcache: Show Log tells why.`;
    else if (this.#ends.length >= MOST_ENDS)
      this.problem ??= `memcache-lsp ended ${MOST_ENDS} times within ${ENDS_WITHIN_MS / 60_000} minutes, so it was not started again: memcache: Show Log tells why.`;
    if (this.problem === undefined) return true;
    if (hadAnswered) this.#lose(this.problem);
    return false;
  }

  #lose(problem: string): void {
    this.problem = problem;
    if (!this.#isOver) this.lost(problem);
    this.end({ wasAsked: false });
  }

  #kill(): void {
    clearTimeout(this.#patience);
    this.#isAnswering = false;
    this.#process?.kill("SIGKILL");
    // What it started itself may hold them open.
    this.#process?.stdout?.destroy();
    this.#process?.stderr?.destroy();
    this.#process = undefined;
  }
}

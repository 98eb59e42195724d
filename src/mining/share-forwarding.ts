/**
 * Sends shares of other pools' jobs to those pools and brings their answers back as one of two: the share is refused, or it counts. A pool that
 * says nothing has not refused anything, so what nobody answered counts: the miner did the work.
 */
import { toDisplayHex } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { SUBMIT_SHARES_ERROR } from "../sv2/codes.ts";
import type { UpstreamAnswer, UpstreamShare, UpstreamShares } from "./upstream-ports.ts";

/** What `ShareForwarding` works with. */
export interface ShareForwardingDeps {
  /** Left out, nothing can be sent. */
  readonly upstream?: UpstreamShares;
  readonly log: Log;
  readonly meter: Meter;
}

/** Error codes as pools write them; what is longer or odder is not passed on to miners. */
const CODE = /^[!-~]{1,64}$/;

/** Codes that have a place in counts. A pool could make up a new one for every share. */
const COUNTED: ReadonlySet<string> = new Set(Object.values(SUBMIT_SHARES_ERROR));

/** The way of shares to other pools. */
export class ShareForwarding {
  readonly #deps: ShareForwardingDeps;
  /** Job of the last line about a block, and whether it was sent: where blocks are as easy as shares there is one line a job. */
  #told = "";

  constructor(deps: ShareForwardingDeps) {
    this.#deps = deps;
  }

  /**
   * Sends a share. `settle` is called once, with the code that the pool refused it with or `undefined`, later or, when it could not be sent, before
   * this returns. `hash`: of its header, `Uint8Array(32)`, internal byte order, read before this returns. Never throws.
   */
  forward(share: UpstreamShare, hash: Uint8Array, settle: (refusal: string | undefined) => void): void {
    const { upstream, meter } = this.#deps;
    const { pool } = share.work;
    const blockHash = share.block ? toDisplayHex(hash) : undefined;
    let isSettled = false;
    const answer = (said: UpstreamAnswer): void => {
      if (isSettled) return;
      isSettled = true;
      const refusal = typeof said === "string" ? codeOf(said) : undefined;
      const outcome = said === undefined ? "accepted" : said === null ? "unanswered" : "refused";
      meter.count("shares_forwarded_total", 1, { pool, answer: outcome });
      if (blockHash !== undefined) this.#tellAnswer(pool, blockHash, refusal ?? outcome);
      settle(refusal);
    };
    const isSent = upstream?.submit(share, answer) === true;
    if (blockHash !== undefined) this.#tellBlock(share, blockHash, isSent);
    if (isSent || isSettled) return;
    isSettled = true;
    meter.count("shares_forwarded_total", 1, { pool, answer: "unsent" });
    settle(undefined);
  }

  #tellBlock({ work: { pool, jobId }, userIdentity }: UpstreamShare, hash: string, isSent: boolean): void {
    const news = `${jobId} ${isSent}`;
    const level = this.#told === news ? "debug" : isSent ? "info" : "error";
    this.#told = news;
    const sentence = isSent
      ? `a share solves a Bitcoin block for ${pool} and was sent there`
      : `a share solves a Bitcoin block for ${pool} and could not be sent there`;
    this.#deps.log[level](sentence, { hash, user: userIdentity, poolJobId: jobId });
  }

  #tellAnswer(pool: string, hash: string, answer: string): void {
    this.#deps.log.debug(`${pool} said of a share that solves a Bitcoin block: ${answer}`, { hash });
  }
}

/** A code that counts of refusals are kept by. */
export function countedCode(errorCode: string): string {
  return COUNTED.has(errorCode) ? errorCode : "other";
}

/** The pool's code, or the plainest of all where it is none. */
function codeOf(said: string): string {
  return CODE.test(said) ? said : SUBMIT_SHARES_ERROR.invalidShare;
}

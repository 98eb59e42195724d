/**
 * Who the blocks of channels pay, for a pool whose coinbases pay user identities (docs/solo.md): each way of paying that an open channel
 * has, and the newest job made for it. Channels with the same address and share have the same work, on whatever connection they are, and
 * what is kept is bounded by the channels that are open.
 */
import type { NetworkName } from "../bitcoin/network.ts";
import type { TxOutput } from "../bitcoin/transaction.ts";
import { toHex } from "../kernel/bytes.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Job } from "./job.ts";
import { type DirectPayout, type PayoutSplit, payJob, splitPayout, withoutChains } from "./job-payout.ts";
import { type PayoutIdentity, payoutIdentity } from "./payout-identity.ts";
import { PreparedJob, prepared } from "./prepared-job.ts";

/** A way of paying that open channels share. */
export interface ChannelPayout {
  readonly to: DirectPayout;
}

/** What `ChannelPayouts` works with. */
export interface ChannelPayoutsDeps {
  readonly log: Log;
  /** The pool's outputs for its part, as for jobs that pay the pool alone. */
  readonly pool: (value: bigint) => readonly TxOutput[];
  /** Why the chains that a job commits to could not use its coinbase, `undefined` when they can. Left out, they always can. */
  readonly flaw?: (job: Job) => string | undefined;
}

/** A payout with what is kept of it. */
interface Kept extends ChannelPayout {
  readonly key: string;
  channels: number;
  /** The newest job, as made for the pool, that work was made of. */
  job: Job | undefined;
  work: PreparedJob | undefined;
}

/** All payouts of open channels. */
export class ChannelPayouts {
  readonly #deps: ChannelPayoutsDeps;
  readonly #network: NetworkName;
  readonly #kept = new Map<string, Kept>();
  /** The job of the last line about a payout that got no work, or none with chains: one line a job, whatever miners write. */
  #told: Job | undefined;

  constructor(deps: ChannelPayoutsDeps, options: { readonly network: NetworkName }) {
    this.#deps = deps;
    this.#network = options.network;
  }

  /** Ways of paying that are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** What a user identity says of its payout. */
  read(userIdentity: string): PayoutIdentity {
    return payoutIdentity(userIdentity, this.#network);
  }

  /** The payout of a channel that opens; it has to be closed with the channel. */
  open(to: DirectPayout): ChannelPayout {
    const key = `${to.kind === "solo" ? 0 : to.percent} ${toHex(to.script)}`;
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = { to, key, channels: 0, job: undefined, work: undefined };
      this.#kept.set(key, kept);
    }
    kept.channels += 1;
    return kept;
  }

  /** A channel with `payout` is closed. */
  close(payout: ChannelPayout): void {
    const kept = payout as Kept;
    kept.channels -= 1;
    if (kept.channels === 0) this.#kept.delete(kept.key);
  }

  /**
   * `job` with a coinbase that pays `payout`; made once for all channels with it. Without the chains where their commitments do not go
   * together with it. `undefined` when the template has no room for it: then its miners stay on their last job, as when no job could be
   * made at all, rather than mine for somebody else. Never throws.
   */
  workFor(job: Job, payout: ChannelPayout): PreparedJob | undefined {
    const kept = payout as Kept;
    if (kept.job !== job) {
      kept.job = job;
      kept.work = this.#make(job, payout.to);
    }
    return kept.work;
  }

  #make(job: Job, to: DirectPayout): PreparedJob | undefined {
    try {
      const split = splitPayout(job.template.coinbaseValue, to, this.#deps.pool);
      const made = job.aux === undefined ? payJob(job, split) : this.#withChains(job, split);
      if (typeof made !== "string") return new PreparedJob(made, prepared(job));
      this.#tell("warn", job, `a coinbase that pays ${to.address} goes out without any aux chain: ${made}`);
      return new PreparedJob(payJob(withoutChains(job), split), prepared(job));
    } catch (error) {
      this.#tell("error", job, `no job could be made that pays ${to.address}: ${describe(error)}`);
      return undefined;
    }
  }

  /** The job with its chains, or why they cannot be in it. */
  #withChains(job: Job, split: PayoutSplit): Job | string {
    try {
      const made = payJob(job, split);
      return this.#deps.flaw?.(made) ?? made;
    } catch (error) {
      return describe(error);
    }
  }

  #tell(level: "warn" | "error", job: Job, sentence: string): void {
    this.#deps.log[this.#told === job ? "debug" : level](sentence, { jobId: job.jobId });
    this.#told = job;
  }
}

/** The shares of one channel on their way up: numbered, sent, and answered when the pool spoke of them (spec 5.3.12 to 5.3.14). */
import type { Clock } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { peerText } from "../kernel/peer-text.ts";
import type { UpstreamAnswer, UpstreamShare } from "../mining/upstream-ports.ts";
import { mining } from "../sv2/messages/mining.ts";
import { encodeUserIdentity } from "../sv2/tlv.ts";
import { workerName } from "./identities.ts";
import { PendingShares } from "./pending-shares.ts";
import type { ShareTally } from "./share-tally.ts";

/** One line a while tells of shares that the pool refused too late, ms. */
const TELL_MS = 10_000;

/** What the shares of a channel work with. */
export interface ChannelSharesDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** Takes whole plain frames. */
  readonly send: (frame: Uint8Array) => void;
  readonly tally: ShareTally;
  /** Whether shares name their worker by now (extension 0x0002). */
  readonly namesWorkers: () => boolean;
}

/** Options of `ChannelShares`. */
export interface ChannelSharesOptions {
  readonly channelId: number;
  /** Extranonce bytes of the channel: all that a share may carry. */
  readonly extranonceSize: number;
  /** A share's answer is waited for so long, ms. */
  readonly timeoutMs: number;
  /** The channel is this miner's alone, and named for it: its own shares need not name it again. */
  readonly minerIdentity?: string | undefined;
  /** The first share's number; 0 when left out. */
  readonly firstSequenceNumber?: number;
}

/** One channel's shares. */
export class ChannelShares {
  readonly #deps: ChannelSharesDeps;
  readonly #channelId: number;
  readonly #extranonceSize: number;
  readonly #pending: PendingShares;
  readonly #minerIdentity: string | undefined;
  #sequenceNumber: number;
  #lateRefusals = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ChannelSharesDeps, options: ChannelSharesOptions) {
    this.#deps = deps;
    this.#channelId = options.channelId;
    this.#extranonceSize = options.extranonceSize;
    this.#pending = new PendingShares({}, { timeoutMs: options.timeoutMs });
    this.#minerIdentity = options.minerIdentity;
    this.#sequenceNumber = options.firstSequenceNumber ?? 0;
  }

  /** Sends a share of this channel, as `UpstreamShares.submit`. */
  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const { clock, send, tally, log } = this.#deps;
    const { work, version, ntime, nonce, extranonce } = share;
    if (extranonce.length !== this.#extranonceSize) {
      // A job of the channel's predecessor, which had the same number.
      tally.unsent("gone");
      return false;
    }
    if (!tally.hasRoom(share.block)) {
      tally.unsent("full");
      return false;
    }
    const sequenceNumber = this.#sequenceNumber;
    this.#sequenceNumber = (sequenceNumber + 1) >>> 0;
    const fields = { channelId: this.#channelId, sequenceNumber, jobId: work.jobId, nonce, ntime, version, extranonce };
    const isNamed = this.#deps.namesWorkers() && share.userIdentity !== this.#minerIdentity;
    const worker = isNamed ? workerName(share.userIdentity) : "";
    this.#pending.add(
      sequenceNumber,
      (said) => {
        tally.answered();
        try {
          answer(said);
        } catch (error) {
          log.error(`an answer of the pool could not be passed on: ${describe(error)}`, { error });
        }
      },
      clock.monotonicMs(),
    );
    tally.sent();
    send(mining.encode("SubmitSharesExtended", fields, worker === "" ? undefined : encodeUserIdentity(worker)));
    return true;
  }

  /** Takes a SubmitShares.Success. */
  accepted(batch: { readonly lastSequenceNumber: number; readonly newSubmitsAcceptedCount: number }): void {
    const { tally, log } = this.#deps;
    const { lastSequenceNumber, newSubmitsAcceptedCount: count } = batch;
    tally.accepted(count);
    if (this.#pending.accept(lastSequenceNumber, count)) return;
    tally.odd();
    log.debug("the pool acknowledges more shares than it got, or none", {
      channelId: this.#channelId,
      lastSequenceNumber,
      count,
    });
  }

  /** Takes a SubmitShares.Error. */
  refused(refusal: { readonly sequenceNumber: number; readonly errorCode: string }): void {
    const { tally, log } = this.#deps;
    const { sequenceNumber } = refusal;
    const errorCode = peerText(refusal.errorCode);
    const found = this.#pending.refuse(sequenceNumber, errorCode);
    if (found !== "unknown") {
      tally.refused(errorCode);
      if (found === "late") this.#tellLate(errorCode);
      return;
    }
    tally.odd();
    log.debug("the pool refuses a share that it was not sent, or that it answered before", {
      channelId: this.#channelId,
      sequenceNumber,
      errorCode,
    });
  }

  /** Gives up shares that wait for too long. `channels`: of the connection. */
  expire(channels: number): void {
    this.#deps.tally.unanswered(this.#pending.expire(this.#deps.clock.monotonicMs(), channels));
  }

  /** The channel or its connection is gone. */
  abandon(): void {
    this.#deps.tally.unanswered(this.#pending.abandon());
  }

  /** The share has been credited below by now: the operator should know when that happens often. */
  #tellLate(errorCode: string): void {
    this.#lateRefusals += 1;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_MS) return;
    this.#deps.log.warn("the pool refused shares so late that they were credited already", {
      channelId: this.#channelId,
      errorCode,
      shares: this.#lateRefusals,
    });
    this.#lateRefusals = 0;
    this.#toldMs = nowMs;
  }
}

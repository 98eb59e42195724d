/**
 * A channel's conversation from the client's side: its jobs become work, solutions become shares, and the server's answers
 * become events (spec 5.3.7 to 5.3.22).
 */

import { hashToBigint, targetFromCompact } from "../../bitcoin/target.ts";
import type { Bus } from "../../kernel/events.ts";
import { mining } from "../../sv2/messages/mining.ts";
import type { Decoded } from "../../sv2/table.ts";
import { encodeUserIdentity } from "../../sv2/tlv.ts";
import { type ChannelOpening, type ChannelOptions, type ChannelWork, MinerChannel, violation } from "./channel.ts";
import type { MinerEvents } from "./events.ts";
import type { Solution, Work } from "./work.ts";

/** Shares without an answer, and works without a share, that are remembered. */
const MAX_REMEMBERED = 10_000;

/** What a channel's conversation works with. */
export interface ChannelClientDeps {
  readonly events: Bus<MinerEvents>;
  /** Takes whole plain frames. */
  readonly send: (frame: Uint8Array) => void;
  /** What to search from now on. */
  readonly onWork: (work: Work) => void;
  /** The server closed the channel. */
  readonly onClosed: (reason: string) => void;
}

/** How it speaks. */
export interface ChannelClientOptions extends ChannelOptions {
  /** Names this worker in every share of an extended channel, with extension 0x0002; at most 32 bytes of UTF-8. */
  readonly workerIdentity: string | undefined;
}

/** The messages that are addressed to a channel. */
export type ChannelMessage = Extract<Decoded<typeof mining.table>, { readonly value: { readonly channelId: number } }>;

/** One channel and its shares. */
export class ChannelClient {
  readonly channel: MinerChannel;
  readonly #deps: ChannelClientDeps;
  readonly #workerIdentity: string | undefined;
  readonly #works = new Map<number, number>();
  readonly #pending = new Map<number, number>();
  #networkTarget = 0n;
  #workId = 0;
  #sequenceNumber = 0;

  constructor(deps: ChannelClientDeps, opening: ChannelOpening, options: ChannelClientOptions) {
    this.channel = new MinerChannel(opening, options);
    this.#deps = deps;
    this.#workerIdentity = opening.kind === "extended" ? options.workerIdentity : undefined;
  }

  /** Takes a message that addresses a channel. Throws `Fault("server-violation")` when it breaks a rule. */
  receive(message: ChannelMessage): void {
    const { channel } = this;
    const { events } = this.#deps;
    const { channelId } = message.value;
    if (!channel.isAddressedBy(channelId))
      throw violation("there is no such channel", { message: message.name, channelId });
    switch (message.name) {
      case "NewMiningJob": {
        const { jobId, minNtime } = message.value;
        const work = channel.job({ kind: "standard", job: message.value });
        events.emit("job", { jobId, future: minNtime === null, kind: "standard" });
        if (work !== undefined) this.#search(jobId, work);
        return;
      }
      case "NewExtendedMiningJob": {
        const { jobId, minNtime } = message.value;
        const work = channel.job({ kind: "extended", job: message.value });
        events.emit("job", { jobId, future: minNtime === null, kind: "extended" });
        if (work !== undefined) this.#search(jobId, work);
        return;
      }
      case "SetNewPrevHash": {
        const { jobId, nbits } = message.value;
        this.#networkTarget = targetFromCompact(nbits);
        const work = channel.newPrevHash(message.value);
        events.emit("newBlock", { prevHash: work.prevHash, jobId, nbits });
        this.#search(jobId, work);
        return;
      }
      case "SetTarget":
        channel.setTarget(message.value.maximumTarget);
        events.emit("target", { target: message.value.maximumTarget.slice() });
        return;
      case "SetExtranoncePrefix":
        if (channelId !== channel.opening.channelId) {
          throw violation("SetExtranoncePrefix was sent to a group", { channelId });
        }
        channel.setExtranoncePrefix(message.value.extranoncePrefix);
        return;
      case "SubmitSharesSuccess":
        this.#accepted(message.value);
        return;
      case "SubmitSharesError": {
        const { sequenceNumber, errorCode: code } = message.value;
        const jobId = this.#pending.get(sequenceNumber);
        this.#pending.delete(sequenceNumber);
        events.emit("shareRejected", { sequenceNumber, jobId, code });
        return;
      }
      case "UpdateChannelError":
        events.emit("refused", { step: "update", code: message.value.errorCode });
        return;
      case "CloseChannel": {
        const reason = message.value.reasonCode;
        events.emit("channelClosed", { channelId: channel.opening.channelId, reason });
        this.#deps.onClosed(reason);
        return;
      }
      default:
        // What is left are answers to custom jobs, which this client never sends, and what only servers get.
        throw violation("a message came that nothing asked for", { message: message.name });
    }
  }

  /** Sends a share, unless its job is not valid any more. */
  submit(solution: Solution): void {
    const { opening } = this.channel;
    const jobId = this.#works.get(solution.workId);
    if (jobId === undefined) return;
    if (!this.channel.isValid(jobId)) {
      this.#deps.events.emit("shareStale", { jobId });
      return;
    }
    const sequenceNumber = this.#sequenceNumber;
    this.#sequenceNumber = (sequenceNumber + 1) >>> 0;
    remember(this.#pending, sequenceNumber, jobId);
    const { nonce, ntime, version, extranonce, hash } = solution;
    const share = { channelId: opening.channelId, sequenceNumber, jobId, nonce, ntime, version };
    if (opening.kind === "standard") {
      this.#deps.send(mining.encode("SubmitSharesStandard", share));
    } else {
      const tlv = this.#workerIdentity === undefined ? undefined : encodeUserIdentity(this.#workerIdentity);
      this.#deps.send(mining.encode("SubmitSharesExtended", { ...share, extranonce }, tlv));
    }
    const block = hashToBigint(hash) <= this.#networkTarget;
    this.#deps.events.emit("shareFound", { sequenceNumber, jobId, hash, block });
  }

  /** Announces another hash rate and the easiest target to be given from now on, `Uint8Array(32)` little-endian. */
  update(nominalHashRate: number, maximumTarget: Uint8Array): void {
    const { channelId } = this.channel.opening;
    this.#deps.send(mining.encode("UpdateChannel", { channelId, nominalHashRate, maximumTarget }));
  }

  /** Closes the channel. */
  close(reasonCode: string): void {
    const { channelId } = this.channel.opening;
    this.#deps.send(mining.encode("CloseChannel", { channelId, reasonCode }));
  }

  #accepted(batch: {
    readonly lastSequenceNumber: number;
    readonly newSubmitsAcceptedCount: number;
    readonly newSharesSum: bigint;
  }): void {
    const { lastSequenceNumber, newSubmitsAcceptedCount: count, newSharesSum: difficulty } = batch;
    for (const sequenceNumber of this.#pending.keys()) {
      // Numbers wrap around, so "not after" is a distance of less than half the range.
      if ((lastSequenceNumber - sequenceNumber) >>> 0 >= 0x80000000) break;
      this.#pending.delete(sequenceNumber);
    }
    this.#deps.events.emit("shareAccepted", { lastSequenceNumber, count, difficulty });
  }

  #search(jobId: number, work: ChannelWork): void {
    this.#workId += 1;
    remember(this.#works, this.#workId, jobId);
    this.#deps.onWork({ ...work, workId: this.#workId });
  }
}

/** Adds to `kept` and lets the oldest go beyond the bound. */
function remember(kept: Map<number, number>, key: number, value: number): void {
  kept.set(key, value);
  if (kept.size <= MAX_REMEMBERED) return;
  for (const oldest of kept.keys()) {
    kept.delete(oldest);
    return;
  }
}

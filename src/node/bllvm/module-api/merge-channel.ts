/**
 * A channel of another module: it has a part of the extranonce space to itself and sends shares of our jobs through the very conversation that a
 * miner has (`mining/downstream.ts`), so they are judged, credited, looked at for aux blocks and submitted by the same code.
 */
import { meetsTargetBytes, targetOfDifficulty, targetToBytes } from "../../../bitcoin/target.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { ChannelJob } from "../../../mining/channel-jobs.ts";
import type { Downstream } from "../../../mining/downstream.ts";
import type { JudgedShare } from "../../../mining/downstream-deps.ts";
import type { Job } from "../../../mining/job.ts";
import { FRAME_HEADER_SIZE } from "../../../sv2/frame.ts";
import { type MINING, mining } from "../../../sv2/messages/mining.ts";
import type { Value } from "../../../sv2/table.ts";

/** A mining conversation without a connection. */
export type Conversation = Pick<Downstream, "receive" | "newJob" | "newestJob" | "channels" | "tick" | "close">;

/** What a conversation says back. */
export interface ConversationHooks {
  /** Takes whole plain frames. */
  readonly send: (frame: Uint8Array) => void;
  /** A share was judged; its hash is valid during the call only. */
  readonly judged: (share: JudgedShare) => void;
}

/** Makes a conversation as a miner's. */
export type OpenConversation = (hooks: ConversationHooks) => Conversation;

/** What a caller wants. */
export interface Registration {
  /** Name of a configured chain. */
  readonly chain: string;
  /** Who its shares are credited to. */
  readonly userIdentity: string;
  /** No share is to be easier than this; `undefined` leaves it to the server. */
  readonly minDifficulty: number | undefined;
  /** Hashes a second that the caller claims; 0 for unknown. */
  readonly hashrate: number;
}

/** A share as a module hands it in. */
export interface ModuleShare {
  readonly jobId: number;
  readonly nonce: number;
  /** Header time, Unix seconds. */
  readonly ntime: number;
  readonly version: number;
  /** What was rolled behind the prefix of the channel's job, as many bytes as the channel has to roll. */
  readonly extranonce: Uint8Array;
}

/** What came of a share. */
export interface ShareAnswer {
  /** `undefined` for an accepted share, else SV2's error code. */
  readonly errorCode: string | undefined;
  /** What it counts; 0 when refused. */
  readonly difficulty: number;
  /** Of its header, `Uint8Array(32)`, internal byte order; `undefined` when it could not be hashed. */
  readonly hash: Uint8Array | undefined;
  /** Whether it solves a Bitcoin block. */
  readonly block: boolean;
  /** Chains whose target it meets, refused shares' too. They are proved, checked and submitted after this. */
  readonly solved: readonly string[];
}

/** An open channel. */
export class MergeChannel {
  readonly id: number;
  readonly caller: string;
  readonly registration: Registration;
  /** As it was when the channel was opened; in pool mode jobs may have longer or shorter ones, with the same first 4 bytes. */
  readonly extranoncePrefix: Uint8Array;
  /** Bytes that the caller rolls, of all jobs. */
  readonly extranonceSize: number;
  /** Monotonic ms of its last use. */
  usedMs: number;
  readonly #conversation: Conversation;
  readonly #channelId: number;
  #sequenceNumber = 0;
  #judged: ShareAnswer | undefined;

  /** Throws `Fault("bllvm-api-refused")` with SV2's error code. */
  constructor(
    deps: { readonly open: OpenConversation },
    options: {
      readonly id: number;
      readonly caller: string;
      readonly registration: Registration;
      readonly nowMs: number;
    },
  ) {
    const { id, caller, registration, nowMs } = options;
    this.id = id;
    this.caller = caller;
    this.registration = registration;
    this.usedMs = nowMs;
    let opened: Value<typeof MINING.OpenExtendedMiningChannelSuccess> | undefined;
    let refused = "no-answer";
    this.#conversation = deps.open({
      send: (frame) => {
        const type = frame[2] ?? 0;
        const name = mining.byType.get(type);
        if (name !== "OpenExtendedMiningChannelSuccess" && name !== "OpenMiningChannelError") return;
        const message = mining.decode(type, frame.subarray(FRAME_HEADER_SIZE));
        if (message.name === "OpenExtendedMiningChannelSuccess") opened = message.value;
        else if (message.name === "OpenMiningChannelError") refused = message.value.errorCode;
      },
      judged: (share) => {
        this.#judged = answerOf(share);
      },
    });
    const { userIdentity, minDifficulty, hashrate: nominalHashRate } = registration;
    const maxTarget =
      minDifficulty === undefined ? new Uint8Array(32).fill(0xff) : targetToBytes(targetOfDifficulty(minDifficulty));
    this.#conversation.receive({
      name: "OpenExtendedMiningChannel",
      value: { requestId: 1, userIdentity, nominalHashRate, maxTarget, minExtranonceSize: 0 },
      tlv: undefined,
    });
    if (opened === undefined) throw new Fault("bllvm-api-refused", { errorCode: refused });
    this.#channelId = opened.channelId;
    this.extranoncePrefix = opened.extranoncePrefix.slice();
    this.extranonceSize = opened.extranonceSize;
  }

  /** The job to mine, with the channel's own coinbase and target; `undefined` before the first. */
  get job(): ChannelJob | undefined {
    return this.#conversation.newestJob(this.#channelId);
  }

  /** Difficulty of its next jobs. */
  get difficulty(): number {
    return this.#conversation.channels(0, 1)[0]?.difficulty ?? 0;
  }

  /** Has a share judged as a miner's. */
  submit(share: ModuleShare): ShareAnswer {
    this.#judged = undefined;
    this.#sequenceNumber = (this.#sequenceNumber + 1) >>> 0;
    const { jobId, nonce, ntime, version, extranonce } = share;
    this.#conversation.receive({
      name: "SubmitSharesExtended",
      value: {
        channelId: this.#channelId,
        sequenceNumber: this.#sequenceNumber,
        jobId,
        nonce,
        ntime,
        version,
        extranonce,
      },
      tlv: undefined,
    });
    if (this.#judged === undefined) throw new TypeError("a share of an open channel was not judged");
    return this.#judged;
  }

  /** Gives it a new job. */
  newJob(job: Job): void {
    while (this.#conversation.newJob(job));
  }

  /** To be called once a second. */
  tick(): void {
    this.#conversation.tick();
  }

  /** Gives back what it holds. */
  close(): void {
    this.#conversation.close();
  }
}

function answerOf({ errorCode, difficulty, hash, block, job }: JudgedShare): ShareAnswer {
  const entries = job?.aux?.entries ?? [];
  const solved = hash === undefined ? [] : entries.filter(({ target }) => meetsTargetBytes(hash, target));
  return { errorCode, difficulty, hash: hash?.slice(), block, solved: solved.map(({ chain }) => chain) };
}

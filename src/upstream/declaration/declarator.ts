/**
 * A client of a pool's Job Declaration Server (spec 6): one connection, from dialling to its end. Tokens are fetched ahead, jobs declared with the transactions
 * that the server lacks, solutions pushed; where the server has extension 0x4d4d, its commitments are listened to.
 */

import { parseOutputs, type TxOutput } from "../../bitcoin/transaction.ts";
import type { Dial } from "../../client/link.ts";
import { type ServiceEnd, ServiceSession } from "../../client/service-session.ts";
import type { ClientConversation } from "../../client/session.ts";
import type { ServerAddress } from "../../client/url.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import { peerText } from "../../kernel/peer-text.ts";
import type { Random } from "../../kernel/random.ts";
import { type CommitmentRoom, type LiveCommitments, liveCommitmentsOf } from "../../merge/live-commitments.ts";
import { DECLARATION_FLAGS, PROTOCOL, PROTOCOL_VERSION } from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { common } from "../../sv2/messages/common.ts";
import { type DECLARATION, declaration } from "../../sv2/messages/declaration.ts";
import { extensions } from "../../sv2/messages/extensions.ts";
import { MERGE_MINING_TYPE, mergeMining } from "../../sv2/messages/merge-mining.ts";
import type { NoiseCrypto } from "../../sv2/noise/crypto.ts";
import type { Decoded, Value } from "../../sv2/table.ts";

/** Longest message of a server: a list of positions, or commitments. */
const MAX_FRAME_SIZE = 0x40000;

/** How long an answer about extensions is waited for, ms; a server that does not know 0x0001 gives none. */
const EXTENSIONS_TIMEOUT_MS = 2_000;

/** Tokens that are kept ready: as many as SRI's client. */
const TOKENS_AHEAD = 2;

/** A token is not used after this time, ms: servers let them expire. */
const TOKEN_AGE_MS = 240_000;

/** Declarations that may be under way: a new block does not wait for an older one's answer. */
const MAX_UNDER_WAY = 3;

/** Bytes of a token that a server may give. */
const MAX_TOKEN_OUTPUTS = 32;

/** What a declarator works with. */
export interface DeclaratorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly crypto: NoiseCrypto;
  readonly dial: Dial;
}

/** Options of `Declarator`. */
export interface DeclaratorOptions {
  /** Name of the pool, in faults and metrics. */
  readonly pool: string;
  readonly address: ServerAddress;
  readonly userIdentifier: string;
  readonly mode: "full_template" | "coinbase_only";
  /** From dialling to the first token, ms. */
  readonly connectTimeoutMs: number;
  /** An answer to a declaration is waited for so long, ms. */
  readonly answerTimeoutMs: number;
  /** What is left for commitments of the pool's chains; left out, they are not asked for. */
  readonly room?: CommitmentRoom;
}

/** A token, and the outputs that a job under it must have. */
export interface Token {
  readonly token: Uint8Array;
  /** The payout first, whose value is ours to fill. */
  readonly outputs: readonly TxOutput[];
}

/** What a declarator tells. */
export interface DeclaratorListener {
  /** There is a token again. */
  onToken(): void;
  /** What the pool's chains want of our coinbases; `undefined` where it does not say. */
  onCommitments(now: LiveCommitments | undefined): void;
}

/** A job to be declared. */
export interface JobDraft {
  readonly token: Uint8Array;
  readonly version: number;
  /** With BIP141's marker and flag. */
  readonly coinbasePrefix: Uint8Array;
  /** With the witness. */
  readonly coinbaseSuffix: Uint8Array;
  readonly wtxids: readonly Uint8Array[];
  readonly transactions: readonly Uint8Array[];
}

/** What became of a declaration. */
export type Declared = { readonly token: Uint8Array } | { readonly errorCode: string; readonly details: string };

interface UnderWay {
  readonly draft: JobDraft;
  readonly settle: (declared: Declared) => void;
  readonly untilMs: number;
  readonly sinceMs: number;
}

type PushSolution = Value<typeof DECLARATION.PushSolution>;
type Message =
  | Decoded<typeof common.table>
  | Decoded<typeof declaration.table>
  | Decoded<typeof extensions.table>
  | Decoded<typeof mergeMining.table>;

const SPOKEN = [declaration, common, extensions, mergeMining] as const;

/** The client; one object serves one connection. */
export class Declarator {
  readonly #deps: DeclaratorDeps;
  readonly #options: DeclaratorOptions;
  readonly #tokens: { readonly token: Token; readonly sinceMs: number }[] = [];
  readonly #asked = new Set<number>();
  readonly #underWay = new Map<number, UnderWay>();
  #listener: DeclaratorListener | undefined;
  #send: ((frame: Uint8Array) => void) | undefined;
  #requestId = 0;
  #isSetUp = false;
  #isReady = false;
  #session: ServiceSession | undefined;
  #extensionsTimer: Timer | undefined;

  constructor(deps: DeclaratorDeps, options: DeclaratorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Connects and serves until the end. Never rejects. */
  async run(listener: DeclaratorListener, signal: AbortSignal): Promise<ServiceEnd> {
    const { address: server, pool, connectTimeoutMs } = this.#options;
    this.#listener = listener;
    this.#session = new ServiceSession(
      {
        ...this.#deps,
        client: (send, end) => this.#conversation(send, end),
        tooLate: () => new Fault("upstream-declaration-timeout", { pool, isSetUp: this.#isSetUp }),
      },
      { server, maxFrameSize: MAX_FRAME_SIZE, connectTimeoutMs },
    );
    return this.#session.run(signal);
  }

  /** Whether jobs can be declared: connected, and a token is there. */
  get isReady(): boolean {
    return this.#isReady && this.#tokens.length > 0;
  }

  /** A token that was not used; `undefined` while there is none. The next one is asked for. */
  takeToken(): Token | undefined {
    const nowMs = this.#deps.clock.monotonicMs();
    while (this.#tokens[0] !== undefined && nowMs - this.#tokens[0].sinceMs > TOKEN_AGE_MS) this.#tokens.shift();
    const taken = this.#tokens.shift();
    this.#askTokens();
    return taken?.token;
  }

  /** Declares a job. Resolves with the token to set it with, or why not: the server's code, `no-answer`, `too-many`, `connection-lost`. */
  declare(draft: JobDraft): Promise<Declared> {
    const send = this.#send;
    if (send === undefined) return Promise.resolve({ errorCode: "connection-lost", details: "" });
    if (this.#underWay.size >= MAX_UNDER_WAY) return Promise.resolve({ errorCode: "too-many", details: "" });
    const nowMs = this.#deps.clock.monotonicMs();
    const requestId = this.#nextId();
    return new Promise((settle) => {
      const untilMs = nowMs + this.#options.answerTimeoutMs;
      this.#underWay.set(requestId, { draft, settle, untilMs, sinceMs: nowMs });
      send(
        declaration.encode("DeclareMiningJob", {
          requestId,
          miningJobToken: draft.token,
          version: draft.version,
          coinbaseTxPrefix: draft.coinbasePrefix,
          coinbaseTxSuffix: draft.coinbaseSuffix,
          wtxidList: draft.wtxids,
          excessData: new Uint8Array(0),
        }),
      );
    });
  }

  /** Hands over a solution of a declared job. Returns whether it was sent. */
  pushSolution(solution: PushSolution): boolean {
    this.#send?.(declaration.encode("PushSolution", solution));
    return this.#send !== undefined;
  }

  #conversation(send: (frame: Uint8Array) => void, end: (reason: string) => void): ClientConversation {
    const { clock } = this.#deps;
    const { address, mode } = this.#options;
    let ticks: Timer | undefined;
    return {
      start: () => {
        this.#send = send;
        ticks = clock.every(1000, () => this.#tick(end));
        send(
          common.encode("SetupConnection", {
            protocol: PROTOCOL.jobDeclaration,
            minVersion: PROTOCOL_VERSION,
            maxVersion: PROTOCOL_VERSION,
            flags: mode === "full_template" ? DECLARATION_FLAGS.declareTxData : 0,
            endpointHost: address.host.slice(0, 255),
            endpointPort: address.port,
            vendor: "bllvm-stratum-v2",
            hardwareVersion: "",
            firmware: "",
            deviceId: "",
          }),
        );
      },
      receive: (frame) => this.#receive(frame),
      close: () => undefined,
      abandon: () => {
        ticks?.cancel();
        this.#extensionsTimer?.cancel();
        this.#send = undefined;
        this.#isReady = false;
        this.#tokens.length = 0;
        for (const requestId of [...this.#underWay.keys()]) {
          this.#settle(requestId, { errorCode: "connection-lost", details: "" });
        }
      },
    };
  }

  #receive(frame: Frame): void {
    const understood = understand(SPOKEN, frame, "client");
    if (understood.kind !== "message") return;
    const message = understood.message as Message;
    const { pool } = this.#options;
    switch (message.name) {
      case "SetupConnectionSuccess":
        this.#setUp();
        return;
      case "SetupConnectionError": {
        const errorCode = peerText(message.value.errorCode);
        throw new Fault("upstream-declaration-refused", { pool, errorCode });
      }
      case "RequestExtensionsSuccess":
        if (message.value.supportedExtensions.includes(MERGE_MINING_TYPE)) this.#subscribe();
        this.#begin();
        return;
      case "RequestExtensionsError":
        this.#begin();
        return;
      case "AllocateMiningJobTokenSuccess":
        this.#token(message.value);
        return;
      case "ProvideMissingTransactions":
        this.#provide(message.value.requestId, message.value.unknownTxPositionList);
        return;
      case "DeclareMiningJobSuccess":
        this.#settle(message.value.requestId, { token: message.value.newMiningJobToken.slice() });
        return;
      case "DeclareMiningJobError": {
        const { requestId, errorCode, errorDetails } = message.value;
        const details = peerText(new TextDecoder().decode(errorDetails.subarray(0, 500)));
        this.#settle(requestId, { errorCode: peerText(errorCode), details });
        return;
      }
      case "Commitments": {
        const live = liveCommitmentsOf(message.value);
        if (typeof live === "string") throw new Fault("upstream-declaration-invalid", { pool, flaw: live });
        this.#listener?.onCommitments(live);
        return;
      }
      default:
        return;
    }
  }

  #setUp(): void {
    if (this.#isSetUp) return;
    this.#isSetUp = true;
    if (this.#options.room === undefined) {
      this.#begin();
      return;
    }
    this.#send?.(extensions.encode("RequestExtensions", { requestId: 1, requestedExtensions: [MERGE_MINING_TYPE] }));
    this.#extensionsTimer = this.#deps.clock.after(EXTENSIONS_TIMEOUT_MS, () => this.#begin());
  }

  #subscribe(): void {
    const { room } = this.#options;
    if (room === undefined) return;
    this.#send?.(
      mergeMining.encode("SubscribeCommitments", {
        requestId: this.#nextId(),
        maxScriptSigSize: room.scriptSigBytes,
        maxOutputsSize: room.outputBytes,
      }),
    );
  }

  #begin(): void {
    this.#extensionsTimer?.cancel();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#askTokens();
  }

  #askTokens(): void {
    while (this.#isReady && this.#tokens.length + this.#asked.size < TOKENS_AHEAD) {
      const requestId = this.#nextId();
      this.#asked.add(requestId);
      const { userIdentifier } = this.#options;
      this.#send?.(declaration.encode("AllocateMiningJobToken", { userIdentifier, requestId }));
    }
  }

  #token({
    requestId,
    miningJobToken,
    coinbaseTxOutputs,
  }: Value<typeof DECLARATION.AllocateMiningJobTokenSuccess>): void {
    // One that nobody asked for would fill our memory.
    if (!this.#asked.delete(requestId)) return;
    const { pool } = this.#options;
    let outputs: readonly TxOutput[];
    try {
      outputs = parseOutputs(coinbaseTxOutputs.slice());
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw new Fault("upstream-declaration-invalid", { pool, flaw: "the outputs of a token cannot be read" });
    }
    if (outputs.length === 0 || outputs.length > MAX_TOKEN_OUTPUTS) {
      throw new Fault("upstream-declaration-invalid", { pool, flaw: `a token with ${outputs.length} outputs` });
    }
    this.#session?.arrived();
    this.#tokens.push({
      token: { token: miningJobToken.slice(), outputs },
      sinceMs: this.#deps.clock.monotonicMs(),
    });
    this.#listener?.onToken();
  }

  #provide(requestId: number, positions: readonly number[]): void {
    const { pool } = this.#options;
    const draft = this.#underWay.get(requestId)?.draft;
    if (draft === undefined) return;
    const transactionList = positions.map((position) => {
      const raw = draft.transactions[position];
      if (raw === undefined) {
        throw new Fault("upstream-declaration-invalid", { pool, flaw: `it asks for transaction ${position} of fewer` });
      }
      return raw;
    });
    if (new Set(positions).size < positions.length) {
      throw new Fault("upstream-declaration-invalid", { pool, flaw: "it asks for a transaction twice" });
    }
    this.#send?.(declaration.encode("ProvideMissingTransactionsSuccess", { requestId, transactionList }));
  }

  #settle(requestId: number, declared: Declared): void {
    const found = this.#underWay.get(requestId);
    if (found === undefined) return;
    this.#underWay.delete(requestId);
    const { meter, clock } = this.#deps;
    const { pool } = this.#options;
    meter.count("upstream_declarations_total", 1, {
      pool,
      result: "token" in declared ? "accepted" : declared.errorCode,
    });
    meter.observe("upstream_declare_seconds", (clock.monotonicMs() - found.sinceMs) / 1000, { pool });
    found.settle(declared);
  }

  /** A server that does not answer a declaration in time hangs: the connection is of no use. */
  #tick(end: (reason: string) => void): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [requestId, { untilMs }] of this.#underWay) {
      if (untilMs > nowMs) continue;
      this.#settle(requestId, { errorCode: "no-answer", details: "" });
      end("the job declaration server does not answer");
      return;
    }
  }

  #nextId(): number {
    this.#requestId = (this.#requestId + 1) >>> 0 || 1;
    return this.#requestId;
  }
}

/**
 * One client of the job declaration server: SetupConnection, extensions, tokens, declarations and solutions (spec 6.4). Whatever it says costs it at most its
 * own connection; what it may have under way is bounded.
 */

import { writeCompactSize } from "../../bitcoin/compact-size.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import { outputSize, serializeOutputs } from "../../bitcoin/transaction.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import { Writer } from "../../kernel/writer.ts";
import type { FoundBlock } from "../../mining/ports.ts";
import {
  DECLARATION_FLAGS,
  DECLARE_MINING_JOB_ERROR as ERROR,
  PROTOCOL,
  SETUP_CONNECTION_ERROR,
} from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { common } from "../../sv2/messages/common.ts";
import { type DECLARATION, declaration } from "../../sv2/messages/declaration.ts";
import { extensions } from "../../sv2/messages/extensions.ts";
import { MERGE_MINING_TYPE, mergeMining } from "../../sv2/messages/merge-mining.ts";
import type { Decoded, Value } from "../../sv2/table.ts";
import { negotiate } from "../extension-negotiation.ts";
import type { ServedPeer } from "../peer-server.ts";
import { answerSetup, type SetupConnection } from "../subprotocol-setup.ts";
import type { Reservation } from "./byte-budget.ts";
import type { CommitmentSubscription } from "./commitment-subscription.ts";
import { type Declarations, type DeclarationVerdict, slices, WTXID_BYTES } from "./declarations.ts";
import { type DeclaredCoinbase, declaredCoinbase } from "./declared-coinbase.ts";
import { solvedBlock } from "./solved-block.ts";
import type { Allocation } from "./tokens.ts";
import { type KnownTransaction, knownTransaction } from "./transaction-store.ts";

/** Declarations of one client that may be under way. */
const MAX_PENDING = 4;

/** How long missing transactions are waited for, ms. */
const PROVIDE_TIMEOUT_MS = 30_000;

/** Bytes that the transactions of one declaration may have: those of a block. */
const MAX_DECLARED_BYTES = 4_000_000;

/** Transactions that a block can have: the smallest weighs 240 of its 4,000,000 units. */
const MAX_TRANSACTIONS = 16_666;

const BUSY = "too many declarations are under way: try again with the next template";

/** Solutions of one client that solve nothing, after which it is left. */
const MAX_BOGUS = 100;

/** Messages a second that are wanted of a client beside the limit: declarations come in bursts after a block. */
const MESSAGES_WANTED = 20;

/** What a peer works with. */
export interface DeclarationPeerDeps {
  readonly connection: number;
  readonly send: (frame: Uint8Array) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly declarations: Declarations;
  /** Takes found blocks. */
  readonly blocks: (found: FoundBlock) => void;
  /** The client's subscription to commitments (extension 0x4d4d); left out where there is no merge mining. */
  readonly subscription?: CommitmentSubscription;
}

/** Options of `DeclarationPeer`. */
export interface DeclarationPeerOptions {
  /** Whether clients may keep their transactions to themselves. */
  readonly coinbaseOnly: boolean;
}

type DeclareMiningJob = Value<typeof DECLARATION.DeclareMiningJob>;
type Provided = Value<typeof DECLARATION.ProvideMissingTransactionsSuccess>;
type PushSolution = Value<typeof DECLARATION.PushSolution>;
type Message =
  | Decoded<typeof common.table>
  | Decoded<typeof extensions.table>
  | Decoded<typeof declaration.table>
  | Decoded<typeof mergeMining.table>;

type Refusal = Exclude<DeclarationVerdict, { readonly token: Uint8Array }>;

/** A declaration that lacks transactions. */
interface Pending {
  readonly allocation: Allocation;
  readonly coinbase: DeclaredCoinbase;
  readonly version: number;
  readonly wtxids: readonly Uint8Array[];
  /** Wtxids that were asked for, in hex. */
  readonly unknown: readonly string[];
  readonly untilMs: number;
  readonly reservation: Reservation;
}

const SPOKEN = [declaration, common, extensions, mergeMining] as const;

/** One client. */
export class DeclarationPeer implements ServedPeer {
  readonly bytesOwed = 0;
  readonly messagesWanted = MESSAGES_WANTED;
  readonly #deps: DeclarationPeerDeps;
  readonly #options: DeclarationPeerOptions;
  /** By request id. */
  readonly #pending = new Map<number, Pending>();
  #mode: "full-template" | "coinbase-only" | undefined;
  #isGone = false;
  #isSubscribed = false;
  /** Declarations that are judged. */
  #judged = 0;
  #bogus = 0;

  constructor(deps: DeclarationPeerDeps, options: DeclarationPeerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get open(): boolean {
    return this.#mode !== undefined;
  }

  receive(frame: Frame): Fault | undefined {
    const understood = understand(SPOKEN, frame, "server");
    if (understood.kind !== "message") return undefined;
    const message = understood.message as Message;
    if (message.name === "SetupConnection") return this.#setup(message.value);
    if (this.#mode === undefined) throw new Fault("setup-expected", { message: message.name });
    switch (message.name) {
      case "RequestExtensions":
        this.#negotiate(message.value.requestId, message.value.requestedExtensions);
        return undefined;
      case "AllocateMiningJobToken":
        this.#allocate(message.value.requestId, message.value.userIdentifier);
        return undefined;
      case "DeclareMiningJob":
        this.#declare(message.value);
        return undefined;
      case "ProvideMissingTransactionsSuccess":
        this.#provided(message.value);
        return undefined;
      case "PushSolution":
        return this.#solution(message.value);
      case "SubscribeCommitments":
        if (this.#isSubscribed) this.#deps.subscription?.subscribe(message.value);
        return undefined;
      default:
        return undefined;
    }
  }

  /** Chains have new work. */
  commitmentsChanged(): void {
    this.#deps.subscription?.tell();
  }

  tick(): void {
    this.#deps.subscription?.tell();
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [requestId, { untilMs, reservation }] of this.#pending) {
      if (untilMs > nowMs) continue;
      this.#pending.delete(requestId);
      reservation.release();
      this.#answer(requestId, {
        errorCode: ERROR.missingTxs,
        details: "the missing transactions did not come in time",
      });
    }
  }

  close(): void {
    this.#isGone = true;
    for (const { reservation } of this.#pending.values()) reservation.release();
    this.#pending.clear();
    this.#deps.subscription?.end();
    this.#deps.declarations.leave(this.#deps.connection);
  }

  // Setup

  #setup(setup: SetupConnection): Fault | undefined {
    if (this.#mode !== undefined) throw new Fault("setup-repeated");
    const isFull = (setup.flags & DECLARATION_FLAGS.declareTxData) !== 0;
    const also = (): "missing-declare-tx-data-flag" | undefined =>
      isFull || this.#options.coinbaseOnly ? undefined : SETUP_CONNECTION_ERROR.missingDeclareTxDataFlag;
    const terms = { protocol: PROTOCOL.jobDeclaration, flags: DECLARATION_FLAGS.declareTxData, also };
    const refused = answerSetup(setup, terms, this.#deps.send);
    if (refused === undefined) {
      this.#mode = isFull ? "full-template" : "coinbase-only";
      this.#deps.log.debug("declaration client set up", { mode: this.#mode });
    }
    return refused;
  }

  #negotiate(requestId: number, requested: readonly number[]): void {
    const supported = this.#deps.subscription === undefined ? [] : [MERGE_MINING_TYPE];
    const answer = negotiate(requested, { supported, required: [] });
    if (answer.kind === "success") {
      this.#isSubscribed = answer.accepted.includes(MERGE_MINING_TYPE);
      if (!this.#isSubscribed) this.#deps.subscription?.end();
      const supportedExtensions = answer.accepted;
      this.#deps.send(extensions.encode("RequestExtensionsSuccess", { requestId, supportedExtensions }));
      return;
    }
    const { unsupported: unsupportedExtensions, missing: requiredExtensions } = answer;
    this.#deps.send(
      extensions.encode("RequestExtensionsError", { requestId, unsupportedExtensions, requiredExtensions }),
    );
  }

  // Tokens and declarations

  #allocate(requestId: number, userIdentifier: string): void {
    const { connection, declarations, send } = this.#deps;
    const isCoinbaseOnly = this.#mode === "coinbase-only";
    const { token, outputs } = declarations.allocate(connection, userIdentifier, isCoinbaseOnly);
    const size = outputs.reduce((sum, output) => sum + outputSize(output), 3);
    const coinbaseTxOutputs = writeCompactSize(new Writer(size), outputs.length)
      .bytes(serializeOutputs(outputs))
      .finish();
    send(declaration.encode("AllocateMiningJobTokenSuccess", { requestId, miningJobToken: token, coinbaseTxOutputs }));
  }

  #declare(request: DeclareMiningJob): void {
    const { connection, declarations, clock, send } = this.#deps;
    const { requestId, miningJobToken, version } = request;
    if (this.#pending.has(requestId) || this.#pending.size + this.#judged >= MAX_PENDING) {
      this.#answer(requestId, { errorCode: ERROR.internalError, details: "too many declarations are under way" });
      return;
    }
    const allocation = declarations.take(connection, miningJobToken);
    if (allocation === undefined) {
      this.#answer(requestId, { errorCode: ERROR.invalidMiningJobToken, details: "" });
      return;
    }
    const coinbase = declaredCoinbase(request.coinbaseTxPrefix, request.coinbaseTxSuffix);
    const flaw = "errorCode" in coinbase ? coinbase : declarations.coinbaseFlaw(coinbase, allocation);
    if (flaw !== undefined || "errorCode" in coinbase) {
      this.#answer(requestId, flaw ?? { errorCode: ERROR.invalidCoinbaseTx, details: "" });
      return;
    }
    if (request.wtxidList.length > MAX_TRANSACTIONS) {
      this.#answer(requestId, { errorCode: ERROR.invalidJob, details: "more transactions than fit into a block" });
      return;
    }
    const reservation = declarations.underWay.reservation();
    if (!reservation.grow(request.wtxidList.length * WTXID_BYTES)) {
      this.#answer(requestId, { errorCode: ERROR.internalError, details: BUSY });
      return;
    }
    const wtxids = request.wtxidList.map((wtxid) => wtxid.slice());
    const unknownTxPositionList: number[] = [];
    const unknown: string[] = [];
    for (const [position, wtxid] of wtxids.entries()) {
      const key = toHex(wtxid);
      if (declarations.transactions.find(key) !== undefined) continue;
      unknownTxPositionList.push(position);
      unknown.push(key);
    }
    if (unknown.length === 0) {
      void this.#judge(requestId, { allocation, coinbase, version, wtxids, unknown, untilMs: 0, reservation }, []);
      return;
    }
    const untilMs = clock.monotonicMs() + PROVIDE_TIMEOUT_MS;
    this.#pending.set(requestId, { allocation, coinbase, version, wtxids, unknown, untilMs, reservation });
    send(declaration.encode("ProvideMissingTransactions", { requestId, unknownTxPositionList }));
  }

  /** Transactions that nobody asked for are passed over, as SRI's server does. */
  #provided({ requestId, transactionList }: Provided): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined) {
      this.#deps.log.debug("transactions came that were not asked for", { requestId });
      return;
    }
    this.#pending.delete(requestId);
    const flaw = this.#flawOf(transactionList, pending);
    if (flaw !== undefined) {
      pending.reservation.release();
      this.#answer(requestId, flaw);
      return;
    }
    // One copy: the frame's memory is used again.
    const copies = transactionList.map((raw) => raw.slice());
    void this.#judge(requestId, pending, copies);
  }

  #flawOf(transactionList: readonly Uint8Array[], { unknown, reservation }: Pending): Refusal | undefined {
    const errorCode = ERROR.missingTxs;
    const bytes = transactionList.reduce((sum, { length }) => sum + length, 0);
    if (bytes > MAX_DECLARED_BYTES) {
      return { errorCode, details: `${bytes} bytes of transactions, more than a block has` };
    }
    if (transactionList.length !== unknown.length) {
      return { errorCode, details: `${unknown.length} transactions were asked for, ${transactionList.length} came` };
    }
    return reservation.grow(bytes) ? undefined : { errorCode: ERROR.internalError, details: BUSY };
  }

  async #judge(requestId: number, pending: Pending, raws: readonly Uint8Array[]): Promise<void> {
    const { connection, declarations } = this.#deps;
    const { allocation, coinbase, version, wtxids } = pending;
    this.#judged += 1;
    try {
      const provided = await this.#read(raws, pending.unknown);
      if (this.#isGone) return;
      const verdict =
        provided instanceof Map
          ? await declarations.judge(connection, { allocation, coinbase, version, wtxids, provided })
          : provided;
      this.#answer(requestId, verdict);
    } finally {
      this.#judged -= 1;
      pending.reservation.release();
    }
  }

  /** Transactions by wtxid in hex, if they are those that were asked for. */
  async #read(
    raws: readonly Uint8Array[],
    unknown: readonly string[],
  ): Promise<Map<string, KnownTransaction> | Refusal> {
    const provided = new Map<string, KnownTransaction>();
    const pause = slices(this.#deps.clock);
    for (const [i, raw] of raws.entries()) {
      const key = unknown[i] as string;
      if (toHex(sha256d(raw)) !== key) {
        return {
          errorCode: ERROR.missingTxs,
          details: `the transaction at position ${i} of the answer is another one`,
        };
      }
      try {
        provided.set(key, knownTransaction(raw));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return { errorCode: ERROR.invalidJob, details: `a transaction cannot be read: ${error.message}` };
      }
      await pause();
      if (this.#isGone) break;
    }
    return provided;
  }

  #answer(requestId: number, verdict: DeclarationVerdict): void {
    if (this.#isGone) return;
    if ("token" in verdict) {
      this.#deps.send(declaration.encode("DeclareMiningJobSuccess", { requestId, newMiningJobToken: verdict.token }));
      return;
    }
    const { errorCode, details } = verdict;
    this.#deps.log.debug(`declared job refused: ${errorCode}`, { requestId, details });
    const errorDetails = new TextEncoder().encode(details);
    this.#deps.send(declaration.encode("DeclareMiningJobError", { requestId, errorCode, errorDetails }));
  }

  // Solutions

  #solution(pushed: PushSolution): Fault | undefined {
    const { connection, declarations, clock, blocks, log } = this.#deps;
    for (const kept of declarations.jobsOf(connection, pushed.prevHash)) {
      if (pushed.extranonce.length !== kept.extranonceSize || pushed.nbits !== kept.nBits) continue;
      const found = solvedBlock(kept, pushed, clock.nowMs());
      if (found === undefined) continue;
      log.info("a declaring client pushed a solution", {
        height: kept.height,
        userIdentifier: kept.work.userIdentifier,
      });
      blocks(found);
      return undefined;
    }
    this.#bogus += 1;
    log.debug("a pushed solution solves no declared job of this client", { prevHash: toHex(pushed.prevHash) });
    return this.#bogus > MAX_BOGUS ? new Fault("declaration-solutions-bogus", { solutions: this.#bogus }) : undefined;
  }
}

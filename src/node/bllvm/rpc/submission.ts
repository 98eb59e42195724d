/**
 * `submitblock` at the bllvm node, in both ways at once: its JSON-RPC, and `QueueReceivedBlock` over its IPC. Both say no more than
 * that the block is queued, so it counts as accepted when the node's best chain has it, and the answer is in BIP22's words as
 * Bitcoin Core gives them (`bitcoind/submit-answer.ts` reads them). IPC's `SubmitBlock` is never used: the node hands its own
 * format to a parser of the wire format and closes the connection (blvm-node `src/module/api/node_api.rs`).
 */
import { parseBlockPrefix } from "../../../bitcoin/block.ts";
import { readHeightPush } from "../../../bitcoin/coinbase.ts";
import { headerHash } from "../../../bitcoin/header.ts";
import type { Rpc } from "../../../daemon/rpc.ts";
import { equal, toDisplayHex } from "../../../kernel/bytes.ts";
import { type Clock, sleep } from "../../../kernel/clock.ts";
import { Fault, type FaultCode } from "../../../kernel/fault.ts";
import { blockHash, submitAnswer } from "../../bitcoind/answers.ts";
import { bytesOfHex } from "../../bitcoind/block-template.ts";
import { readSubmitError } from "../../bitcoind/submit-answer.ts";
import type { BllvmChain } from "./chain.ts";
import type { ChainNode } from "./chain-node.ts";
import { coreError } from "./rpc-error.ts";
import { TipBell } from "./tip-bell.ts";

/** What a submission works with. */
export interface SubmissionDeps {
  readonly node: ChainNode;
  /** The node's JSON-RPC. */
  readonly rpc: Rpc | undefined;
  readonly chain: BllvmChain;
  readonly clock: Clock;
}

/** How long it takes. */
export interface SubmissionOptions {
  /** Ms from the submission until the block must be in the best chain. */
  readonly confirmMs: number;
  /** Ms between looks at the chain while no event comes. */
  readonly lookMs: number;
}

/** Deadline of handing the block over, ms. */
const SEND_TIMEOUT_MS = 30_000;

/** Deadline of a look at the chain over JSON-RPC, ms. */
const LOOK_TIMEOUT_MS = 5_000;

/** Ms for which the look before the submission may hold it up. */
const LOOK_BEFORE_MS = 500;

/** What a way ends with that may be open the next moment. */
const AWAY: ReadonlySet<FaultCode> = new Set([
  "bllvm-away",
  "bllvm-request-closed",
  "bllvm-queue-full",
  "node-timeout",
]);

/** A block as it is watched. */
interface Submitted {
  readonly hash: Uint8Array;
  readonly prevHash: Uint8Array;
  /** From the coinbase; `undefined` when it begins with no number. */
  readonly height: number | undefined;
}

/**
 * Where a block stands: `beaten` another block is in the best chain in its place, `parentless` the node lacks its parent, `beside` it has
 * the parent, which is not its tip, `unknown` the node's chain cannot be read now.
 */
type Standing = "best" | "beaten" | "parentless" | "beside" | "next" | "unknown";

/** How the ways to the node ended, as far as they have. */
interface Ways {
  /** Ways that have not ended. */
  open: number;
  /** One of the ways took the block. */
  isQueued: boolean;
  /** BIP22's word, of a JSON-RPC that gives one. */
  word: string | undefined;
  /** A refusal in the node's own words. */
  refusal: string | undefined;
  /** What kept a way from taking it, JSON-RPC's first. */
  readonly failures: unknown[];
}

/**
 * Submits the block in `hex`: `null` when it is in the best chain, else BIP22's word for what became of it or the node's own words for
 * why not. Rejects with the node's fault when no way reaches it, with Core's code -22 when `hex` is no block, and with code -1, which asks
 * for another try, when the node took the block and has not connected it in time. `signal` ends the watching, not what was sent.
 */
export async function submitBlock(
  deps: SubmissionDeps,
  options: SubmissionOptions,
  hex: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { node, clock } = deps;
  const bytes = bytesOfHex(hex);
  const block = bytes === undefined ? undefined : readBlock(bytes);
  if (bytes === undefined || block === undefined) {
    throw coreError(node.name, "submitblock", "RPC_DESERIALIZATION_ERROR", "Block decode failed");
  }
  const bell = new TipBell(node);
  try {
    if ((await lookBefore(deps, block)) === "best") return "duplicate";
    const ways = send(deps, hex, bytes, () => bell.ring());
    const startedMs = clock.monotonicMs();
    for (;;) {
      signal.throwIfAborted();
      const isLate = clock.monotonicMs() - startedMs >= options.confirmMs;
      // A refusal is judged by a look that began when all was said: the block may have become the tip in between, and that be what was refused.
      const isSettled = ways.open === 0;
      const verdict = judge(await standingOf(deps, block), ways, { isSettled, isLate }, node.name);
      if (verdict !== undefined) return verdict.answer;
      await bell.rings(clock, options.lookMs, signal);
    }
  } finally {
    bell.putAway();
  }
}

function readBlock(bytes: Uint8Array): Submitted | undefined {
  try {
    const { header, headerBytes, transactions } = parseBlockPrefix(bytes);
    const script = transactions[0]?.inputs[0]?.script;
    const height = script === undefined ? undefined : readHeightPush(script);
    return { hash: headerHash(headerBytes), prevHash: header.prevHash, height };
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** The standing before anything is sent, so that a known block is called one; not waited for, a block is urgent. */
async function lookBefore(deps: SubmissionDeps, block: Submitted): Promise<Standing> {
  const done = new AbortController();
  const late = sleep(deps.clock, LOOK_BEFORE_MS, done.signal).then(
    (): Standing => "unknown",
    (): Standing => "unknown",
  );
  try {
    return await Promise.race([standingOf(deps, block), late]);
  } finally {
    done.abort();
  }
}

/** Sends the block in every way. `onEnd` is told when one has ended. */
function send({ node, rpc }: SubmissionDeps, hex: string, bytes: Uint8Array, onEnd: () => void): Ways {
  const ways: Ways = { open: 0, isQueued: false, word: undefined, refusal: undefined, failures: [] };
  const way = (sent: Promise<string | null>, failed: (error: unknown) => void): void => {
    ways.open += 1;
    const ended = sent.then((word) => {
      if (word === null) ways.isQueued = true;
      else ways.word = word.slice(0, 200);
    }, failed);
    void ended.finally(() => {
      ways.open -= 1;
      onEnd();
    });
  };
  if (rpc !== undefined) {
    way(rpc.call("submitblock", [hex], submitAnswer, { timeoutMs: SEND_TIMEOUT_MS }), (error) => {
      const reading = readSubmitError(error);
      if (reading.kind === "verdict") ways.refusal = reading.reason;
      else ways.failures.unshift(error);
    });
  }
  const queued = node.queueReceivedBlock(bytes, { timeoutMs: SEND_TIMEOUT_MS }).then(() => null);
  way(queued, (error) => void ways.failures.push(error));
  return ways;
}

/** The answer, or `undefined` while it is open. */
function judge(
  standing: Standing,
  ways: Ways,
  { isSettled, isLate }: { readonly isSettled: boolean; readonly isLate: boolean },
  node: string,
): { readonly answer: string | null } | undefined {
  if (standing === "best") return { answer: null };
  if (standing === "beaten") return { answer: "inconclusive" };
  if (ways.word !== undefined) return { answer: ways.word };
  // Waited for by the caller: the node will have it soon, or is on another branch.
  if (standing === "parentless") return { answer: "prev-blk-not-found" };
  const isRefused = isSettled && !ways.isQueued;
  if (!isRefused && !isLate) return undefined;
  const { refusal } = ways;
  if (isRefused && refusal === undefined) throw ways.failures[0];
  if (standing === "beside") return { answer: "prev-blk-not-found" };
  // What one way refuses the other may take (0.1.54 refuses segwit blocks by JSON-RPC alone), so it is tried again while that one is only away.
  const isHalfAsked = ways.failures.some((error) => error instanceof Fault && AWAY.has(error.code));
  if (refusal !== undefined && standing !== "unknown" && !isHalfAsked) return { answer: refusal };
  const says = refusal ?? "the node took the block and has not connected it; its log says why";
  throw coreError(node, "submitblock", "RPC_MISC_ERROR", says);
}

async function standingOf({ chain, rpc }: SubmissionDeps, block: Submitted): Promise<Standing> {
  try {
    const tip = await chain.tip();
    if (equal(tip.hash, block.hash)) return "best";
    if (block.height !== undefined && block.height <= tip.height) {
      const there = await chain.at(block.height, tip);
      if (there !== undefined) return equal(there.hash, block.hash) ? "best" : "beaten";
    }
    if (equal(tip.hash, block.prevHash)) return "next";
    return (await chain.headers.find(block.prevHash)) === undefined ? "parentless" : "beside";
  } catch {
    // What the node cannot tell in one way it may tell in the other.
    const best = await rpc
      ?.call("getbestblockhash", [], blockHash, { timeoutMs: LOOK_TIMEOUT_MS })
      .catch(() => undefined);
    return best === toDisplayHex(block.hash) ? "best" : "unknown";
  }
}

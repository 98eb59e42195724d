/**
 * The ways in which a node tells of a new best block, each as a loop that runs until its signal aborts. They differ in
 * what they cost and in how fast they are (docs/benchmarks.md); any of them may be missing, so each says when it fails.
 */

import type { CallOptions, Rpc } from "../../daemon/rpc.ts";
import type { ConnectSocket } from "../../daemon/socket.ts";
import { zmqEndpoint } from "../../daemon/zmq.ts";
import { subscribeToBlocks } from "../../daemon/zmq-subscription.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import { type BlockTemplateAnswer, blockHash, blockTemplate, newBlock } from "./answers.ts";

/**
 * `zmq` bitcoind's hashblock publisher, `wait` the RPC `waitfornewblock`, `longpoll` `getblocktemplate` with a longpollid
 * (BIP22), `poll` asking again and again.
 */
export type NoticeKind = "zmq" | "wait" | "longpoll" | "poll";

/** A node's best block, as one of its notices named it. */
export interface TipNotice {
  readonly kind: NoticeKind;
  /** Block hash, display-order hex. */
  readonly hash: string;
  /** The template that came with it; long poll only. */
  readonly template?: BlockTemplateAnswer;
}

/** What a loop needs. */
export interface NoticeDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  /** Told every tip that the node names, the same one too; must not throw. */
  readonly onTip: (notice: TipNotice) => void;
  /** Told of a failure before the loop tries again. */
  readonly onFailure: (kind: NoticeKind, fault: unknown) => void;
}

/** Bytes that a template may have: a full block in hex and what is said about each of its transactions. */
export const MAX_TEMPLATE_BYTES = 64 << 20;

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 5_000;
/** A wait that brings nothing new sooner than this is not a wait: the node is stopping, or does not know how. */
const LEAST_WAIT_MS = 100;

/** Asks for the best block's hash every `everyMs`. */
export function pollTips(deps: NoticeDeps, options: { readonly everyMs: number }, signal: AbortSignal): Promise<void> {
  return repeat(deps, "poll", signal, async () => {
    const hash = await deps.rpc.call("getbestblockhash", [], blockHash, { signal });
    deps.onTip({ kind: "poll", hash });
    await sleep(deps.clock, options.everyMs, signal);
  });
}

/** How long one wait for a block may last at the node. */
export interface WaitOptions {
  /** Ms after which the node answers without news; also how soon a node that vanished is noticed. */
  readonly waitMs: number;
}

/**
 * Waits with `waitfornewblock`. Since Core 30 the call takes the tip that is known already, so that no block between two
 * calls is missed; older nodes refuse the second parameter and are asked without it, with polling for what may slip
 * through. Throws `Fault("node-method-unknown")` or `Fault("node-forbidden")` when the node does not offer the call.
 */
export async function waitForTips(deps: NoticeDeps, options: WaitOptions, signal: AbortSignal): Promise<void> {
  let known: string | undefined;
  let withTip = true;
  await repeat(deps, "wait", signal, async () => {
    if (known === undefined) {
      known = await deps.rpc.call("getbestblockhash", [], blockHash, { signal });
      deps.onTip({ kind: "wait", hash: known });
    }
    const startedMs = deps.clock.monotonicMs();
    const params = withTip ? [options.waitMs, known] : [options.waitMs];
    const limits: CallOptions = { signal, timeoutMs: options.waitMs + 10_000 };
    const tip = await deps.rpc.call("waitfornewblock", params, newBlock, limits).catch((error: unknown) => {
      if (!withTip || !isFault(error, "node-rpc-error")) throw error;
      // An older node answers a parameter too many with its help text.
      withTip = false;
      return undefined;
    });
    if (tip === undefined) return;
    if (tip.hash !== known) {
      known = tip.hash;
      deps.onTip({ kind: "wait", hash: known });
    } else if (deps.clock.monotonicMs() - startedMs < LEAST_WAIT_MS) await sleep(deps.clock, LEAST_WAIT_MS, signal);
  });
}

/** What a long poll asks with. */
export interface LongPollOptions {
  /** The parameter of `getblocktemplate`. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Ms until the connection is given up: BIP22 recommends long ones, and a quiet network says nothing for an hour. */
  readonly timeoutMs: number;
}

/**
 * Long polling (BIP22): the answer to one request names the id for the next, which is answered when there is another
 * best block or, in Core after a minute, when there are other transactions. A server without ids is asked no more.
 */
export async function longPollTips(deps: NoticeDeps, options: LongPollOptions, signal: AbortSignal): Promise<void> {
  let longpollid: string | undefined;
  await repeat(deps, "longpoll", signal, async () => {
    const request = longpollid === undefined ? options.request : { ...options.request, longpollid };
    const startedMs = deps.clock.monotonicMs();
    const asked = longpollid;
    // After a failure the chain of ids begins anew.
    longpollid = undefined;
    const template = await deps.rpc.call("getblocktemplate", [request], blockTemplate, {
      signal,
      timeoutMs: options.timeoutMs,
      maxBytes: MAX_TEMPLATE_BYTES,
    });
    longpollid = template.longpollid;
    deps.onTip({ kind: "longpoll", hash: template.previousblockhash, template });
    if (longpollid === undefined) throw new Fault("node-method-unknown", { node: deps.rpc.name, method: "longpoll" });
    if (asked === longpollid && deps.clock.monotonicMs() - startedMs < LEAST_WAIT_MS) {
      await sleep(deps.clock, LEAST_WAIT_MS, signal);
    }
  });
}

/** Where bitcoind publishes. */
export interface ZmqOptions {
  /** `tcp://host:port` of `-zmqpubhashblock`. */
  readonly address: string;
}

/** Listens to bitcoind's ZMQ publisher and connects again when it goes away. Throws `Fault("node-zmq")` for a bad address. */
export async function zmqTips(
  deps: NoticeDeps & { readonly connect: ConnectSocket },
  options: ZmqOptions,
  signal: AbortSignal,
): Promise<void> {
  // An address that cannot be used is a mistake of the configuration and will not get better.
  zmqEndpoint(options.address);
  const { rpc, connect, onTip } = deps;
  const subscription = { node: rpc.name, ...options, onHash: (hash: string) => onTip({ kind: "zmq", hash }) };
  await repeat(deps, "zmq", signal, () => subscribeToBlocks(connect, subscription, signal));
}

/**
 * Runs `step` again and again until `signal` aborts, with growing pauses while it fails. What can never work at this node
 * is thrown.
 */
async function repeat(
  deps: NoticeDeps,
  kind: NoticeKind,
  signal: AbortSignal,
  step: () => Promise<void>,
): Promise<void> {
  let backoffMs = FIRST_BACKOFF_MS;
  while (!signal.aborted) {
    const startedMs = deps.clock.monotonicMs();
    try {
      await step();
      backoffMs = FIRST_BACKOFF_MS;
    } catch (error) {
      if (signal.aborted) return;
      if (isFault(error, "node-method-unknown") || (kind !== "poll" && isFault(error, "node-forbidden"))) throw error;
      deps.onFailure(kind, error);
      // A connection that held for a while starts over with short pauses.
      if (deps.clock.monotonicMs() - startedMs > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
      await sleep(deps.clock, backoffMs, signal).catch(() => undefined);
      backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS);
    }
  }
}

function isFault(error: unknown, code: string): error is Fault {
  return error instanceof Fault && error.code === code;
}

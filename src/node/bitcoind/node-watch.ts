/**
 * One node under observation: its health, its best block, and the notices by which it tells of new ones. Every node is
 * watched all the time, so that a better one is known before it is needed.
 */
import type { z } from "zod";
import type { NetworkName } from "../../bitcoin/network.ts";
import type { CallOptions, Rpc } from "../../daemon/rpc.ts";
import type { ConnectSocket } from "../../daemon/socket.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import {
  type BlockHeaderAnswer,
  blockchainInfo,
  blockHash,
  blockHeader,
  blockTemplate,
  networkInfo,
} from "./answers.ts";
import { templateOfAnswer, templateRefusal, templateRequest } from "./block-template.ts";
import {
  longPollTips,
  MAX_TEMPLATE_BYTES,
  type NoticeDeps,
  type NoticeKind,
  pollTips,
  type TipNotice,
  waitForTips,
  zmqTips,
} from "./tip-notices.ts";
import { checkNetwork, type NodeFacts, type NodeTip } from "./trust.ts";

/** How a node tells of new blocks besides ZMQ: `auto` is `wait`, or what the node offers instead. */
export type NoticeChoice = "auto" | "wait" | "longpoll" | "poll";

/** How one node is watched. */
export interface NodeWatchOptions {
  readonly network: NetworkName;
  /** `tcp://host:port` of `-zmqpubhashblock`; `undefined` without ZMQ. */
  readonly zmqAddress: string | undefined;
  readonly notice: NoticeChoice;
  /** Ms between health checks, which see a new tip too, whatever notices arrive. */
  readonly pollMs: number;
}

/** What `NodeWatch` needs. */
export interface NodeWatchDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly connect: ConnectSocket;
}

/** What the watch tells. */
export interface NodeWatchListener {
  /** Another best block, at the first notice that names it. */
  onTip(notice: TipNotice): void;
  /** A long poll brought a template of the block that is known already. */
  onTemplate(notice: TipNotice): void;
  /** The facts changed. */
  onFacts(): void;
}

/** Ms for which one `waitfornewblock` waits at the node: less than a call may take, in case it has but one RPC thread. */
const WAIT_MS = 10_000;
const LONG_POLL_TIMEOUT_MS = 600_000;
/** Ms between polls of a node that offers nothing better. */
const FAST_POLL_MS = 500;
/** Tips remembered, so that a slower notice of an older block is not taken for a new one. */
const REMEMBERED_TIPS = 32;
/** After a failure the node is asked again this soon, then ever more seldom. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;

/** Watches one node. */
export class NodeWatch {
  readonly rpc: Rpc;
  readonly #deps: NodeWatchDeps;
  readonly #options: NodeWatchOptions;
  readonly #listeners = new Set<NodeWatchListener>();
  readonly #recent: string[] = [];
  readonly #notices: Record<NoticeKind, number> = { zmq: 0, wait: 0, longpoll: 0, poll: 0 };
  readonly #noticeFaults = new Map<NoticeKind, string>();
  #abort: AbortController | undefined;
  #loops: Promise<unknown>[] = [];
  #checking: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #header: { readonly hash: string; readonly answer: Promise<BlockHeaderAnswer> } | undefined;
  #identified = false;
  #healthFault: Fault | undefined;
  #templateFault: Fault | undefined;
  #facts: NodeFacts;

  constructor(deps: NodeWatchDeps, options: NodeWatchOptions) {
    this.rpc = deps.rpc;
    this.#deps = deps;
    this.#options = options;
    this.#facts = {
      node: deps.rpc.name,
      fault: undefined,
      known: false,
      chain: undefined,
      version: undefined,
      headers: undefined,
      initialBlockDownload: false,
      connections: undefined,
      tip: undefined,
      latencyMs: undefined,
      clockOffsetMs: undefined,
      catchingUpSinceMs: undefined,
      behindSinceMs: undefined,
    };
  }

  /** What is known now. */
  get facts(): NodeFacts {
    return this.#facts;
  }

  /** How many new blocks each kind of notice told first. */
  get notices(): Readonly<Record<NoticeKind, number>> {
    return { ...this.#notices };
  }

  /** Calls `listener` from now on. */
  listen(listener: NodeWatchListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to watch. Resolves after the first health check, whatever it found. */
  async start(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    const first = this.check();
    this.#loops = [this.#healthLoop(first, abort.signal), this.#noticeLoops(first, abort.signal)];
    await first;
  }

  /** Ends all loops. */
  async stop(): Promise<void> {
    this.#abort?.abort(new Error("the watch was stopped"));
    await Promise.allSettled(this.#loops);
    this.#loops = [];
  }

  /** Asks the node for its state now. Never rejects: what went wrong is in the facts. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  /** Notes that `getblocktemplate` failed, or, with `undefined`, that it works. A failure is probed until it is over. */
  reportTemplate(fault: Fault | undefined): void {
    if (fault === this.#templateFault) return;
    this.#templateFault = fault;
    this.#update({});
    if (fault !== undefined) this.#wake?.();
  }

  /** Notes since when another node has a better chain. */
  markBehind(sinceMs: number | undefined): void {
    if (sinceMs !== this.#facts.behindSinceMs) this.#facts = { ...this.#facts, behindSinceMs: sinceMs };
  }

  /**
   * The verbose header of the best block `hash` (display hex); the facts about the tip come from it. Asked for once, and one
   * at a time: a node that catches up tells of thousands of blocks, and all but the last are skipped.
   */
  header(hash: string): Promise<BlockHeaderAnswer> {
    const before = this.#header;
    if (before?.hash === hash) return before.answer;
    const limits = this.#abort === undefined ? {} : { signal: this.#abort.signal };
    const ask = async (): Promise<BlockHeaderAnswer> => {
      if (this.#recent.at(-1) !== hash) throw new Fault("node-behind", { node: this.rpc.name, overtaken: hash });
      const header = await this.rpc.call("getblockheader", [hash], blockHeader, limits);
      const { height, time: timeS, chainwork } = header;
      if (this.#recent.at(-1) === hash) this.#update({ tip: { hash, height, chainwork: work(chainwork), timeS } });
      return header;
    };
    const answer = before === undefined ? ask() : before.answer.then(ask, ask);
    this.#header = { hash, answer };
    answer.catch(() => {
      if (this.#header?.answer === answer) this.#header = undefined;
    });
    return answer;
  }

  async #check(): Promise<void> {
    const { clock } = this.#deps;
    const signal = this.#abort?.signal;
    const limits = signal === undefined ? {} : { signal };
    const tipBefore = this.#recent.at(-1);
    try {
      const startedMs = clock.monotonicMs();
      const info = await this.rpc.call("getblockchaininfo", [], blockchainInfo, limits);
      const latencyMs = clock.monotonicMs() - startedMs;
      const genesis = this.#identified ? undefined : await this.rpc.call("getblockhash", [0], blockHash, limits);
      checkNetwork(this.rpc.name, info.chain, genesis, this.#options.network);
      const network = await this.rpc.call("getnetworkinfo", [], networkInfo, limits).catch(optional);
      if (this.#templateFault !== undefined) await this.#probeTemplate(limits);
      this.#identified = true;
      this.#healthFault = undefined;
      // The node's own word on its best block stands above every notice, also when it goes back to an older one; unless
      // a notice came while it was speaking, for then the notice is the newer word.
      const isNewest = this.#recent.at(-1) === tipBefore;
      this.#update({
        known: true,
        chain: info.chain,
        version: network?.subversion.slice(0, 100),
        connections: network?.connections,
        headers: info.headers,
        initialBlockDownload: info.initialblockdownload,
        latencyMs,
        clockOffsetMs: this.rpc.clockOffsetMs,
        catchingUpSinceMs:
          info.headers > info.blocks ? (this.#facts.catchingUpSinceMs ?? clock.monotonicMs()) : undefined,
        ...(isNewest || this.#facts.tip === undefined ? { tip: tipOf(info) } : {}),
      });
      this.#noticed({ kind: "poll", hash: info.bestblockhash }, isNewest);
    } catch (error) {
      if (signal?.aborted === true) return;
      // Behind the same address another node may answer next time.
      this.#identified = false;
      this.#healthFault = asFault(error, this.rpc.name);
      this.#update({ connections: undefined });
    }
  }

  /** Whether the node gives templates again; the answer itself is not used. */
  async #probeTemplate(limits: CallOptions): Promise<void> {
    const request = templateRequest(this.#options.network);
    try {
      const answer = await this.rpc.call("getblocktemplate", [request], blockTemplate, {
        ...limits,
        maxBytes: MAX_TEMPLATE_BYTES,
      });
      templateOfAnswer(answer, { id: "", source: "", node: this.rpc.name });
      this.#templateFault = undefined;
    } catch (error) {
      this.#templateFault = asFault(templateRefusal(error), this.rpc.name);
    }
  }

  async #healthLoop(first: Promise<void>, signal: AbortSignal): Promise<void> {
    await first;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const failing = this.#facts.fault !== undefined;
      const pauseMs = failing ? Math.min(retryMs, MAX_RETRY_MS, this.#options.pollMs) : this.#options.pollMs;
      retryMs = failing ? retryMs * 2 : FIRST_RETRY_MS;
      await this.#pause(pauseMs, signal);
      if (!signal.aborted) await this.check();
    }
  }

  /** Sleeps until `delayMs` passed or somebody has a reason to ask the node now. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const early = new AbortController();
    const wake = (): void => early.abort();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    await sleep(this.#deps.clock, delayMs, early.signal).catch(() => undefined);
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }

  async #noticeLoops(first: Promise<void>, signal: AbortSignal): Promise<void> {
    const { zmqAddress } = this.#options;
    const deps: NoticeDeps & { connect: ConnectSocket } = {
      rpc: this.rpc,
      clock: this.#deps.clock,
      connect: this.#deps.connect,
      onTip: (notice) => {
        this.#noticeFaults.delete(notice.kind);
        this.#noticed(notice, false);
      },
      onFailure: (kind, error) => this.#noticeFailed(kind, error),
    };
    await first;
    const loops = [this.#rpcNotices(deps, signal)];
    if (zmqAddress !== undefined) {
      const zmq = zmqTips(deps, { address: zmqAddress }, signal);
      loops.push(zmq.catch((error: unknown) => this.#noticeFailed("zmq", error)));
    }
    await Promise.all(loops);
  }

  /** The best RPC notice that the node offers, or the one that was chosen. */
  async #rpcNotices(deps: NoticeDeps, signal: AbortSignal): Promise<void> {
    const { notice, network } = this.#options;
    const request = templateRequest(network);
    const ways = {
      wait: () => waitForTips(deps, { waitMs: WAIT_MS }, signal),
      longpoll: () => longPollTips(deps, { request, timeoutMs: LONG_POLL_TIMEOUT_MS }, signal),
      poll: () => pollTips(deps, { everyMs: FAST_POLL_MS }, signal),
    };
    const order = notice === "auto" ? (["wait", "longpoll", "poll"] as const) : ([notice, "poll"] as const);
    for (const way of order) {
      try {
        return await ways[way]();
      } catch (error) {
        if (signal.aborted) return;
        this.#deps.log.warn(`node ${this.rpc.name} offers no ${way} notices: ${describe(error)}`, { error });
      }
    }
  }

  #noticed(notice: TipNotice, authoritative: boolean): void {
    const isTip = this.#recent.at(-1) === notice.hash;
    if (isTip || (!authoritative && this.#recent.includes(notice.hash))) {
      if (isTip && notice.template !== undefined) for (const listener of this.#listeners) listener.onTemplate(notice);
      // A slow notice of a block that has been left, or the way back to it: the node itself knows.
      if (!isTip) this.#wake?.();
      return;
    }
    this.#recent.push(notice.hash);
    if (this.#recent.length > REMEMBERED_TIPS) this.#recent.shift();
    this.#notices[notice.kind] += 1;
    // Before anybody asks for a template, which keeps the node's lock for longer.
    if (this.#facts.tip?.hash !== notice.hash) void this.header(notice.hash).catch(() => undefined);
    for (const listener of this.#listeners) listener.onTip(notice);
  }

  #noticeFailed(kind: NoticeKind, error: unknown): void {
    const fault = asFault(error, this.rpc.name);
    if (this.#noticeFaults.get(kind) !== fault.code) {
      this.#noticeFaults.set(kind, fault.code);
      const line = `${kind} notices of node ${this.rpc.name} failed: ${describe(fault)}. ${fault.help}`;
      if (kind === "zmq") this.#deps.log.warn(line, { error: fault });
      else this.#deps.log.debug(line, { error: fault });
    }
    // A broken RPC connection is the first sign of a node that went away.
    if (kind !== "zmq") this.#wake?.();
  }

  #update(change: Partial<NodeFacts>): void {
    const before = this.#facts.fault;
    this.#facts = { ...this.#facts, ...change, fault: this.#healthFault ?? this.#templateFault };
    const { fault } = this.#facts;
    const { log, meter } = this.#deps;
    if (fault?.code !== before?.code) {
      if (fault !== undefined) log.warn(`node ${this.rpc.name}: ${describe(fault)}. ${fault.help}`, { error: fault });
      else log.info(`node ${this.rpc.name} answers again`);
    }
    meter.gauge("node_up", fault === undefined && this.#facts.known ? 1 : 0, { node: this.rpc.name });
    for (const listener of this.#listeners) listener.onFacts();
  }
}

function tipOf(info: z.output<typeof blockchainInfo>): NodeTip {
  return {
    hash: info.bestblockhash,
    height: info.blocks,
    chainwork: work(info.chainwork),
    timeS: info.time,
  };
}

function work(hex: string | undefined): bigint | undefined {
  return hex === undefined ? undefined : BigInt(`0x${hex}`);
}

function optional(error: unknown): undefined {
  if (error instanceof Fault && (error.code === "node-method-unknown" || error.code === "node-forbidden")) return;
  throw error;
}

function asFault(error: unknown, node: string): Fault {
  if (error instanceof Fault) return error;
  return new Fault("node-connection", { node, reason: describe(error) });
}

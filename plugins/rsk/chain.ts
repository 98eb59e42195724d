/**
 * The chain: asks its nodes for work, hands proofs to the node that made the work, and follows what was accepted. A node's
 * notice of a new head over WebSocket only makes the next question come sooner.
 */
import {
  type AuxWork,
  type BlockStatus,
  type Chain,
  type Clock,
  type ConnectWebSocket,
  type Daemon,
  Daemons,
  Fault,
  type Host,
  type Outcome,
  type OutputCommitment,
  Polling,
  type Proof,
  type SubmittedBlock,
  statusOfAny,
  type Timer,
  verifyRsk,
  WebSocketFeed,
  type WebSocketFeedOptions,
  z,
} from "bllvm-stratum-v2/plugin";
import type { RskConfig, RskDaemonSettings } from "./config.ts";
import { follow } from "./follow.ts";
import { readHead, SUBSCRIBE } from "./heads.ts";
import { Pace } from "./pace.ts";
import { outcomeOf, outcomeOfError, SUBMIT, submitAnswer, submitParams } from "./submission.ts";
import { auxWork, getWorkAnswer, heightInHash, type NodeWork, tagOutput } from "./work.ts";

type Node = Daemon<RskDaemonSettings>;

/** What the chain needs besides its host. */
export interface RskDeps {
  readonly host: Host;
  readonly nodes: readonly Node[];
  readonly connect: ConnectWebSocket;
}

/** How long no node may answer before the work that stands is withdrawn, ms. */
const PATIENCE_MS = 10_000;
/** Least time that a submission gets, ms: the node imports the block before it answers. */
const SUBMIT_MS = 30_000;
/** A node tells of a head before it has made work on it: pauses before it is asked again, ms. */
const AFTER_HEAD_MS = [25, 50, 100, 200, 400, 800] as const;

const numberedBlock = z.object({ number: z.string().regex(/^0x[0-9a-f]{1,12}$/i, "expected 0x and hex digits") });
const quantity = numberedBlock.shape.number;
/** `false`, or how far it has come. */
const syncing = z.unknown().transform((answer) => typeof answer === "object" && answer !== null);

/** RSK as a `Chain`. */
export class RskChain implements Chain {
  readonly #host: Host;
  readonly #config: RskConfig;
  readonly #daemons: Daemons<Node>;
  readonly #polling: Polling;
  readonly #feeds: readonly WebSocketFeed[];
  readonly #pace: Pace;
  #last: { readonly parent: string; readonly height: number } | undefined;
  #failingSinceMs: number | undefined;
  /** Name of the node that takes proofs of the work that stands offered. */
  #maker: string | undefined;
  /** The head that a node told of and how often it was asked for work on it. */
  #head: { readonly hash: string; readonly node: string; asked: number } | undefined;
  #soon: Timer | undefined;
  /** Nodes that push now. */
  #pushing = 0;

  constructor(deps: RskDeps, config: RskConfig) {
    const { host, nodes, connect } = deps;
    const clock: Clock = host.clock;
    this.#host = host;
    this.#config = config;
    this.#daemons = new Daemons({ host, daemons: nodes }, { probe: (node, signal) => getWork(node, signal) });
    this.#polling = new Polling({ clock }, { everyMs: config.poll_s * 1000, run: (signal) => this.#poll(signal) });
    this.#pace = new Pace({ clock }, { intervalMs: config.submit_interval_ms });
    this.#feeds = nodes.flatMap((node) => {
      const { ws, user, password } = node.settings;
      const login = password === undefined ? undefined : { user: user ?? "", password };
      return ws === undefined ? [] : [this.#feed(node.name, { url: ws, login }, connect)];
    });
  }

  async start(): Promise<void> {
    this.#daemons.start();
    for (const feed of this.#feeds) feed.start();
    this.#polling.poke();
  }

  async stop(): Promise<void> {
    for (const feed of this.#feeds) feed.stop();
    this.#soon?.cancel();
    await this.#polling.stop();
    await this.#daemons.stop();
  }

  commit(work: AuxWork): OutputCommitment {
    return tagOutput(work.hash);
  }

  verify(proof: Proof): string | undefined {
    const { header, coinbase, merkleBranch, work } = proof;
    return verifyRsk({ header, coinbase, merkleBranch, hash: work.hash, target: work.target });
  }

  async submit(proof: Proof, signal: AbortSignal): Promise<Outcome> {
    await this.#pace.turn(signal);
    const { node: maker } = proof.work.details;
    let failure: unknown;
    let isForgotten = false;
    for (const node of this.#daemons.inOrder(typeof maker === "string" ? maker : undefined)) {
      const timeoutMs = Math.max(SUBMIT_MS, node.settings.rpc_timeout_s * 1000);
      try {
        return outcomeOf(await node.rpc.call(SUBMIT, submitParams(proof), submitAnswer, { signal, timeoutMs }));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const said = outcomeOfError(error);
        if (said === undefined) failure ??= error;
        else if (said !== "unknownHash") return said;
        else if (node.name === maker) isForgotten = true;
      }
    }
    // A node that cannot be reached may still have the work; that others do not know it says nothing, each has only its own.
    if (failure !== undefined && !isForgotten) throw failure;
    return { verdict: "stale", reason: "no node has this work in its cache any more" };
  }

  async status(block: SubmittedBlock, signal: AbortSignal): Promise<BlockStatus> {
    const at = async ({ rpc }: Node): Promise<BlockStatus> =>
      await follow(
        (method, params, schema) => rpc.call(method, params, schema, { signal }),
        block,
        this.#config.maturity,
      );
    return await statusOfAny(this.#daemons.inOrder(), at, signal);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    try {
      const question = async (node: Node, until: AbortSignal) => {
        const work = await getWork(node, until);
        return { work, height: await this.#heightOf(node, work, until) };
      };
      const { daemon, value } = await this.#daemons.ask(question, { signal, isAnswer: () => false });
      if (signal.aborted || this.#host.signal.aborted) return;
      this.#failingSinceMs = undefined;
      this.#last = { parent: value.work.parentBlockHash, height: value.height };
      // Another node's work on the same parent makes no job of its own, but proofs of the old one are of no use any more: it goes first.
      if (this.#maker !== undefined && this.#maker !== daemon.name) this.#host.offer(undefined);
      this.#maker = daemon.name;
      this.#host.offer(auxWork(value.work, value.height, daemon.name));
      this.#host.trouble(undefined);
      this.#askAgainSoon(daemon.name, value.work.parentBlockHash);
    } catch (error) {
      if (!signal.aborted && !this.#host.signal.aborted) this.#failed(error);
    }
  }

  /** Work that nobody can take a proof of is withdrawn, but not for one answer that was late. */
  #failed(error: unknown): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#failingSinceMs ??= nowMs;
    const isSyncing = error instanceof Fault && error.code === "node-syncing";
    if (isSyncing || nowMs - this.#failingSinceMs >= PATIENCE_MS) {
      this.#maker = undefined;
      this.#host.offer(undefined);
    }
    this.#host.trouble(troubleOf(error) ?? this.#daemons.trouble());
  }

  async #heightOf(node: Node, work: NodeWork, signal: AbortSignal): Promise<number> {
    if (this.#last?.parent === work.parentBlockHash) return this.#last.height;
    const told = heightInHash(work, this.#last?.height);
    if (told !== undefined) return told;
    const parent = await node.rpc.call("eth_getBlockByHash", [work.parentBlockHash, false], numberedBlock.nullable(), {
      signal,
    });
    if (parent !== null) return Number(parent.number) + 1;
    return Number(await node.rpc.call("eth_blockNumber", [], quantity, { signal })) + 1;
  }

  #feed(node: string, at: Pick<WebSocketFeedOptions, "url" | "login">, connect: ConnectWebSocket): WebSocketFeed {
    const { clock, log, meter } = this.#host;
    let wasOpen = false;
    return new WebSocketFeed(
      { clock, connect },
      {
        ...at,
        greeting: [SUBSCRIBE],
        onMessage: (text) => {
          const hash = readHead(text);
          if (hash === undefined) return;
          meter.count("heads_pushed");
          this.#head = { hash, node, asked: 0 };
          this.#soon?.cancel();
          this.#polling.poke();
        },
        onState: (trouble, isAgain) => {
          if (trouble === undefined) this.#pushing += 1;
          else if (wasOpen) this.#pushing -= 1;
          wasOpen = trouble === undefined;
          meter.gauge("push_connected", this.#pushing);
          const [level, line] =
            trouble === undefined
              ? (["info", `node ${node} pushes new heads`] as const)
              : (["warn", `node ${node} pushes no heads, it is polled only: ${trouble}`] as const);
          log[isAgain ? "debug" : level](line, { daemon: node });
        },
      },
    );
  }

  /** Asks the node that told of a head again, and soon, while its work does not build on it. */
  #askAgainSoon(node: string, parent: string): void {
    const head = this.#head;
    if (head === undefined || head.node !== node) return;
    const pauseMs = head.hash === parent ? undefined : AFTER_HEAD_MS[head.asked];
    if (pauseMs === undefined) {
      this.#head = undefined;
      return;
    }
    head.asked += 1;
    this.#soon?.cancel();
    this.#soon = this.#host.clock.after(pauseMs, () => this.#polling.poke());
  }
}

/**
 * Rejects with `node-syncing` while the node has nothing to mine, or catches up: then it goes on handing out work on the block at
 * which it noticed (rskj `MinerServerImpl.NewBlockTxListener`), and says so only when asked.
 */
async function getWork(node: Node, signal: AbortSignal): Promise<NodeWork> {
  const { name, rpc } = node;
  const [work, isBehind] = await Promise.all([
    rpc.call("mnr_getWork", [], getWorkAnswer, { signal }),
    rpc.call("eth_syncing", [], syncing, { signal }).catch(() => false),
  ]);
  if (work === null || isBehind) throw new Fault("node-syncing", { node: name, address: rpc.address });
  return work;
}

/** What the general sentence on a failure does not know of rskj. */
function troubleOf(error: unknown): string | undefined {
  if (!(error instanceof Fault) || error.code !== "node-method-unknown") return undefined;
  const { node, method } = error.data;
  if (method !== "mnr_getWork") {
    return `${String(node)} does not offer ${String(method)}: enable the module eth in rpc.modules of its configuration`;
  }
  return `${String(node)} does not offer mnr_getWork: enable the module mnr in rpc.modules and set miner.server.enabled = true in its configuration`;
}

/**
 * The embedded regtest Bitcoin node: a chain, a mempool and Core's JSON-RPC over HTTP on loopback, in this process. It is
 * test bed and demo at once; the job source talks to it exactly as to Bitcoin Core. It has no peer-to-peer network (nodes
 * of one process can be connected directly), no wallet, executes no scripts and keeps everything in memory: content of
 * the newest 2,000 blocks unless told otherwise, headers of the newest 100,000.
 */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NETWORKS } from "../../bitcoin/network.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Random } from "../../kernel/random.ts";
import type { BlockData } from "./block-data.ts";
import type { BlockNode } from "./block-index.ts";
import { Chain } from "./chain.ts";
import { Disturbances } from "./disturbances.ts";
import { generateBlocks, type MinerDeps, makeHistory } from "./generate.ts";
import { REGTEST_GENESIS } from "./genesis.ts";
import { Mempool } from "./mempool.ts";
import { CHAIN_METHODS } from "./rpc-chain-methods.ts";
import { MINING_METHODS } from "./rpc-mining-methods.ts";
import type { RpcParams } from "./rpc-protocol.ts";
import { RpcServer } from "./rpc-server.ts";
import { callMethod, type RpcContext } from "./rpc-table.ts";
import { ANYONE_SCRIPT, SyntheticTransactions } from "./synthetic.ts";
import { type BlockTemplate, buildTemplate } from "./template.ts";

/** `nBits` of regtest: every second hash is a block. */
export const REGTEST_BITS = 0x207fffff;

/** Blocks of history unless told otherwise: ten coinbases are mature. */
const INITIAL_BLOCKS = 110;

/** A template is kept this long when only the mempool changed, as in Core. */
const TEMPLATE_AGE_MS = 5000;

const METHODS = { ...CHAIN_METHODS, ...MINING_METHODS };

/** What can be chosen; everything has a default. */
export interface DevnetNodeOptions {
  /** For logs and errors; `devnet`. */
  readonly name?: string;
  /** Address to listen on; 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on; 0, any free one. */
  readonly port?: number;
  /** RPC user; `devnet`, or `__cookie__` with a cookie file. */
  readonly user?: string;
  /** RPC password; a random one, also written to the cookie file if there is one. */
  readonly password?: string;
  /** Where to write `.cookie` (mode 0600, gone after `stop`) when no password is given; no file by default. */
  readonly cookieDirectory?: string;
  /** `nBits` of every block after the history; `REGTEST_BITS`. Choose a harder one for blocks every few seconds. */
  readonly nBits?: number;
  /** Blocks of history mined at the start, at regtest's easiest target; 110, so that ten coinbases are mature. */
  readonly initialBlocks?: number;
  /** Blocks whose content is kept; 2,000. */
  readonly blocksKept?: number;
  /** Synthetic transactions in the mempool. */
  readonly transactions?: {
    /** As many at least, after every block; 12. */
    readonly atLeast?: number;
    /** New ones a second besides; 0. */
    readonly perSecond?: number;
    /** No more when there are as many; 1,000. The mempool itself takes ten times as many from others. */
    readonly atMost?: number;
  };
  /** How long a long poll waits for another tip before it looks at the mempool: first (60,000) and then (10,000), ms. */
  readonly longPoll?: { readonly firstMs: number; readonly laterMs: number };
  /** A node to take the history from and to exchange blocks with; it must have the same `nBits` and `initialBlocks`. */
  readonly peer?: DevnetNode;
}

/** A Bitcoin node in this process. */
export class DevnetNode implements Part {
  readonly name: string;
  /** Blocks and coins; for tests that look inside. */
  readonly chain: Chain;
  /** Unconfirmed transactions. */
  readonly mempool: Mempool;
  /** What the node does wrong on purpose. */
  readonly disturbances = new Disturbances();
  /** RPC user. */
  readonly user: string;
  /** RPC password. */
  readonly password: string;
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly log: Log };
  readonly #options: DevnetNodeOptions;
  readonly #synthetic: SyntheticTransactions;
  readonly #peers = new Map<DevnetNode, Unsubscribe>();
  #stopping = new AbortController();
  #context: RpcContext | undefined;
  #server: RpcServer | undefined;
  #port: number | undefined;
  #timer: Timer | undefined;
  #template: { readonly built: BlockTemplate; readonly atMs: number } | undefined;

  /** Cheap and silent: history and port come with `start`. */
  constructor(
    deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
    options: DevnetNodeOptions = {},
  ) {
    this.name = options.name ?? "devnet";
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child({ node: this.name }) };
    this.user = options.user ?? (options.cookieDirectory === undefined ? "devnet" : "__cookie__");
    // Not from `deps.random`: a seeded test must not make the password known.
    this.password = options.password ?? toHex(randomBytes(32));
    const initialBlocks = options.initialBlocks ?? INITIAL_BLOCKS;
    const nBits = options.nBits ?? REGTEST_BITS;
    this.chain = new Chain(this.#deps, {
      genesis: REGTEST_GENESIS,
      requiredBits: (height) => (height <= initialBlocks ? REGTEST_BITS : nBits),
      powLimit: NETWORKS.regtest.powLimit,
      halvingInterval: NETWORKS.regtest.halvingInterval,
      blocksKept: options.blocksKept ?? 2000,
    });
    const { chain } = this;
    this.mempool = new Mempool({ chain, clock: deps.clock }, { most: 10 * (options.transactions?.atMost ?? 1000) });
    this.#synthetic = new SyntheticTransactions({ chain, mempool: this.mempool, random: deps.random });
    chain.events.on("tip", ({ node }) => {
      this.#fillMempool();
      this.#deps.log.debug(`tip is block ${node.height}`, { hash: node.key, transactions: node.txCount });
    });
  }

  /** `http://host:port`, without credentials. Throws `TypeError` before `start` has resolved. */
  get url(): string {
    if (this.#port === undefined) throw new TypeError(`${this.name} has not been started`);
    return `http://${this.#options.host ?? "127.0.0.1"}:${this.#port}`;
  }

  /** Path of the cookie file, if there is one. */
  get cookiePath(): string | undefined {
    const { cookieDirectory, password } = this.#options;
    return cookieDirectory === undefined || password !== undefined ? undefined : join(cookieDirectory, ".cookie");
  }

  /**
   * Makes the history, fills the mempool and listens. After `stop` it may be called again, as a real node is restarted:
   * chain, mempool, password and port are as they were, peers have to be connected again. Throws `Fault("devnet-history-failed")`,
   * `Fault("devnet-cookie-failed")` or `Fault("devnet-listen-failed")`.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#stopping = new AbortController();
    this.prepare();
    const { clock, log } = this.#deps;
    const { host = "127.0.0.1" } = this.#options;
    const port = this.#options.port ?? this.#port ?? 0;
    const server = new RpcServer(
      {
        clock,
        log,
        disturbances: this.disturbances,
        handle: (method, params, ended) => this.call(method, params, ended),
      },
      { host, port, user: this.user, password: this.password },
    );
    this.#server = server;
    try {
      this.#port = await server.start();
      await this.#writeCookie();
    } catch (error) {
      await this.stop();
      throw error;
    }
    log.info(`regtest node at ${this.url}, ${this.chain.tip.height} blocks`);
  }

  /**
   * The part of `start` that needs no network: the history, or the peer's, and the transactions. For tests. Throws `Fault("devnet-history-failed")`.
   */
  prepare(): void {
    if (this.#context === undefined) {
      this.#context = this.#makeContext();
      const { peer, initialBlocks = INITIAL_BLOCKS } = this.#options;
      if (peer === undefined) makeHistory(this.#minerDeps(), initialBlocks);
      else this.connect(peer);
      this.#fillMempool();
    }
    const perSecond = this.#options.transactions?.perSecond ?? 0;
    if (perSecond > 0) this.#timer ??= this.#deps.clock.every(1000 / perSecond, () => this.#addTransaction());
  }

  /**
   * Runs an RPC method without HTTP and without disturbances. Throws `RpcError` as a client would get it, and `TypeError`
   * before `prepare` or `start`.
   */
  async call(method: string, params: RpcParams = [], signal?: AbortSignal): Promise<unknown> {
    if (this.#context === undefined) throw new TypeError(`${this.name} has not been started`);
    return callMethod(METHODS, this.#context, method, params, signal ?? this.#stopping.signal);
  }

  /** Ends waiting calls, closes the port and removes the cookie. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const peer of [...this.#peers.keys()]) this.disconnect(peer);
    await this.#server?.stop();
    if (this.cookiePath !== undefined) await rm(this.cookiePath, { force: true });
  }

  /**
   * Exchanges blocks with `peer` from now on, both ways, beginning with what only one of them knows (as far as its
   * content is still kept). Transactions are not exchanged.
   */
  connect(peer: DevnetNode): void {
    if (peer === this || this.#peers.has(peer)) return;
    this.#link(peer);
    peer.#link(this);
    this.#offer(peer);
    peer.#offer(this);
  }

  /** Ends the exchange with `peer`. */
  disconnect(peer: DevnetNode): void {
    for (const [a, b] of [
      [this, peer],
      [peer, this],
    ] as const) {
      a.#peers.get(b)?.();
      a.#peers.delete(b);
    }
  }

  #link(peer: DevnetNode): void {
    this.#peers.set(
      peer,
      this.chain.events.on("tip", () => this.#offer(peer)),
    );
  }

  /** Gives `peer` the blocks of the active chain that it lacks, oldest first. */
  #offer(peer: DevnetNode): void {
    const missing: BlockData[] = [];
    for (let at: BlockNode | undefined = this.chain.tip; at?.data !== undefined; at = at.prev) {
      if ((peer.chain.find(at.key)?.txCount ?? 0) > 0) break;
      missing.push(at.data);
    }
    for (const data of missing.reverse()) peer.chain.submit(data);
  }

  /**
   * Mines `count` blocks on the tip that pay `script` (anyone-can-spend by default) and returns their hashes in display
   * order. Real proof of work, in slices that leave the thread free in between. Ends early when `signal` aborts.
   */
  async generate(count: number, script: Uint8Array = ANYONE_SCRIPT, signal?: AbortSignal): Promise<string[]> {
    const ended = (): boolean => signal?.aborted === true || this.#stopping.signal.aborted;
    return generateBlocks(this.#minerDeps(), { count, script, ended });
  }

  #minerDeps(): MinerDeps {
    const { chain, mempool } = this;
    return { ...this.#deps, chain, mempool };
  }

  #fillMempool(): void {
    const { atLeast = 12 } = this.#options.transactions ?? {};
    this.#synthetic.add(atLeast - this.mempool.size);
  }

  #addTransaction(): void {
    if (this.mempool.size < (this.#options.transactions?.atMost ?? 1000)) this.#synthetic.add(1);
  }

  async #writeCookie(): Promise<void> {
    const path = this.cookiePath;
    if (path === undefined) return;
    try {
      await writeFile(path, `${this.user}:${this.password}`, { mode: 0o600 });
    } catch (cause) {
      throw new Fault("devnet-cookie-failed", { path }, { cause });
    }
  }

  #makeContext(): RpcContext {
    const { clock } = this.#deps;
    return {
      network: "regtest",
      clock,
      chain: this.chain,
      mempool: this.mempool,
      disturbances: this.disturbances,
      startedMs: clock.monotonicMs(),
      peers: () => this.#peers.size,
      template: () => this.#currentTemplate(),
      generate: (count, script, signal) => this.generate(count, script, signal),
      longPoll: this.#options.longPoll ?? { firstMs: 60_000, laterMs: 10_000 },
    };
  }

  #currentTemplate(): BlockTemplate {
    const nowMs = this.#deps.clock.monotonicMs();
    const last = this.#template;
    const fresh =
      last !== undefined &&
      last.built.prev === this.chain.tip &&
      (last.built.mempoolUpdates === this.mempool.updates || nowMs - last.atMs <= TEMPLATE_AGE_MS);
    if (fresh) return last.built;
    const built = buildTemplate(this.chain, this.mempool);
    this.#template = { built, atMs: nowMs };
    return built;
  }
}

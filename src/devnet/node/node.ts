/**
 * The embedded regtest Bitcoin node: a chain, a mempool and Core's JSON-RPC over HTTP on loopback, in this process. It is
 * test bed and demo at once; the job source talks to it exactly as to Bitcoin Core. It has no peer-to-peer network (nodes
 * of one process can be connected directly), no wallet, executes no scripts and keeps everything in memory: content of
 * the newest 2,000 blocks or 256 MiB unless told otherwise, headers of the newest 100,000.
 */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NETWORKS } from "../../bitcoin/network.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Random } from "../../kernel/random.ts";
import type { RpcParams } from "../rpc/protocol.ts";
import { RpcServer } from "../rpc/server.ts";
import { callMethod } from "../rpc/table.ts";
import { Chain } from "./chain.ts";
import { NodeDisturbances } from "./disturbances.ts";
import { generateBlocks, type MinerDeps, makeHistory } from "./generate.ts";
import { REGTEST_GENESIS } from "./genesis.ts";
import { Mempool } from "./mempool.ts";
import type { DevnetNodeOptions } from "./options.ts";
import { Peering } from "./peering.ts";
import { CHAIN_METHODS } from "./rpc-chain-methods.ts";
import type { RpcContext } from "./rpc-context.ts";
import { MINING_METHODS } from "./rpc-mining-methods.ts";
import { ANYONE_SCRIPT, SyntheticTransactions } from "./synthetic.ts";
import { type BlockTemplate, buildTemplate } from "./template.ts";
import { ZmqPublisher } from "./zmq-publisher.ts";

/** `nBits` of regtest: every second hash is a block. */
export const REGTEST_BITS = 0x207fffff;

/** Blocks of history unless told otherwise: ten coinbases are mature. */
const INITIAL_BLOCKS = 110;

/** A template is kept this long when only the mempool changed, as in Core. */
const TEMPLATE_AGE_MS = 5000;

const METHODS = { ...CHAIN_METHODS, ...MINING_METHODS };

/** A Bitcoin node in this process. */
export class DevnetNode implements Part {
  readonly name: string;
  /** Blocks and coins; for tests that look inside. */
  readonly chain: Chain;
  /** Unconfirmed transactions. */
  readonly mempool: Mempool;
  /** Nodes that it exchanges blocks with. */
  readonly peering: Peering;
  /** What the node does wrong on purpose. */
  readonly disturbances = new NodeDisturbances();
  /** RPC user. */
  readonly user: string;
  /** RPC password. */
  readonly password: string;
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly log: Log };
  readonly #options: DevnetNodeOptions;
  readonly #synthetic: SyntheticTransactions;
  #stopping = new AbortController();
  #context: RpcContext | undefined;
  #server: RpcServer | undefined;
  #port: number | undefined;
  #zmq: ZmqPublisher | undefined;
  #zmqPort: number | undefined;
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
      bytesKept: options.bytesKept ?? 256 * 1024 * 1024,
    });
    const { chain } = this;
    this.peering = new Peering({ chain });
    this.mempool = new Mempool({ chain, clock: deps.clock }, { most: 10 * (options.transactions?.atMost ?? 1000) });
    this.#synthetic = new SyntheticTransactions({ chain, mempool: this.mempool, random: deps.random });
    chain.events.on("tip", ({ node }) => {
      this.#zmq?.publish(node.hash);
      this.#fillMempool();
      this.#deps.log.debug(`tip is block ${node.height}`, { hash: node.key, transactions: node.txCount });
    });
  }

  /** `http://host:port`, without credentials. Throws `TypeError` before `start` has resolved. */
  get url(): string {
    if (this.#port === undefined) throw new TypeError(`${this.name} has not been started`);
    return `http://${this.#options.host ?? "127.0.0.1"}:${this.#port}`;
  }

  /** `tcp://host:port` of the ZMQ publisher, if there is one. Throws `TypeError` before `start` has resolved. */
  get zmqAddress(): string | undefined {
    if (this.#options.zmqPort === undefined) return undefined;
    if (this.#zmqPort === undefined) throw new TypeError(`${this.name} has not been started`);
    return `tcp://${this.#options.host ?? "127.0.0.1"}:${this.#zmqPort}`;
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
      { host, port, login: { user: this.user, password: this.password } },
    );
    this.#server = server;
    try {
      this.#port = await server.start();
      await this.#startZmq(host);
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
    this.peering.disconnectAll();
    await this.#server?.stop();
    await this.#zmq?.stop();
    this.#zmq = undefined;
    if (this.cookiePath !== undefined) await rm(this.cookiePath, { force: true });
  }

  /**
   * Exchanges blocks with `peer` from now on, both ways, beginning with what only one of them knows (as far as its
   * content is still kept). Transactions are not exchanged.
   */
  connect(peer: { readonly peering: Peering }): void {
    this.peering.connect(peer.peering);
  }

  /** Ends the exchange with `peer`. */
  disconnect(peer: { readonly peering: Peering }): void {
    this.peering.disconnect(peer.peering);
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

  async #startZmq(host: string): Promise<void> {
    if (this.#options.zmqPort === undefined) return;
    this.#zmq = new ZmqPublisher({ log: this.#deps.log }, { host, port: this.#zmqPort ?? this.#options.zmqPort });
    this.#zmqPort = await this.#zmq.start();
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
      peers: () => this.peering.size,
      zmqAddress: () => (this.#zmq === undefined ? undefined : this.zmqAddress),
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

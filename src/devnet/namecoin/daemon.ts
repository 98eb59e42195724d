/**
 * The embedded Namecoin daemon: a chain of headers with coinbases, namecoind's JSON-RPC of merge mining over HTTP on loopback,
 * and its ZMQ notices. It judges proofs by itself (auxpow.ts) and has namecoind's habits, the bad ones too (templates.ts,
 * aux-methods.ts). Blocks of other miners need no proof here: the daemon makes them and believes itself.
 */
import { randomBytes } from "node:crypto";
import { OP, pushBytes } from "../../bitcoin/script.ts";
import { concat, toHex } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import { type Random, randomU32 } from "../../kernel/random.ts";
import { ZmqPublisher } from "../node/zmq-publisher.ts";
import { RPC, RpcError, type RpcParams } from "../rpc/protocol.ts";
import { RpcServer } from "../rpc/server.ts";
import { callMethod } from "../rpc/table.ts";
import { AUX_METHODS } from "./aux-methods.ts";
import { genesis, newBlock } from "./blocks.ts";
import { type NamecoinBlock, NamecoinChain } from "./chain.ts";
import { CHAIN_METHODS } from "./chain-methods.ts";
import type { NamecoinContext } from "./context.ts";
import { NamecoinDisturbances } from "./disturbances.ts";
import type { NamecoinDaemonOptions } from "./options.ts";
import { AuxTemplates } from "./templates.ts";

const REGTEST_BITS = 0x207fffff;
const INITIAL_BLOCKS = 20;
const HALVING_INTERVAL = 210_000;
/** What each transaction of the devnet pays: 0.001 NMC. */
const FEE = 100_000n;
/** The answer to `stop` leaves before the port closes, ms. */
const STOP_DELAY_MS = 50;

const METHODS = { ...CHAIN_METHODS, ...AUX_METHODS };

/** A Namecoin daemon in this process. */
export class NamecoinDaemon implements Part {
  readonly name: string;
  /** Blocks and waiting fees; for tests that look inside. */
  readonly chain: NamecoinChain;
  /** What the daemon does wrong on purpose. */
  readonly disturbances = new NamecoinDisturbances();
  /** RPC user. */
  readonly user: string;
  /** RPC password. */
  readonly password: string;
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly log: Log };
  readonly #options: NamecoinDaemonOptions;
  #context: NamecoinContext;
  #nBits: number;
  #stopping = new AbortController();
  #server: RpcServer | undefined;
  #zmq: ZmqPublisher | undefined;
  #port: number | undefined;
  #zmqPort: number | undefined;
  #timers: Timer[] = [];
  #walletScript: Uint8Array | undefined;

  /** Makes the history; nothing listens before `start`. */
  constructor(
    deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
    options: NamecoinDaemonOptions = {},
  ) {
    this.name = options.name ?? "namecoin";
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child({ node: this.name }) };
    this.user = options.user ?? "devnet";
    // Not from `deps.random`: a seeded test must not make the password known.
    this.password = options.password ?? toHex(randomBytes(32));
    this.#nBits = options.nBits ?? REGTEST_BITS;
    this.chain = new NamecoinChain(this.#deps, genesis(this.#nBits));
    const blocks = options.initialBlocks ?? INITIAL_BLOCKS;
    while (this.chain.tip.height < blocks) this.mineForeignBlock();
    this.chain.events.on("tip", ({ node }) => this.#zmq?.publish(node.hash));
    this.#context = this.#makeContext();
  }

  /** `http://host:port`, without credentials. Throws `TypeError` before `start` has resolved. */
  get url(): string {
    if (this.#port === undefined) throw new TypeError(`${this.name} has not been started`);
    return `http://${this.#host}:${this.#port}`;
  }

  /** `tcp://host:port` of the ZMQ publisher, if there is one. Throws `TypeError` before `start` has resolved. */
  get zmqAddress(): string | undefined {
    if (this.#options.zmqPort === undefined) return undefined;
    if (this.#zmqPort === undefined) throw new TypeError(`${this.name} has not been started`);
    return `tcp://${this.#host}:${this.#zmqPort}`;
  }

  /** Whether it listens. */
  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  /** `nBits` of blocks made from now on, a template's and others'; may be changed at any time. */
  get nBits(): number {
    return this.#nBits;
  }

  set nBits(nBits: number) {
    this.#nBits = nBits;
  }

  get #host(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  /**
   * Listens, on the ports of before when it ran already. Templates of an earlier run are forgotten, the chain is not. Throws
   * `Fault("devnet-listen-failed")`.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#server !== undefined) throw new TypeError(`${this.name} runs already`);
    const { clock, log } = this.#deps;
    this.#stopping = new AbortController();
    this.#context = this.#makeContext();
    const server = new RpcServer(
      {
        clock,
        log,
        disturbances: this.disturbances,
        handle: (method, params, ended) => this.call(method, params, ended),
      },
      {
        host: this.#host,
        port: this.#port ?? this.#options.port ?? 0,
        login: { user: this.user, password: this.password },
      },
    );
    this.#server = server;
    try {
      this.#port = await server.start();
      await this.#startZmq();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#startTimers();
    log.info(`Namecoin daemon at ${this.url}, ${this.chain.tip.height} blocks`);
  }

  /** Ends waiting calls and closes the ports. */
  async stop(): Promise<void> {
    await this.#end((server) => server.stop());
  }

  /** Ends as a killed process does: connections are gone at once, calls stay without an answer. `start` brings it back. */
  async crash(why = "killed"): Promise<void> {
    this.#deps.log.warn(`Namecoin daemon ends: ${why}`);
    await this.#end((server) => server.kill());
  }

  /** Crashes and comes back with the same chain and without its templates. */
  async restart(): Promise<void> {
    await this.crash("restart");
    await this.start(new AbortController().signal);
  }

  /**
   * Runs an RPC method without HTTP and without disturbances of single calls. Throws `RpcError` as a client would get it.
   */
  async call(method: string, params: RpcParams = [], signal?: AbortSignal): Promise<unknown> {
    const { loading } = this.disturbances;
    if (loading !== undefined) throw new RpcError(RPC.IN_WARMUP, loading);
    return await callMethod(METHODS, this.#context, method, params, signal ?? this.#stopping.signal);
  }

  /** Another miner's block on the tip, or on the block with the hash `parent` (display order). Returns its hash. */
  mineForeignBlock(parent: string = this.chain.tip.key): string {
    return this.#mine(parent, false).key;
  }

  /**
   * Other miners replace the last `depth` blocks by one more than that; the tip is announced once. Returns its hash. Throws
   * `TypeError` when the chain is not that long.
   */
  reorg(depth: number): string {
    const fork = this.chain.at(this.chain.tip.height - depth);
    if (depth < 1 || fork === undefined) throw new TypeError(`there are no ${depth} blocks to replace`);
    let parent = fork.key;
    for (let i = 0; i <= depth; i++) parent = this.#mine(parent, i < depth).key;
    return parent;
  }

  #mine(parentKey: string, silent: boolean): NamecoinBlock {
    const { chain } = this;
    const parent = chain.find(parentKey);
    if (parent === undefined) throw new TypeError(`there is no block ${parentKey}`);
    const draft = newBlock({ chain, clock: this.#deps.clock }, parent, {
      script: this.#randomScript(),
      nBits: this.#nBits,
      halvingInterval: this.#halvingInterval,
      // Beside the tip it cannot know which transactions still wait.
      fees: parent === chain.tip ? new Map(chain.pending) : new Map(),
      auxpow: false,
      extra: pushBytes(this.#deps.random.bytes(8)),
    });
    const block = chain.add(draft, undefined, silent);
    if (block === undefined) throw new TypeError(`block ${draft.key} has no parent`);
    return block;
  }

  get #halvingInterval(): number {
    return this.#options.halvingInterval ?? HALVING_INTERVAL;
  }

  #makeContext(): NamecoinContext {
    const { chain, disturbances } = this;
    const { clock, log } = this.#deps;
    const build: ConstructorParameters<typeof AuxTemplates>[0]["build"] = (script) => {
      const draft = newBlock({ chain, clock }, chain.tip, {
        script,
        nBits: this.#nBits,
        halvingInterval: this.#halvingInterval,
        fees: new Map(chain.pending),
        auxpow: true,
      });
      // Heights up to 16 are pushed by one opcode, and a coinbase script has two bytes at least.
      if ((draft.coinbase.inputs[0]?.script.length ?? 0) < 2) {
        throw new RpcError(RPC.MISC_ERROR, "TestBlockValidity failed: bad-cb-length");
      }
      return draft;
    };
    return {
      clock,
      log,
      chain,
      disturbances,
      startedMs: clock.monotonicMs(),
      templates: new AuxTemplates({ chain, clock, build }),
      wallet: {
        script: () => {
          this.#walletScript ??= this.#randomScript();
          return this.#walletScript;
        },
        used: () => {
          this.#walletScript = undefined;
        },
      },
      zmqAddress: () => (this.#zmq === undefined ? undefined : this.zmqAddress),
      crash: (why) => this.crash(why),
      stop: () => void clock.after(STOP_DELAY_MS, () => void this.stop()),
    };
  }

  async #end(close: (server: RpcServer) => Promise<void>): Promise<void> {
    const server = this.#server;
    const zmq = this.#zmq;
    this.#server = undefined;
    this.#zmq = undefined;
    this.#stopping.abort();
    for (const timer of this.#timers.splice(0)) timer.cancel();
    if (server !== undefined) await close(server);
    await zmq?.stop();
  }

  async #startZmq(): Promise<void> {
    const { zmqPort } = this.#options;
    if (zmqPort === undefined) return;
    this.#zmq = new ZmqPublisher({ log: this.#deps.log }, { host: this.#host, port: this.#zmqPort ?? zmqPort });
    this.#zmqPort = await this.#zmq.start();
  }

  #startTimers(): void {
    const { transactionEveryMs, blockEveryMs } = this.#options;
    const { clock } = this.#deps;
    if (transactionEveryMs !== undefined) {
      this.#timers.push(clock.every(transactionEveryMs, () => this.chain.addFee(FEE)));
    }
    if (blockEveryMs !== undefined) this.#scheduleBlock(blockEveryMs);
  }

  /** Blocks come without memory, so times between them are exponential. */
  #scheduleBlock(meanMs: number): void {
    const delayMs = -Math.log((randomU32(this.#deps.random) + 1) / 2 ** 32) * meanMs;
    const timer = this.#deps.clock.after(delayMs, () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
      this.mineForeignBlock();
      this.#scheduleBlock(meanMs);
    });
    this.#timers.push(timer);
  }

  /** Pays to a key that nobody has. */
  #randomScript(): Uint8Array {
    return concat(
      Uint8Array.of(OP.OP_DUP, OP.OP_HASH160),
      pushBytes(this.#deps.random.bytes(20)),
      Uint8Array.of(OP.OP_EQUALVERIFY, OP.OP_CHECKSIG),
    );
  }
}

/**
 * The embedded RSK node: a chain of blocks with uncles and REMASC, rskj's JSON-RPC of merge mining over HTTP and WebSocket on
 * loopback. It judges submissions by itself (proof.ts). Blocks of other miners need no proof here: the node makes them and
 * believes itself.
 */
import type { IncomingMessage } from "node:http";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import { type Random, randomU32 } from "../../kernel/random.ts";
import { RpcError, type RpcParams } from "../rpc/protocol.ts";
import { RpcServer } from "../rpc/server.ts";
import { genesis, newWork, sealed } from "./blocks.ts";
import { type RskBlock, RskChain } from "./chain.ts";
import type { RskContext } from "./context.ts";
import { RskDisturbances } from "./disturbances.ts";
import { ETH_METHODS } from "./eth-methods.ts";
import { data } from "./hex.ts";
import { MinerServer } from "./miner-server.ts";
import { MNR_METHODS } from "./mnr-methods.ts";
import type { RskDaemonOptions } from "./options.ts";
import { answerRskj, RSK_RPC } from "./protocol.ts";
import { RskWebSocket } from "./websocket.ts";

const INITIAL_BLOCKS = 500;
/** Blocks until REMASC pays on regtest. */
const REGTEST_MATURITY = 10;
const REFRESH_MS = 60_000;
/** 21,000 gas at 0.06 gwei. */
const FEE_WEI = 1_260_000_000_000n;
const MINER = "0xec4ddeb4380ad69b3e509baad9f158cdf4e4681d";

const METHODS = { ...ETH_METHODS, ...MNR_METHODS };

/** An RSK node in this process. */
export class RskDaemon implements Part {
  readonly name: string;
  /** Blocks; for tests that look inside. */
  readonly chain: RskChain;
  /** What the node does wrong on purpose. */
  readonly disturbances = new RskDisturbances();
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly log: Log };
  readonly #options: RskDaemonOptions;
  #context: RskContext;
  #difficulty: bigint;
  #fees = 0n;
  #server: RpcServer | undefined;
  #ws: RskWebSocket | undefined;
  #port: number | undefined;
  #wsPort: number | undefined;
  #timers = new Set<Timer>();
  #lastSubmissionMs: number | undefined;

  /** Makes the history; nothing listens before `start`. */
  constructor(
    deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
    options: RskDaemonOptions = {},
  ) {
    this.name = options.name ?? "rsk";
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child({ node: this.name }) };
    this.#difficulty = toDifficulty(options.difficulty ?? 1);
    this.chain = new RskChain(this.#deps, genesis(this.#difficulty));
    const blocks = options.initialBlocks ?? INITIAL_BLOCKS;
    while (this.chain.tip.number < blocks) this.mineForeignBlock();
    this.#context = this.#makeContext();
    this.#buildWork();
    this.chain.events.on("tip", ({ node }) => this.#onTip(node));
  }

  /** `http://host:port`. Throws `TypeError` before `start` has resolved. */
  get url(): string {
    if (this.#port === undefined) throw new TypeError(`${this.name} has not been started`);
    return `http://${this.#host}:${this.#port}`;
  }

  /** `ws://host:port/websocket`, if there is a WebSocket. Throws `TypeError` before `start` has resolved. */
  get wsUrl(): string | undefined {
    if (this.#options.wsPort === undefined) return undefined;
    if (this.#wsPort === undefined) throw new TypeError(`${this.name} has not been started`);
    return `ws://${this.#host}:${this.#wsPort}/websocket`;
  }

  /** Whether it listens. */
  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  /** Hashes that a block made from now on takes on average; may be changed at any time. */
  get difficulty(): number {
    return Number(this.#difficulty);
  }

  set difficulty(difficulty: number) {
    this.#difficulty = toDifficulty(difficulty);
  }

  get #host(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  /**
   * Listens, on the ports of before when it ran already. Works of an earlier run are forgotten, the chain is not. Throws
   * `Fault("devnet-listen-failed")`.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#server !== undefined) throw new TypeError(`${this.name} runs already`);
    const { clock, log } = this.#deps;
    this.#context = this.#makeContext();
    this.#buildWork();
    const server = new RpcServer(
      {
        clock,
        log,
        disturbances: this.disturbances,
        handle: (method, params) => this.call(method, params),
        answer: answerRskj,
        refuse: refuseType,
      },
      { host: this.#host, port: this.#port ?? this.#options.port ?? 0 },
    );
    this.#server = server;
    try {
      this.#port = await server.start();
      await this.#startWebSocket();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#startTimers();
    log.info(`RSK node at ${this.url}, ${this.chain.tip.number} blocks`);
  }

  /** Closes the ports. */
  async stop(): Promise<void> {
    await this.#end((server) => server.stop());
  }

  /** Ends as a killed process does: connections are gone at once. `start` brings it back. */
  async crash(): Promise<void> {
    await this.#end((server) => server.kill());
  }

  /** Crashes and comes back with the same chain and without the works that it handed out. */
  async restart(): Promise<void> {
    await this.crash();
    await this.start(new AbortController().signal);
  }

  /** Runs an RPC method without HTTP and without disturbances of single calls. Throws `RpcError` as a client would get it. */
  async call(method: string, params: RpcParams = []): Promise<unknown> {
    const run = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
    if (run === undefined) throw new RpcError(RSK_RPC.METHOD_NOT_FOUND, "method not found");
    return run(this.#context, Array.isArray(params) ? params : []);
  }

  /** A transaction that pays `fee`, wei. */
  addTransaction(fee: bigint = this.#options.feeWei ?? FEE_WEI): void {
    this.#fees += fee;
    if (this.#options.workOnTransaction === true) this.#buildWork();
  }

  /** Makes the work anew, as the node does every minute. */
  refreshWork(): void {
    this.#buildWork();
  }

  /** Another miner's block on the tip, or on the block with the hash `parent`. Returns its hash. Throws `TypeError`. */
  mineForeignBlock(parent: string = this.chain.tip.hash): string {
    return this.#mine(parent).hash;
  }

  /**
   * Other miners replace the last `depth` blocks by a branch of more total difficulty, uncles counted in; the head is announced once.
   * Returns its hash. Throws `TypeError` when the chain is not that long.
   */
  reorg(depth: number): string {
    const fork = this.chain.at(this.chain.tip.number - depth);
    if (depth < 1 || fork === undefined) throw new TypeError(`there are no ${depth} blocks to replace`);
    let head = this.#mine(fork.hash);
    while (this.chain.tip !== head) head = this.#mine(head.hash);
    return head.hash;
  }

  #mine(parentHash: string): RskBlock {
    const parent = this.chain.find(parentHash);
    if (parent === undefined) throw new TypeError(`there is no block ${parentHash}`);
    const miner = data(this.#deps.random.bytes(20));
    const block = sealed(newWork(this.chain, parent, { ...this.#newWorkOptions(), miner }), undefined);
    this.chain.add(block);
    return block;
  }

  #newWorkOptions() {
    return {
      difficulty: this.#difficulty,
      now: Math.floor(this.#deps.clock.nowMs() / 1000),
      feesSoFar: this.#fees,
    };
  }

  #buildWork(): void {
    const miner = this.#options.miner ?? MINER;
    this.#context.minerServer.setWork(newWork(this.chain, this.chain.tip, { ...this.#newWorkOptions(), miner }));
  }

  #onTip(head: RskBlock): void {
    this.#ws?.publish(head);
    const { workDelayMs = 0 } = this.#options;
    if (workDelayMs === 0) this.#buildWork();
    else this.#after(workDelayMs, () => this.#buildWork());
  }

  #makeContext(): RskContext {
    const { clock, log } = this.#deps;
    const { rateLimitMs = 0, minFeesNotify = 0n, maturity = REGTEST_MATURITY } = this.#options;
    this.#lastSubmissionMs = undefined;
    return {
      clock,
      log,
      chain: this.chain,
      disturbances: this.disturbances,
      minerServer: new MinerServer({ minFeesNotify }),
      maturity,
      admitSubmission: () => {
        const nowMs = clock.monotonicMs();
        if (this.#lastSubmissionMs !== undefined && nowMs - this.#lastSubmissionMs < rateLimitMs) return false;
        this.#lastSubmissionMs = nowMs;
        return true;
      },
    };
  }

  async #end(close: (server: RpcServer) => Promise<void>): Promise<void> {
    const server = this.#server;
    const ws = this.#ws;
    this.#server = undefined;
    this.#ws = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await ws?.stop();
    if (server !== undefined) await close(server);
  }

  async #startWebSocket(): Promise<void> {
    const { wsPort } = this.#options;
    if (wsPort === undefined) return;
    const deps = { log: this.#deps.log, handle: (method: string, params: RpcParams) => this.call(method, params) };
    this.#ws = new RskWebSocket(deps, { host: this.#host, port: this.#wsPort ?? wsPort });
    this.#wsPort = await this.#ws.start();
  }

  #startTimers(): void {
    const { transactionEveryMs, blockEveryMs, refreshMs = REFRESH_MS } = this.#options;
    const { clock } = this.#deps;
    this.#timers.add(clock.every(refreshMs, () => this.#buildWork()));
    if (transactionEveryMs !== undefined) {
      this.#timers.add(clock.every(transactionEveryMs, () => this.addTransaction()));
    }
    if (blockEveryMs !== undefined) this.#scheduleBlock(blockEveryMs);
  }

  /** Blocks come without memory, so times between them are exponential. */
  #scheduleBlock(meanMs: number): void {
    const delayMs = -Math.log((randomU32(this.#deps.random) + 1) / 2 ** 32) * meanMs;
    this.#after(delayMs, () => {
      this.mineForeignBlock();
      this.#scheduleBlock(meanMs);
    });
  }

  #after(delayMs: number, run: () => void): void {
    const timer = this.#deps.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }
}

function toDifficulty(difficulty: number): bigint {
  if (!(difficulty >= 1 && Number.isFinite(difficulty))) throw new TypeError(`no difficulty: ${difficulty}`);
  return BigInt(Math.round(difficulty));
}

/** rskj reads JSON only from those who call it so. */
function refuseType({ headers }: IncomingMessage): { readonly status: number; readonly body: string } | undefined {
  const [type] = (headers["content-type"] ?? "").split(";");
  return type?.trim() === "application/json" || type?.trim() === "application/json-rpc"
    ? undefined
    : { status: 415, body: "Unsupported content type" };
}

/**
 * The chain: asks its nodes for blocks to mine and hands them back with a proof. A node keeps nothing: the whole block stands in
 * the work, so any node takes any proof. Each answer is another block (time and parents differ), on the same parent most of the time.
 */
import {
  type AuxWork,
  type BlockStatus,
  type Chain,
  type Clock,
  type ConnectWebSocket,
  concat,
  describe,
  Fault,
  fromHex,
  type Host,
  HttpApi,
  type HttpClient,
  type Outcome,
  type OutputCommitment,
  opReturn,
  Polling,
  type Proof,
  reversed,
  type SubmittedBlock,
  statusOfAny,
  toHex,
  WebSocketFeed,
} from "bllvm-stratum-v2/plugin";
import { auxPowOf, MAGIC, parseAuxPow, serializeAuxPow, verifyAuxPow } from "./aux-pow.ts";
import { type BlockTemplate, baseHash, blockBase, parseBlock, targetOf } from "./block.ts";
import { type HathorConfig, payee } from "./config.ts";
import { bestHeight, findBlock, getTemplate, saidError, submitBlock } from "./node.ts";
import { readParent } from "./notice.ts";

/** Sent to all nodes. */
interface Login {
  readonly user: string;
  readonly password: string;
}

/** What the chain needs. */
export interface HathorDeps {
  readonly host: Host;
  readonly http: HttpClient;
  readonly connect: ConnectWebSocket;
}

/** How long a node that failed is asked last, ms. */
const REST_MS = 30_000;
/** How long no node may answer before the work that stands is withdrawn, ms. */
const PATIENCE_MS = 10_000;
/** Bytes of an answer: a transaction with its metadata has some ten KiB, a block with many children more. */
const MAX_ANSWER = 1 << 18;

/** Hathor as a `Chain`. */
export class HathorChain implements Chain {
  readonly #host: Host;
  readonly #http: HttpClient;
  readonly #config: HathorConfig;
  readonly #nodes: readonly HttpApi[];
  readonly #polling: Polling;
  readonly #feeds: readonly WebSocketFeed[];
  /** Monotonic ms until which a node is asked last. */
  readonly #restsUntil = new Map<HttpApi, number>();
  #parent: string | undefined;
  #failingSinceMs: number | undefined;

  constructor({ host, http, connect }: HathorDeps, config: HathorConfig) {
    const { urls, user, password, timeout_s, poll_s, push } = config;
    const login = password === undefined ? undefined : { user: user ?? "", password };
    const clock: Clock = host.clock;
    this.#host = host;
    this.#http = http;
    this.#config = config;
    this.#nodes = urls.map(
      (url) => new HttpApi({ clock, http }, { url, login, timeoutMs: timeout_s * 1000, maxBytes: MAX_ANSWER }),
    );
    this.#polling = new Polling({ clock }, { everyMs: poll_s * 1000, run: (signal) => this.#poll(signal) });
    this.#feeds = push ? this.#nodes.map((node, i) => this.#feed(node.name, urls[i] ?? "", login, connect)) : [];
  }

  async start(): Promise<void> {
    for (const feed of this.#feeds) feed.start();
    this.#polling.poke();
  }

  async stop(): Promise<void> {
    for (const feed of this.#feeds) feed.stop();
    await this.#polling.stop();
    this.#http.close();
  }

  commit(work: AuxWork): OutputCommitment {
    return { kind: "output", script: opReturn(concat(MAGIC, work.hash)), first: MAGIC };
  }

  /** Judges the very bytes that will be sent, read back as hathor-core reads them. */
  verify(proof: Proof): string | undefined {
    const bytes = blockOf(proof);
    if (bytes === undefined) return "magic_missing";
    const block = parseBlock(bytes);
    const { max_merkle_path: maxMerklePath } = this.#config;
    const claim = { hash: baseHash(block), target: targetOf(block.weight), maxMerklePath };
    const flaw = verifyAuxPow(parseAuxPow(block.auxPow), claim);
    if (flaw !== "merkle_path") return flaw;
    return `merkle_path: ${proof.merkleBranch.length} hashes, and the network takes ${maxMerklePath} at most (max_merkle_path)`;
  }

  async submit(proof: Proof, signal: AbortSignal): Promise<Outcome> {
    const bytes = blockOf(proof);
    if (bytes === undefined) return { verdict: "rejected", reason: "the coinbase does not hold the block's hash" };
    let refusal: Outcome | undefined;
    let failure: unknown;
    for (const node of this.#inOrder()) {
      try {
        const outcome = await this.#submitTo(node, bytes, proof, signal);
        if (outcome.verdict === "accepted" || outcome.verdict === "duplicate") return outcome;
        // A node that lags refuses what the others would take.
        refusal ??= outcome;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        failure ??= error;
      }
    }
    if (refusal !== undefined) return refusal;
    throw failure;
  }

  async status(block: SubmittedBlock, signal: AbortSignal): Promise<BlockStatus> {
    const ask = async (node: HttpApi): Promise<BlockStatus> => {
      const known = await findBlock(node, block.blockHash, signal);
      if (known === undefined) return { state: "unknown", confirmations: 0, reward: undefined };
      if (known.isVoided) return { state: "orphaned", confirmations: 0, reward: undefined };
      const behind = (await bestHeight(node, signal)) - known.height;
      // A node's best height may be a moment older than its answer on the block.
      const confirmations = Math.max(1, behind + 1);
      const state = behind >= this.#config.maturity ? "mature" : "confirmed";
      return { state, confirmations, reward: known.reward };
    };
    return await statusOfAny(this.#inOrder(), (node) => this.#put(node, ask, signal), signal);
  }

  async #submitTo(node: HttpApi, bytes: Uint8Array, proof: Proof, signal: AbortSignal): Promise<Outcome> {
    const { work } = proof;
    const hash = toHex(reversed(proof.headerHash));
    const mark = { blockHash: hash, height: work.height };
    try {
      if (await submitBlock(node, toHex(bytes), signal)) return { verdict: "accepted", reason: "", ...mark };
    } catch (error) {
      const said = saidError(error);
      if (said === undefined || /sync/i.test(said)) throw error;
      return { verdict: "rejected", reason: said, ...mark };
    }
    // The node says no more than false: it has the block, or another tip, or finds it wrong.
    if ((await findBlock(node, hash, signal)) !== undefined) return { verdict: "duplicate", reason: "", ...mark };
    const { parents } = await getTemplate(node, this.#config.address, signal);
    if (parents[0] !== work.parent) return { verdict: "stale", reason: "the node has another tip", ...mark };
    return { verdict: "rejected", reason: "the node refuses the block; its log says why", ...mark };
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const host = this.#host;
    const isOver = (): boolean => signal.aborted || host.signal.aborted;
    try {
      const template = await this.#ask(signal, (node) => getTemplate(node, this.#config.address, signal));
      if (isOver()) return;
      const work = this.#workOf(template);
      this.#failingSinceMs = undefined;
      this.#parent = work.parent;
      host.offer(work);
      host.trouble(undefined);
    } catch (error) {
      if (isOver()) return;
      const nowMs = host.clock.monotonicMs();
      this.#failingSinceMs ??= nowMs;
      const isSyncing = /sync/i.test(saidError(error) ?? "");
      if (isSyncing || nowMs - this.#failingSinceMs >= PATIENCE_MS) host.offer(undefined);
      host.trouble(isSyncing ? "the node is synchronising, or has no synchronised peer" : sentenceOf(error));
    }
  }

  #workOf(template: BlockTemplate): AuxWork {
    const base = blockBase(template);
    const hash = baseHash(base);
    const to = toHex(payee(this.#config.address));
    if (!template.outputs.every(({ script }) => Buffer.from(script, "base64").toString("hex").includes(to)))
      throw new Error("the node's template does not pay to the configured address");
    return {
      id: toHex(hash),
      hash,
      parent: template.parents[0] ?? "",
      height: template.metadata.height,
      target: targetOf(template.weight),
      value: template.outputs.reduce((sum, { value }) => sum + BigInt(value), 0n),
      details: { funds: toHex(base.funds), graph: toHex(base.graph) },
    };
  }

  /** Puts a question to the nodes in order, until one answers. Throws the failure of the first. */
  async #ask<T>(signal: AbortSignal, question: (node: HttpApi) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const node of this.#inOrder()) {
      try {
        return await this.#put(node, question, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        failure ??= error;
      }
    }
    throw failure;
  }

  /** Puts a question to one node, and remembers whether it answered. */
  async #put<T>(node: HttpApi, question: (node: HttpApi) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, meter } = this.#host;
    try {
      const value = await question(node);
      this.#restsUntil.delete(node);
      meter.daemon(node.name, true);
      return value;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.#restsUntil.set(node, clock.monotonicMs() + REST_MS);
      meter.daemon(node.name, false);
      throw error;
    }
  }

  /** Those that are well, then those that failed not long ago, each in order of preference. */
  #inOrder(): readonly HttpApi[] {
    const nowMs = this.#host.clock.monotonicMs();
    const rests = (node: HttpApi): boolean => (this.#restsUntil.get(node) ?? nowMs) > nowMs;
    return [...this.#nodes.filter((node) => !rests(node)), ...this.#nodes.filter(rests)];
  }

  #feed(node: string, api: string, login: Login | undefined, connect: ConnectWebSocket): WebSocketFeed {
    const { clock, log, meter } = this.#host;
    return new WebSocketFeed(
      { clock, connect },
      {
        url: `${api.replace(/^http/i, "ws").replace(/\/+$/, "")}/mining_ws`,
        login,
        greeting: [],
        onMessage: (text) => {
          const parent = readParent(text);
          // A notice comes with every transaction; only another tip is worth a question.
          if (parent === undefined || parent === this.#parent) return;
          meter.count("tips_pushed");
          this.#polling.poke();
        },
        onState: (trouble, isAgain) => {
          const [level, line] =
            trouble === undefined
              ? (["info", `node ${node} pushes new tips`] as const)
              : (["warn", `node ${node} pushes no tips, it is polled only: ${trouble}`] as const);
          log[isAgain ? "debug" : level](line, { daemon: node });
        },
      },
    );
  }
}

/** The whole block with its proof; `undefined` when the coinbase does not hold its hash. */
function blockOf(proof: Proof): Uint8Array | undefined {
  const { funds, graph } = proof.work.details;
  const auxPow = auxPowOf(proof, proof.work.hash);
  if (typeof funds !== "string" || typeof graph !== "string" || auxPow === undefined) return undefined;
  return concat(fromHex(funds), fromHex(graph), serializeAuxPow(auxPow));
}

function sentenceOf(error: unknown): string {
  return error instanceof Fault ? `${describe(error)}. ${error.help}` : describe(error);
}

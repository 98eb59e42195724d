/**
 * A tag as a chain: it has work that stands in the coinbase and that nothing solves. A tag that is asked for is withdrawn when its
 * address says that there is none; while it cannot be reached, the last one stands until it expires.
 */
import {
  type AuxWork,
  type BlockStatus,
  type Chain,
  Fault,
  fromHex,
  type Host,
  HttpApi,
  type HttpClient,
  type Outcome,
  type OutputCommitment,
  Polling,
} from "bllvm-stratum-v2/plugin";
import type { TagConfig } from "./config.ts";
import { MAX_DATA, scriptOf, tagScript, tagWork } from "./tag.ts";

/** Bytes of an answer: the hex of a tag with some white space around it. */
const MAX_ANSWER = 2 * MAX_DATA + 64;

/** What the chain needs. */
export interface TagDeps {
  readonly host: Host;
  readonly http: HttpClient;
}

/** One tag. */
export class TagChain implements Chain {
  readonly #host: Host;
  readonly #http: HttpClient;
  readonly #polling: Polling;
  /** The tag as of now; `undefined` when there is none. */
  readonly #read: Read;

  constructor({ host, http }: TagDeps, config: TagConfig) {
    const { clock } = host;
    this.#host = host;
    this.#http = http;
    this.#read = reader({ host, http }, config);
    this.#polling = new Polling({ clock }, { everyMs: config.poll_s * 1000, run: (signal) => this.#poll(signal) });
  }

  async start(): Promise<void> {
    this.#polling.poke();
  }

  async stop(): Promise<void> {
    await this.#polling.stop();
    this.#http.close();
  }

  commit(work: AuxWork): OutputCommitment {
    return { kind: "output", script: scriptOf(work) };
  }

  /** Never called: its target is 0. */
  submit(): Promise<Outcome> {
    return Promise.reject(new Error("a tag has no blocks; nothing can be submitted"));
  }

  /** Never called, since nothing is submitted. */
  status(): Promise<BlockStatus> {
    return Promise.reject(new Error("a tag has no blocks"));
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const host = this.#host;
    const isOver = (): boolean => signal.aborted || host.signal.aborted;
    try {
      const script = await this.#read(signal);
      if (isOver()) return;
      host.offer(script === undefined ? undefined : tagWork(script));
      host.trouble(undefined);
    } catch (error) {
      if (!isOver()) host.trouble(error instanceof Error ? error.message : String(error));
    }
  }
}

type Read = (signal: AbortSignal) => Promise<Uint8Array | undefined>;

function reader({ host, http }: TagDeps, { source, timeout_s }: TagConfig): Read {
  if ("script" in source) return async () => source.script;
  const api = new HttpApi(
    { clock: host.clock, http },
    { url: source.url, login: source.login, timeoutMs: timeout_s * 1000, maxBytes: MAX_ANSWER },
  );
  return async (signal) => {
    let text: string;
    try {
      text = await api.text({ path: "", signal });
    } catch (error) {
      if (error instanceof Fault && (error.data.status === 204 || error.data.status === 404)) return undefined;
      throw error;
    }
    const digits = text.trim();
    if (!/^([0-9a-f]{2})+$/i.test(digits)) throw new Error(`${api.name} answered something else than hex`);
    return tagScript(source.prefix, fromHex(digits));
  };
}

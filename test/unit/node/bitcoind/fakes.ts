/** A scripted Bitcoin node at the level of RPC calls, files in memory, and the patience to let promises settle. */
import type { z } from "zod";
import type { Files } from "../../../../src/daemon/files.ts";
import type { CallOptions, Rpc } from "../../../../src/daemon/rpc.ts";
import { type Clock, sleep } from "../../../../src/kernel/clock.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import type { FakeClock } from "../../../support/fake-clock.ts";

/** Lets everything run that waits for nothing but a turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves the clock in small steps and lets promises settle after each, as time does. */
export async function pass(clock: FakeClock, ms: number, stepMs = 50): Promise<void> {
  await settle();
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left));
    await settle();
  }
}

/** A hash of 64 hex digits that ends in `n`. */
export function hashOf(n: number | string): string {
  return String(n).padStart(64, "0");
}

/** A best block of a fake node. */
export interface FakeTip {
  readonly hash: string;
  readonly height: number;
  readonly time: number;
  readonly mediantime: number;
  readonly bits: string;
  readonly chainwork: string;
}

/** A node with a chain, which may be down, slow or wrong. */
export class FakeNode implements Rpc {
  readonly name: string;
  readonly address: string;
  readonly calls: { readonly method: string; readonly params: readonly unknown[] }[] = [];
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  clockOffsetMs: number | undefined;
  /** What every call fails with. */
  down: Fault | undefined;
  /** What a method fails with. */
  readonly failing = new Map<string, Fault>();
  /** Methods that do not answer until they are taken out again by `release`. */
  readonly held = new Map<string, (() => void)[]>();
  /** Results that replace the usual ones. */
  readonly results = new Map<string, (params: readonly unknown[]) => unknown>();
  chain = "regtest";
  genesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
  ibd = false;
  connections = 8;
  headersAhead = 0;
  fees = 0;
  tip: FakeTip;

  constructor(deps: { readonly clock: Clock }, options: { readonly name: string; readonly height?: number }) {
    this.#clock = deps.clock;
    this.name = options.name;
    this.address = `http://${options.name}:8332/`;
    this.tip = this.#tipAt(options.height ?? 100, "0");
  }

  #tipAt(height: number, branch: string): FakeTip {
    const time = Math.floor(this.#clock.nowMs() / 1000);
    const work = (height * 2 + 2).toString(16).padStart(64, "0");
    return {
      hash: hashOf(`${branch}${height}`),
      height,
      time,
      mediantime: time - 10,
      bits: "207fffff",
      chainwork: work,
    };
  }

  /** Gives the node its next block, or the block at `height`; nodes agree on hashes unless `branch` differs. */
  newBlock(height = this.tip.height + 1, branch = "0"): string {
    this.tip = this.#tipAt(height, branch);
    for (const wake of [...this.#waiting]) wake();
    return this.tip.hash;
  }

  /** Ends all waiting calls with a broken connection, now and until `down` is cleared. */
  crash(): void {
    this.down = new Fault("node-refused", { node: this.name });
    for (const wake of [...this.#waiting]) wake();
  }

  /** How often `method` was called. */
  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** From now on `method` does not answer. */
  hold(method: string): void {
    this.held.set(method, []);
  }

  /** Lets calls of `method` answer, those that wait first. */
  release(method: string): void {
    const waiting = this.held.get(method) ?? [];
    this.held.delete(method);
    for (const go of waiting) go();
  }

  async call<S extends z.ZodType>(
    method: string,
    params: readonly unknown[],
    schema: S,
    options: CallOptions = {},
  ): Promise<z.output<S>> {
    this.calls.push({ method, params });
    options.signal?.throwIfAborted();
    await Promise.resolve();
    const held = this.held.get(method);
    if (held !== undefined) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(options.signal?.reason);
        held.push(() => {
          options.signal?.removeEventListener("abort", onAbort);
          resolve();
        });
        options.signal?.addEventListener("abort", onAbort, { once: true });
      });
    }
    const fault = this.down ?? this.failing.get(method);
    if (fault !== undefined) throw fault;
    const scripted = this.results.get(method);
    const result = scripted === undefined ? await this.#result(method, params, options) : await scripted(params);
    const checked = schema.safeParse(result);
    if (!checked.success) throw new Fault("node-answer-unexpected", { node: this.name, method });
    return checked.data;
  }

  close(): void {}

  async #result(method: string, params: readonly unknown[], { signal }: CallOptions): Promise<unknown> {
    const { tip } = this;
    switch (method) {
      case "getblockchaininfo":
        return {
          chain: this.chain,
          blocks: tip.height,
          headers: tip.height + this.headersAhead,
          bestblockhash: tip.hash,
          time: tip.time,
          initialblockdownload: this.ibd,
          chainwork: tip.chainwork,
        };
      case "getblockhash":
        return this.genesis;
      case "getnetworkinfo":
        return { version: 310100, subversion: "/Satoshi:31.1.0/", connections: this.connections };
      case "getbestblockhash":
        return tip.hash;
      case "getblockheader": {
        if (params[0] !== tip.hash) throw new Fault("node-rpc-error", { rpcCode: -5, says: "Block not found" });
        return tip;
      }
      case "waitfornewblock": {
        const [timeoutMs, known = tip.hash] = params as [number, string | undefined];
        if (this.tip.hash === known) await this.#change(timeoutMs, signal);
        if (this.down !== undefined) throw new Fault("node-disconnected", { node: this.name });
        return { hash: this.tip.hash, height: this.tip.height };
      }
      case "getblocktemplate": {
        const { longpollid } = (params[0] ?? {}) as { longpollid?: string };
        if (longpollid === this.tip.hash) await this.#change(600_000, signal);
        return this.template();
      }
      default:
        throw new Fault("node-method-unknown", { node: this.name, method });
    }
  }

  /** Resolves when the tip changed or the time is over. */
  async #change(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const done = new AbortController();
    const wake = (): void => done.abort();
    this.#waiting.add(wake);
    signal?.addEventListener("abort", wake, { once: true });
    await sleep(this.#clock, timeoutMs, done.signal).catch(() => undefined);
    signal?.removeEventListener("abort", wake);
    this.#waiting.delete(wake);
    signal?.throwIfAborted();
  }

  /** A template on the best block, without transactions. */
  template(): Record<string, unknown> {
    const { tip } = this;
    return {
      version: 0x20000000,
      rules: ["csv", "!segwit", "taproot"],
      previousblockhash: tip.hash,
      transactions: [],
      coinbaseaux: {},
      coinbasevalue: 5_000_000_000 + this.fees,
      longpollid: tip.hash,
      mintime: tip.mediantime + 1,
      sigoplimit: 80_000,
      sizelimit: 4_000_000,
      weightlimit: 4_000_000,
      curtime: Math.floor(this.#clock.nowMs() / 1000),
      bits: tip.bits,
      height: tip.height + 1,
      default_witness_commitment: "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9",
    };
  }
}

/** Files in memory that record what was done to them and can be told to fail. */
export class MemoryFiles implements Files {
  readonly texts = new Map<string, string>();
  readonly steps: string[] = [];
  /** Called before each step; may throw. */
  before: (step: string) => void = () => undefined;

  #step(step: string): void {
    this.before(step);
    this.steps.push(step);
  }

  async read(path: string, maxBytes: number): Promise<string> {
    this.#step(`read ${path}`);
    const text = this.texts.get(path);
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    if (text.length > maxBytes) throw new Error("too long");
    return text;
  }

  async writeSynced(path: string, text: string): Promise<void> {
    this.#step(`write ${path}`);
    this.texts.set(path, text);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step(`rename ${from} ${to}`);
    const text = this.texts.get(from);
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    this.texts.delete(from);
    this.texts.set(to, text);
  }

  async publish(from: string, to: string): Promise<void> {
    if (this.texts.has(to)) throw Object.assign(new Error("file exists"), { code: "EEXIST" });
    await this.rename(from, to);
  }

  async syncFolder(path: string): Promise<void> {
    this.#step(`sync ${path}`);
  }

  async makeFolder(path: string): Promise<void> {
    this.#step(`folder ${path}`);
  }

  async list(path: string): Promise<string[]> {
    this.#step(`list ${path}`);
    return [...this.texts.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1));
  }

  async remove(path: string): Promise<void> {
    this.#step(`remove ${path}`);
    this.texts.delete(path);
  }

  join(folder: string, name: string): string {
    return `${folder}/${name}`;
  }
}

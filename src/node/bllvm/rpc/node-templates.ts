/**
 * The bllvm node's own `getblocktemplate`, asked for over its JSON-RPC. The node loads its whole set of unspent outputs for each call
 * and again for each transaction (blvm-node `src/rpc/mining.rs`), so it may take long: nobody waits for more than a moment, one call
 * is under way at a time, a slow one is followed by a pause as long as it took, and an answer that comes late serves the next who
 * asks, if it is still about the tip.
 */
import { z } from "zod";
import type { Rpc } from "../../../daemon/rpc.ts";
import { toDisplayHex } from "../../../kernel/bytes.ts";
import { type Clock, sleep } from "../../../kernel/clock.ts";
import { describe, Fault } from "../../../kernel/fault.ts";
import { MAX_TEMPLATE_BYTES } from "../../bitcoind/tip-notices.ts";

/** What is used of the answer. Each entry of `transactions` is checked by itself (`candidate.ts`). */
const nodeTemplate = z.object({
  previousblockhash: z.string().regex(/^[0-9a-f]{64}$/),
  transactions: z.array(z.unknown()).max(100_000),
  coinbasevalue: z.int().min(0).optional(),
  bits: z.string().regex(/^[0-9a-f]{8}$/),
  target: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional(),
  height: z.int().min(0),
  signet_challenge: z.string().max(1000).optional(),
});

/** The node's template, and its height as `getblockcount` has it. */
export interface NodeTemplate {
  readonly answer: z.output<typeof nodeTemplate>;
  /** `undefined` when the node does not tell. */
  readonly blockCount: number | undefined;
}

/** Deadline of the call itself, ms. */
const CALL_TIMEOUT_MS = 120_000;

/** Ms after which a late answer is too old to be used: its transactions may have been replaced. */
const MAX_AGE_MS = 60_000;

interface Call {
  readonly answer: Promise<NodeTemplate | Fault>;
  readonly askedMs: number;
  /** Whether the answer is there. */
  readonly hasLanded: () => boolean;
}

/** Asks for templates. */
export class NodeTemplates {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #waitMs: number;
  #call: Call | undefined;
  #pauseUntilMs = 0;

  /** `waitMs`: how long one who asks waits. */
  constructor(deps: { readonly rpc: Rpc; readonly clock: Clock }, options: { readonly waitMs: number }) {
    this.#rpc = deps.rpc;
    this.#clock = deps.clock;
    this.#waitMs = options.waitMs;
  }

  /** A template on the block `prevHash` (internal byte order), or why there is none now. Asks twice if the first is about another block. */
  async on(prevHash: Uint8Array): Promise<NodeTemplate | Fault> {
    const wanted = toDisplayHex(prevHash);
    const startedMs = this.#clock.monotonicMs();
    let asked = 0;
    let named = "";
    while (asked < 2) {
      const call = this.#usable() ?? this.#begin();
      if (call === undefined) return this.#doubt("the node is slow at it, so it is asked seldom");
      // An answer to a question of before may be late rather than wrong, so it does not count.
      if (call.askedMs >= startedMs) asked += 1;
      const template = await this.#patiently(call, this.#waitMs - (this.#clock.monotonicMs() - startedMs));
      if (template === undefined) return this.#doubt(`it has not come after ${this.#waitMs / 1000} s`);
      if (this.#call === call) this.#call = undefined;
      if (template instanceof Fault && call.askedMs < startedMs) continue;
      if (template instanceof Fault) return template;
      if (template.answer.previousblockhash === wanted) return template;
      named = template.answer.previousblockhash;
    }
    return this.#doubt(`it builds on ${named}, but the tip is ${wanted}`);
  }

  /** The call that is under way, or one whose answer nobody has used and that is not too old. */
  #usable(): Call | undefined {
    const call = this.#call;
    if (call?.hasLanded() === true && this.#clock.monotonicMs() - call.askedMs > MAX_AGE_MS) return undefined;
    return call;
  }

  /** The fault that says why a template of the node is not used as it is. */
  #doubt(reason: string): Fault {
    return new Fault("bllvm-template-doubtful", { node: this.#rpc.name, reason });
  }

  #begin(): Call | undefined {
    if (this.#clock.monotonicMs() < this.#pauseUntilMs) return undefined;
    const limits = { timeoutMs: CALL_TIMEOUT_MS };
    const params = [{ rules: ["segwit"] }];
    const ask = async (): Promise<NodeTemplate> => {
      const counted = this.#rpc.call("getblockcount", [], z.int().min(0), limits).catch(() => undefined);
      const answer = await this.#rpc.call("getblocktemplate", params, nodeTemplate, {
        ...limits,
        maxBytes: MAX_TEMPLATE_BYTES,
      });
      return { answer, blockCount: await counted };
    };
    const askedMs = this.#clock.monotonicMs();
    let isThere = false;
    const answer = ask()
      .catch((error: unknown) => (error instanceof Fault ? error : this.#doubt(describe(error).slice(0, 200))))
      .finally(() => {
        isThere = true;
        const landedMs = this.#clock.monotonicMs();
        if (landedMs - askedMs > this.#waitMs) this.#pauseUntilMs = 2 * landedMs - askedMs;
      });
    const call = { answer, askedMs, hasLanded: () => isThere };
    this.#call = call;
    return call;
  }

  async #patiently(call: Call, waitMs: number): Promise<NodeTemplate | Fault | undefined> {
    const done = new AbortController();
    const late = sleep(this.#clock, Math.max(0, waitMs), done.signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([call.answer, late]);
    } finally {
      done.abort();
    }
  }
}

/**
 * Block templates on the bllvm node's tip, in the form of Bitcoin Core's `getblocktemplate`. What makes a block valid is computed
 * here from the node's headers: height, target, least time, subsidy, witness commitment. Only transactions and their fees are the
 * node's, and only those that can be mined without their witnesses (`choice.ts`). Whatever of the node's template is doubtful is
 * left out, at worst all of it: a block with its coinbase alone is valid, and worth more than one that is not.
 */
import { subsidy, witnessCommitmentScript, witnessRoot } from "../../../bitcoin/coinbase.ts";
import { leastTime } from "../../../bitcoin/retarget.ts";
import { targetFromCompact } from "../../../bitcoin/target.ts";
import { hasWitness } from "../../../bitcoin/transaction.ts";
import { equal, toHex } from "../../../kernel/bytes.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { describe, Fault } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { BllvmChain, ChainTip } from "./chain.ts";
import { type Choice, chooseTransactions } from "./choice.ts";
import type { NextTarget } from "./next-target.ts";
import type { NodeTemplate, NodeTemplates } from "./node-templates.ts";

/** BIP9's top bits, no deployment signalled. The node's own templates have version 1, which the network refuses (BIP34, 65, 66). */
const BLOCK_VERSION = 0x20000000;

/** A signet with this challenge (OP_TRUE) takes unsigned blocks. */
const OPEN_SIGNET_CHALLENGE = "51";

/** What `Templates` needs. */
export interface TemplatesDeps {
  readonly chain: BllvmChain;
  readonly nextTarget: NextTarget;
  /** The node's own templates; `undefined` without its JSON-RPC. */
  readonly nodeTemplates: NodeTemplates | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often a tip is taken anew when it moves while the node makes its template. */
const MAX_TIPS = 3;

const NOTHING: Choice = { chosen: [], fees: 0n, omitted: {}, isBlind: false };

/** Makes templates. */
export class Templates {
  readonly #deps: TemplatesDeps;
  readonly #name: string;
  readonly #said = new Set<string>();

  /** `name`: the node's, for messages. */
  constructor(deps: TemplatesDeps, options: { readonly name: string }) {
    this.#deps = deps;
    this.#name = options.name;
  }

  /**
   * The answer to `getblocktemplate`. Throws `Fault("bllvm-target-disputed")`, `Fault("node-signet")`, and what reading the tip throws.
   */
  async make(): Promise<unknown> {
    const { chain, nodeTemplates } = this.#deps;
    let tip = await chain.tip();
    if (nodeTemplates === undefined) {
      this.#say(new Fault("bllvm-coinbase-only", { node: this.#name }));
      return this.#compose(tip, undefined);
    }
    let theirs = await nodeTemplates.on(tip.hash);
    for (let tips = 1; tips < MAX_TIPS; tips++) {
      const now = await chain.tip();
      if (equal(now.hash, tip.hash)) break;
      tip = now;
      theirs = await nodeTemplates.on(tip.hash);
    }
    if (!(theirs instanceof Fault)) return this.#compose(tip, theirs);
    this.#say(theirs);
    return this.#compose(tip, undefined);
  }

  async #compose(tip: ChainTip, theirs: NodeTemplate | undefined): Promise<unknown> {
    const { clock, nextTarget } = this.#deps;
    const { network } = tip;
    const height = tip.height + 1;
    const challenge = theirs?.answer.signet_challenge;
    if (network.name === "signet" && challenge !== OPEN_SIGNET_CHALLENGE) {
      throw new Fault("node-signet", { node: this.#name, challenge: challenge?.slice(0, 20) ?? "not told" });
    }
    const mintime = leastTime(height, { medianTime: tip.medianTime, time: tip.header.timestamp });
    const curtime = Math.max(mintime, Math.floor(clock.nowMs() / 1000));
    const nBits = await nextTarget.after(tip, curtime);
    const own = subsidy(height, network.halvingInterval);
    const { choice, subsidySat } =
      theirs === undefined ? { choice: NOTHING, subsidySat: own } : this.#take(tip, nBits, own, theirs);
    return {
      version: BLOCK_VERSION,
      rules: ["csv", "segwit", "taproot"],
      previousblockhash: tip.key,
      transactions: choice.chosen.map(({ raw, txid, wtxid, fee, sigopsCost, weight }) => ({
        data: Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString("hex"),
        txid,
        hash: wtxid,
        fee: Number(fee),
        sigops: sigopsCost,
        weight,
      })),
      coinbaseaux: {},
      coinbasevalue: Number(subsidySat + choice.fees),
      target: targetFromCompact(nBits).toString(16).padStart(64, "0"),
      mintime,
      curtime,
      bits: nBits.toString(16).padStart(8, "0"),
      height,
      sigoplimit: 80_000,
      sizelimit: 4_000_000,
      weightlimit: 4_000_000,
      ...(choice.chosen.some(({ tx }) => hasWitness(tx)) ? { default_witness_commitment: commitmentOf(choice) } : {}),
      ...(challenge === undefined ? {} : { signet_challenge: challenge }),
    };
  }

  /** What can be used of the node's template. Throws `Fault("bllvm-target-disputed")`. */
  #take(
    tip: ChainTip,
    nBits: number,
    own: bigint,
    theirs: NodeTemplate,
  ): { readonly choice: Choice; readonly subsidySat: bigint } {
    const { answer } = theirs;
    const nothing = { choice: NOTHING, subsidySat: own };
    const height = tip.height + 1;
    const wrongHeight = this.#checkHeights(tip, theirs);
    if (wrongHeight !== undefined) {
      this.#say(wrongHeight);
      return nothing;
    }
    const target = answer.target === undefined ? undefined : BigInt(`0x${answer.target}`);
    const agreement = this.#deps.nextTarget.compare(tip, nBits, { nBits: Number.parseInt(answer.bits, 16), target });
    const choice = chooseTransactions(answer.transactions, { height, medianTime: tip.medianTime });
    if (choice.isBlind) {
      this.#doubt("a transaction in it cannot be read or named, so what spends from it cannot be told");
      return nothing;
    }
    const named = namedSubsidy(answer);
    if (named !== undefined && named < own) {
      this.#doubt(
        `its coinbasevalue without the fees, ${named} sat, is less than the subsidy of ${own} sat; the smaller one is taken`,
      );
      return { choice, subsidySat: named < 0n ? 0n : named };
    }
    if (named !== undefined && named > own) {
      this.#doubt(
        `its coinbasevalue without the fees, ${named} sat, is more than the subsidy of ${own} sat, which is taken`,
      );
    } else if (agreement === "known") {
      this.#doubt(
        "its bits are a quarter of the tip's target, as this node computes them at every block; the right ones are taken",
      );
    } else {
      this.#said.clear();
    }
    return { choice, subsidySat: own };
  }

  /** The node counts blocks where Core tells heights: one less is known, anything else is not. */
  #checkHeights(tip: ChainTip, { answer, blockCount }: NodeTemplate): Fault | undefined {
    const isNear = (number: number, height: number): boolean => number === height || number === height - 1;
    const height = tip.height + 1;
    if (isNear(answer.height, height) && (blockCount === undefined || isNear(blockCount, tip.height))) return undefined;
    return new Fault("bllvm-height-disputed", {
      node: this.#name,
      tip: tip.key,
      coinbaseHeight: tip.height,
      templateHeight: answer.height,
      getblockcount: blockCount,
    });
  }

  #doubt(reason: string): void {
    this.#say(new Fault("bllvm-template-doubtful", { node: this.#name, reason }));
  }

  /** Says what is wrong, once until all was well. */
  #say(fault: Fault): void {
    const kind = `${fault.code} ${String(fault.data.reason ?? "").replaceAll(/[0-9a-f]{64}|\d+/g, "#")}`;
    if (this.#said.has(kind)) return;
    this.#said.add(kind);
    this.#deps.log.warn(`${describe(fault)}. ${fault.help}`, { error: fault });
  }
}

/** The script that commits to the witnesses of the chosen transactions (BIP141), hex. */
function commitmentOf({ chosen }: Choice): string {
  const zeros = new Uint8Array(32);
  return toHex(witnessCommitmentScript(witnessRoot([zeros, ...chosen.map(({ witnessHash }) => witnessHash)]), zeros));
}

/** The subsidy that a template comes to, sat; `undefined` when it does not say all of its fees. */
function namedSubsidy(answer: NodeTemplate["answer"]): bigint | undefined {
  if (answer.coinbasevalue === undefined) return undefined;
  let left = BigInt(answer.coinbasevalue);
  for (const entry of answer.transactions) {
    const fee = typeof entry === "object" && entry !== null && "fee" in entry ? entry.fee : undefined;
    if (typeof fee !== "number" || !Number.isSafeInteger(fee)) return undefined;
    left -= BigInt(fee);
  }
  return left;
}

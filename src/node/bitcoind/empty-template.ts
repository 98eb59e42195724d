/**
 * A template without transactions on a block whose header is known, for the time until the node has chosen transactions
 * for the next one. The node has already checked and connected that block (both the ZMQ notice and `waitfornewblock` come
 * after that), so unlike "SPY mining" nothing is taken on trust.
 */
import { heightPush, subsidy, witnessCommitmentScript } from "../../bitcoin/coinbase.ts";
import { NETWORKS, type NetworkName } from "../../bitcoin/network.ts";
import { leastTime, RETARGET_INTERVAL } from "../../bitcoin/retarget.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { fromDisplayHex } from "../../kernel/bytes.ts";
import type { Template } from "../../mining/template.ts";
import type { BlockHeaderAnswer } from "./answers.ts";
import {
  COINBASE_SEQUENCE,
  COINBASE_VERSION,
  coinbaseRoom,
  type TemplateOrigin,
  WITNESS_RESERVED_VALUE,
} from "./block-template.ts";

/**
 * Where the compact target of the block after `tip` comes from: `same` as the tip's, `ask` the node (`getmininginfo`),
 * which applies the retarget rules, or `wait` for the full template, because it depends on the new block's own time (the
 * test networks' 20-minute rule).
 */
export function nextBitsRule(tipHeight: number, network: NetworkName): "same" | "ask" | "wait" {
  if (network === "testnet" || network === "testnet4") return "wait";
  // Regtest never retargets.
  if (network === "regtest") return "same";
  return (tipHeight + 1) % RETARGET_INTERVAL === 0 ? "ask" : "same";
}

/** What is known about the block to build on, and what the last template of the node told. */
export interface EmptyTemplateFacts {
  readonly tip: BlockHeaderAnswer;
  /** Compact target of the next block, u32. */
  readonly nBits: number;
  readonly network: NetworkName;
  /** Wall time at the node, Unix seconds. */
  readonly nowS: number;
  /** The node's last template: its version bits are kept, and a witness commitment is made if it had one. */
  readonly last: Template;
}

/** The empty template on top of `facts.tip`. */
export function emptyTemplate(facts: EmptyTemplateFacts, origin: TemplateOrigin): Template {
  const { tip, network, last } = facts;
  const height = tip.height + 1;
  const minTime = leastTime(height, { medianTime: tip.mediantime, time: tip.time });
  // The witness root of a block with nothing but the coinbase is its one leaf, zeros.
  const commitment = { value: 0n, script: witnessCommitmentScript(new Uint8Array(32), WITNESS_RESERVED_VALUE) };
  const committed = last.coinbase.witness.length > 0;
  const outputs = committed ? [commitment] : [];
  return Object.freeze({
    id: origin.id,
    source: origin.source,
    prevHash: fromDisplayHex(tip.hash),
    height,
    version: last.version,
    nBits: facts.nBits,
    target: targetFromCompact(facts.nBits),
    minTime,
    curTime: Math.max(minTime, facts.nowS),
    coinbaseValue: subsidy(height, NETWORKS[network].halvingInterval),
    coinbase: Object.freeze({
      txVersion: COINBASE_VERSION,
      prefix: heightPush(height),
      sequence: COINBASE_SEQUENCE,
      lockTime: tip.height,
      outputs: Object.freeze(outputs),
      witness: committed ? [WITNESS_RESERVED_VALUE] : [],
    }),
    merklePath: [],
    transactions: [],
    wtxids: [],
    fees: [],
    transactionCount: 1,
    coinbaseRoom: coinbaseRoom({ rules: committed ? ["segwit"] : [], transactions: [] }, [], outputs),
  });
}

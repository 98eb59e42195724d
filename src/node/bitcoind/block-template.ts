/**
 * From a `getblocktemplate` answer (BIP22, BIP23, BIP9, BIP145) to a `Template`.
 *
 * BIP22 leaves the coinbase's version, sequence and lock time to the miner. This server writes them as Bitcoin Core and
 * BIP54 do: sequence 0xfffffffe and lock time height − 1. The lock time is in the past of its own block, so the coinbase is
 * final under every network's rules; where BIP54 is in force it is required, elsewhere it means nothing.
 */
import { heightPush, witnessCommitmentScript, witnessRoot } from "../../bitcoin/coinbase.ts";
import { merklePathOfFirst } from "../../bitcoin/merkle.ts";
import type { NetworkName } from "../../bitcoin/network.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { outputSize, type TxOutput } from "../../bitcoin/transaction.ts";
import { concat, fromDisplayHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Template } from "../../mining/template.ts";
import type { BlockTemplateAnswer } from "./answers.ts";

/** Names a template and the node that it came from. */
export interface TemplateOrigin {
  /** `Template.id`. */
  readonly id: string;
  /** `Template.source`. */
  readonly source: string;
  /** The node's name, for messages. */
  readonly node: string;
}

/** Coinbase transactions have version 2, as Core's. */
export const COINBASE_VERSION = 2;
/** Not final by itself, so that the lock time counts (BIP54). */
export const COINBASE_SEQUENCE = 0xfffffffe;
/** The coinbase's witness (BIP141): the reserved value that the default commitment is made with. */
export const WITNESS_RESERVED_VALUE = new Uint8Array(32);
/** `Template.coinbase.prefix` is limited by SV2's NewTemplate and leaves room for tags and extranonce. */
const MAX_PREFIX = 8;

/** Rules that need nothing beyond what this server does, or that concern transactions only, which the node chose. */
const KNOWN_RULES = new Set(["csv", "segwit", "taproot", "signet"]);
/** A signet with this challenge (OP_TRUE) takes unsigned blocks. */
const OPEN_SIGNET_CHALLENGE = "51";

/** The parameter of `getblocktemplate` for `network`. */
export function templateRequest(network: NetworkName): { readonly rules: string[]; readonly capabilities: string[] } {
  // Core refuses the call on signet unless the client claims to know its rules; the challenge is looked at afterwards.
  const rules = network === "signet" ? ["segwit", "signet"] : ["segwit"];
  return { rules, capabilities: ["coinbasevalue", "longpoll"] };
}

/** The better fault for Core's refusals to give a template at all; every other error comes back as it is. */
export function templateRefusal(error: unknown): unknown {
  if (!(error instanceof Fault) || error.code !== "node-rpc-error" || error.data.rpcCode !== -8) return error;
  const { node, says } = error.data;
  if (/signet rule set/i.test(String(says))) return new Fault("node-signet", { node });
  const rule = /Support for '(.+)' rule requires explicit client support/.exec(String(says))?.[1];
  return rule === undefined ? error : new Fault("node-rule-unknown", { node, rule });
}

/**
 * Makes the template. Throws `Fault` `node-rule-unknown`, `node-signet`, or `node-template-unusable` with the reason in
 * words.
 */
export function templateOfAnswer(answer: BlockTemplateAnswer, origin: TemplateOrigin): Template {
  const { node } = origin;
  const unusable = (reason: string): Fault => new Fault("node-template-unusable", { node, reason });
  const unknown = answer.rules.find((rule) => rule.startsWith("!") && !KNOWN_RULES.has(rule.slice(1)));
  if (unknown !== undefined) throw new Fault("node-rule-unknown", { node, rule: unknown.slice(1) });
  if (answer.signet_challenge !== undefined && answer.signet_challenge !== OPEN_SIGNET_CHALLENGE) {
    throw new Fault("node-signet", { node, challenge: answer.signet_challenge.slice(0, 20) });
  }
  if (answer.coinbasevalue === undefined) throw unusable("it has no coinbasevalue: the server wants its own coinbase");

  const nBits = Number.parseInt(answer.bits, 16);
  const target = targetFromCompact(nBits);
  if (answer.target !== undefined && BigInt(`0x${answer.target}`) !== target) throw unusable("bits and target differ");

  const transactions = answer.transactions.map(({ data }, index) => {
    const raw = bytesOfHex(data);
    if (raw === undefined) throw unusable(`the data of transaction ${index} is not hex`);
    return raw;
  });
  const txids = answer.transactions.map((tx) => hashOfHex(tx.txid ?? tx.hash));
  const commitment = witnessCommitment(answer);
  const outputs: TxOutput[] = commitment === undefined ? [] : [{ value: 0n, script: commitment }];
  const minTime = answer.mintime ?? answer.curtime;

  return Object.freeze({
    id: origin.id,
    source: origin.source,
    prevHash: fromDisplayHex(answer.previousblockhash),
    height: answer.height,
    version: answer.version >>> 0,
    nBits,
    target,
    minTime,
    curTime: Math.max(answer.curtime, minTime),
    coinbaseValue: BigInt(answer.coinbasevalue),
    coinbase: Object.freeze({
      txVersion: COINBASE_VERSION,
      prefix: coinbasePrefix(answer),
      sequence: COINBASE_SEQUENCE,
      lockTime: Math.max(0, answer.height - 1),
      outputs: Object.freeze(outputs),
      witness: commitment === undefined ? [] : [WITNESS_RESERVED_VALUE],
    }),
    merklePath: Object.freeze(merklePathOfFirst(txids)),
    transactions: Object.freeze(transactions),
    wtxids: Object.freeze(answer.transactions.map((tx) => hashOfHex(tx.hash))),
    ...feesOf(answer),
    transactionCount: transactions.length + 1,
    coinbaseRoom: coinbaseRoom(answer, transactions, outputs),
  });
}

/** Height push, then what `coinbaseaux` asks for as far as it fits: BIP22 says "should", and Core sends nothing. */
function coinbasePrefix(answer: BlockTemplateAnswer): Uint8Array {
  let prefix = heightPush(answer.height);
  for (const value of Object.values(answer.coinbaseaux)) {
    const data = typeof value === "string" ? bytesOfHex(value) : undefined;
    if (data !== undefined && prefix.length + data.length <= MAX_PREFIX) prefix = concat(prefix, data);
  }
  return prefix;
}

/** What each transaction pays; BIP22 lets a server leave it out. */
function feesOf({ transactions }: BlockTemplateAnswer): Pick<Template, "fees"> {
  const fees = transactions.flatMap(({ fee }) => (fee === undefined ? [] : [BigInt(fee)]));
  return fees.length === transactions.length ? { fees: Object.freeze(fees) } : {};
}

/** The commitment script to use: the server's, or one of our own when only transactions with witness demand it. */
function witnessCommitment(answer: BlockTemplateAnswer): Uint8Array | undefined {
  const given = answer.default_witness_commitment;
  if (given !== undefined) return bytesOfHex(given);
  if (answer.transactions.every((tx) => tx.txid === undefined || tx.txid === tx.hash)) return undefined;
  const wtxids = answer.transactions.map((tx) => hashOfHex(tx.hash));
  return witnessCommitmentScript(witnessRoot([WITNESS_RESERVED_VALUE, ...wtxids]), WITNESS_RESERVED_VALUE);
}

const WITNESS_SCALE = 4;
const MAX_BLOCK_WEIGHT = 4_000_000;
const MAX_BLOCK_SIGOPS_COST = 80_000;
/** Version, counts, outpoint, a scriptSig of 100 bytes with its length, sequence and lock time. */
const COINBASE_BASE_SIZE = 4 + 1 + 36 + 1 + 100 + 4 + 3 + 4;
/** Marker and flag, and a stack of one item of 32 bytes. */
const COINBASE_WITNESS_SIZE = 2 + 1 + 1 + 32;
const HEADER_AND_COUNT_SIZE = 80 + 5;

/** What of an answer says how full the block is. */
type Fullness = Pick<BlockTemplateAnswer, "rules" | "transactions" | "weightlimit" | "sizelimit" | "sigoplimit">;

/**
 * What is left of the block for outputs of ours beside `outputs`. Before segwit the limits are in bytes and sigops, after
 * it in weight and sigop cost, which count everything in the coinbase but its witness four times.
 */
export function coinbaseRoom(
  answer: Fullness,
  transactions: readonly Uint8Array[],
  outputs: readonly TxOutput[],
): { readonly bytes: number; readonly sigops: number } {
  const weighed = answer.weightlimit !== undefined || answer.rules.some((rule) => /^!?segwit$/.test(rule));
  const scale = weighed ? WITNESS_SCALE : 1;
  const limit = weighed
    ? (answer.weightlimit ?? MAX_BLOCK_WEIGHT)
    : (answer.sizelimit ?? MAX_BLOCK_WEIGHT / WITNESS_SCALE);
  let used = scale * (HEADER_AND_COUNT_SIZE + COINBASE_BASE_SIZE + outputs.reduce((sum, o) => sum + outputSize(o), 0));
  if (outputs.length > 0) used += COINBASE_WITNESS_SIZE;
  let sigops = answer.sigoplimit ?? MAX_BLOCK_SIGOPS_COST / (weighed ? 1 : WITNESS_SCALE);
  answer.transactions.forEach((tx, index) => {
    const size = transactions[index]?.length ?? 0;
    // A server that does not tell the weight is taken at the most that the size can weigh.
    used += weighed ? (tx.weight ?? WITNESS_SCALE * size) : size;
    sigops -= tx.sigops ?? 0;
  });
  return Object.freeze({
    bytes: Math.max(0, Math.floor((limit - used) / scale)),
    sigops: Math.max(0, Math.floor(sigops / scale)),
  });
}

/**
 * The bytes of `hex`, `undefined` when it is not hex or empty. A block has megabytes of it, so Node's decoder is used; it
 * stops at the first wrong digit, which the length shows.
 */
export function bytesOfHex(hex: string): Uint8Array | undefined {
  const buffer = Buffer.from(hex, "hex");
  if (buffer.length === 0 || buffer.length * 2 !== hex.length) return undefined;
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** A hash of 64 checked digits in internal byte order; a template has thousands. */
function hashOfHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex").reverse());
}

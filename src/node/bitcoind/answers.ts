/**
 * The forms of a node's answers, as far as they are used. Members that are not named here may come and go with the node's
 * version; those that older nodes or other implementations leave out are optional.
 */
import { z } from "zod";

const hash = z.string().regex(/^[0-9a-f]{64}$/, "a hash of 64 hex digits");
const compact = z.string().regex(/^[0-9a-f]{8}$/, "a compact target of 8 hex digits");
const count = z.int().min(0);

/** `getblockhash`, `getbestblockhash`: display-order hex. */
export const blockHash = hash;

/** `getblockchaininfo`. */
export const blockchainInfo = z.object({
  /** Core's name of the network: main, test, testnet4, signet, regtest. */
  chain: z.string(),
  /** Height of the best block. */
  blocks: count,
  /** Height of the best header, at least `blocks`. */
  headers: count,
  bestblockhash: hash,
  /** Time of the best block's header, Unix seconds; since Core 22. */
  time: count.optional(),
  initialblockdownload: z.boolean().default(false),
  /** Expected hashes of the chain, 64 hex digits. */
  chainwork: hash.optional(),
});

/** `getnetworkinfo`. */
export const networkInfo = z.object({
  /** E.g. 310100 for 31.1. */
  version: count,
  /** E.g. `/Satoshi:31.1.0/`. */
  subversion: z.string(),
  /** Left out where a node does not tell. */
  connections: count.optional(),
});

/** `getblockheader`, verbose. */
export const blockHeader = z.object({
  hash,
  height: count,
  bits: compact,
  time: count,
  /** Median time of the block and the ten before it: the next header's time must be greater (BIP113). */
  mediantime: count,
  chainwork: hash.optional(),
});

/** `getblockheader`, verbose. */
export type BlockHeaderAnswer = z.output<typeof blockHeader>;

/** `getblockheader`, verbose, as far as it says where a block stands: -1 for one beside the best chain. */
export const blockPlace = z.object({ confirmations: z.int() });

/** `getmininginfo`: the next block's compact target, with the retarget rules applied; since Core 29. */
export const miningInfo = z.object({ next: z.object({ height: count, bits: compact }).optional() });

/** `waitfornewblock`: the tip, new or not. */
export const newBlock = z.object({ hash, height: count });

/** `submitblock`: null, or a reason in BIP22's words. */
export const submitAnswer = z.string().nullable();

/** `validateaddress`. */
export const addressInfo = z.object({ isvalid: z.boolean(), scriptPubKey: z.string().optional() });

/** `getblocktemplate` (BIP22, BIP23, BIP9, BIP145). */
export const blockTemplate = z.object({
  version: z.int(),
  /** Consensus rules in force; one that begins with `!` must be understood (BIP9). */
  rules: z.array(z.string()).default([]),
  previousblockhash: hash,
  transactions: z
    .array(
      z.object({
        data: z.string(),
        /** Without witness; since BIP145. */
        txid: hash.optional(),
        /** With witness (BIP145), else the txid. */
        hash,
        /** Sat. */
        fee: count.optional(),
        sigops: count.optional(),
        weight: count.optional(),
      }),
    )
    .max(100_000),
  coinbaseaux: z.record(z.string(), z.unknown()).default({}),
  /** Sat; absent when the server wants its own coinbase (`coinbasetxn`) used. */
  coinbasevalue: count.optional(),
  longpollid: z.string().max(1000).optional(),
  target: hash.optional(),
  mintime: count.optional(),
  sigoplimit: count.optional(),
  sizelimit: count.optional(),
  weightlimit: count.optional(),
  curtime: count,
  bits: compact,
  height: count.max(0x7fff_ffff),
  default_witness_commitment: z
    .string()
    .regex(/^([0-9a-f]{2}){38,}$/, "a script in hex")
    .optional(),
  signet_challenge: z.string().optional(),
});

/** A `getblocktemplate` answer. */
export type BlockTemplateAnswer = z.output<typeof blockTemplate>;

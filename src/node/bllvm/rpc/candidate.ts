/**
 * One transaction of the bllvm node's template, read with care: the node's `data` is what counts, and what is said about it
 * must fit it. Anything odd is a reason to leave it out, never one to give up the template.
 */
import { z } from "zod";
import { sha256d } from "../../../bitcoin/hash.ts";
import {
  hasWitness,
  isCoinbase,
  parseTransaction,
  serializeTransaction,
  type Transaction,
  weight,
} from "../../../bitcoin/transaction.ts";
import { equal, reversed, toDisplayHex, toHex } from "../../../kernel/bytes.ts";
import { bytesOfHex } from "../../bitcoind/block-template.ts";
import { mayLackWitness, mostSigopsCost } from "./needs-witness.ts";

/** All coins there will ever be, sat. */
const MAX_MONEY = 2_100_000_000_000_000n;

/** Lock times below are heights, others Unix seconds. */
const LOCK_TIME_THRESHOLD = 500_000_000;

/** Where the block stands that transactions are wanted for. */
export interface BlockPlace {
  readonly height: number;
  /** Median time of its parent and the ten blocks before, Unix seconds. */
  readonly medianTime: number;
}

/** A transaction that may go into the block if those that it spends from do. */
export interface Candidate {
  readonly tx: Transaction;
  readonly raw: Uint8Array;
  /** Display-order hex. */
  readonly txid: string;
  /** With witness, display-order hex. */
  readonly wtxid: string;
  /** `Uint8Array(32)`, internal byte order; equals the txid without witness. */
  readonly witnessHash: Uint8Array;
  /** Sat, as the node says. */
  readonly fee: bigint;
  readonly weight: number;
  /** What its signature operations cost at most. */
  readonly sigopsCost: number;
}

/** Why a transaction is left out. Those of `unread` are known by nothing but what the node calls them. */
export type Omission = "unread" | "witness" | "malformed" | "not final" | "fee";

/** What became of an entry: `ids` are the txids (display-order hex) that it may have, so that nothing is built on it. */
export type Reading =
  | { readonly candidate: Candidate }
  | { readonly omitted: Omission; readonly ids: readonly string[] | undefined };

const entry = z.object({
  data: z.string(),
  txid: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  fee: z.int().min(0).optional(),
});

/** Reads `value`, an entry of `transactions`. `ids` is `undefined` when nothing tells which transaction it was. */
export function readCandidate(value: unknown, place: BlockPlace): Reading {
  const named = namedIds(value);
  const parsed = entry.safeParse(value);
  if (!parsed.success) return { omitted: "unread", ids: named };
  const raw = bytesOfHex(parsed.data.data);
  const read = raw === undefined ? undefined : readTransaction(raw);
  if (raw === undefined || read === undefined) return { omitted: "unread", ids: named };
  const { tx, txid } = read;
  // The node names its transactions in internal byte order; a repaired one may do it in display order.
  if (named !== undefined && !named.includes(txid)) return { omitted: "unread", ids: [...named, txid] };
  const omit = (omitted: Omission): Reading => ({ omitted, ids: [txid] });
  if (!isSound(tx)) return omit("malformed");
  if (mayLackWitness(tx)) return omit("witness");
  if (!isFinal(tx, place)) return omit("not final");
  const fee = BigInt(parsed.data.fee ?? -1);
  if (fee < 0n || fee > MAX_MONEY) return omit("fee");
  const witnessHash = sha256d(raw);
  return {
    candidate: {
      tx,
      raw,
      txid,
      wtxid: toDisplayHex(witnessHash),
      witnessHash,
      fee,
      weight: weight(tx),
      sigopsCost: mostSigopsCost(tx),
    },
  };
}

/** The txids that an entry may be named by, in display order: as it stands and turned. */
function namedIds(value: unknown): readonly string[] | undefined {
  const named = z.object({ txid: z.string().regex(/^[0-9a-f]{64}$/) }).safeParse(value);
  if (!named.success) return undefined;
  const { txid } = named.data;
  return [txid, toHex(reversed(Buffer.from(txid, "hex")))];
}

function readTransaction(raw: Uint8Array): { readonly tx: Transaction; readonly txid: string } | undefined {
  try {
    const tx = parseTransaction(raw);
    const stripped = serializeTransaction(tx, { witness: false });
    // Bytes that do not come back are not canonical, and the block would have another transaction than its merkle root.
    const again = hasWitness(tx) ? serializeTransaction(tx, { witness: true }) : stripped;
    return equal(again, raw) ? { tx, txid: toDisplayHex(sha256d(stripped)) } : undefined;
  } catch {
    return undefined;
  }
}

/** Core's `CheckTransaction`: what needs no other transaction. */
function isSound(tx: Transaction): boolean {
  if (tx.inputs.length === 0 || tx.outputs.length === 0 || isCoinbase(tx)) return false;
  let total = 0n;
  for (const { value } of tx.outputs) {
    total += value;
    if (value > MAX_MONEY || total > MAX_MONEY) return false;
  }
  if (new Set(tx.inputs.map(outpointOf)).size < tx.inputs.length) return false;
  return !tx.inputs.some(({ prevHash, prevIndex }) => prevIndex === 0xffffffff && prevHash.every((byte) => byte === 0));
}

/** `txid:index` of the output that `input` spends, txid in display order. */
export function outpointOf(input: { readonly prevHash: Uint8Array; readonly prevIndex: number }): string {
  return `${toDisplayHex(input.prevHash)}:${input.prevIndex}`;
}

/** Whether a block at `place` may contain `tx` (lock time, BIP113). Relative lock times (BIP68) need the coins: the node knows. */
function isFinal(tx: Transaction, { height, medianTime }: BlockPlace): boolean {
  if (tx.lockTime === 0 || tx.lockTime < (tx.lockTime < LOCK_TIME_THRESHOLD ? height : medianTime)) return true;
  return tx.inputs.every(({ sequence }) => sequence === 0xffffffff);
}

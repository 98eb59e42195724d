/**
 * What AuxPoW daemons answer, read with the leniency that their differences ask for and no more: recorded answers stand in
 * test/vectors/daemon-rpc.json, the differences in the profiles.
 */
import { z } from "zod";
import { opReturn, scriptOps } from "../../bitcoin/script.ts";
import { targetFromBytes, targetFromCompact } from "../../bitcoin/target.ts";
import { equal, fromHex, reversed, toHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { AuxWork } from "../../mining/aux.ts";
import type { AuxPowProfile } from "./profile.ts";

const hash = z.string().regex(/^[0-9a-fA-F]{64}$/, "a hash of 64 hex digits");

/** `createauxblock`, `getauxblock` without parameters. */
export const auxBlock = z.looseObject({
  hash,
  chainid: z.int().optional(),
  previousblockhash: hash.optional(),
  coinbasevalue: z.union([z.number().min(0), z.string().regex(/^\d{1,30}$/, "an amount in base units")]).nullish(),
  /** Hex without a prefix; Elastos.ELA leaves out leading zeros. */
  bits: z
    .string()
    .regex(/^[0-9a-fA-F]{1,8}$/, "a compact target of up to 8 hex digits")
    .optional(),
  height: z.int().min(0).max(0x7fff_ffff).optional(),
  _target: hash.optional(),
  target: hash.optional(),
});

/** An answer of those calls. */
export type AuxBlockAnswer = z.output<typeof auxBlock>;

/** `getbestblockhash`, `getblockhash`. */
export const blockHash = hash;
/** `getblockcount`. */
export const blockCount = z.int().min(0).max(0x7fff_ffff);
/** `getblockchaininfo`, `getmininginfo`. */
export const networkState = z.object({
  chain: z.string().max(100).optional(),
  initialblockdownload: z.boolean().optional(),
});

/** What `getblockheader` and `getblock` say of a block's place. */
export const blockPlace = z.object({
  confirmations: z.int(),
  height: z.int().min(0).optional(),
});

const output = z.object({ value: z.union([z.number().min(0), z.string().max(40)]) });
const transaction = z.object({ vout: z.array(output).max(100_000) });
/** `getrawtransaction`, verbose. */
export const rawTransaction = transaction;
/** `getblock`: its first transaction whole, or its txid from daemons that know no verbosity 2. */
export const blockWithCoinbase = blockPlace.extend({
  tx: z.tuple([z.union([transaction, z.string().max(64)])], z.unknown()),
});

/** What is known besides an answer. */
export interface WorkContext {
  readonly profile: AuxPowProfile;
  readonly chainId: number;
  /** The daemon that answered. */
  readonly daemon: string;
  /** The best block and the height of the next, for daemons that do not tell them with the work. */
  readonly tip?: { readonly hash: string; readonly height: number };
}

/** The work in an answer. Throws a `Fault` that says what is wrong with it. */
export function readWork(answer: AuxBlockAnswer, context: WorkContext): AuxWork {
  const { profile, chainId, daemon, tip } = context;
  if (answer.chainid !== undefined && answer.chainid !== chainId) {
    throw new Fault("aux-chain-id-differs", { node: daemon, daemons: answer.chainid, configured: chainId });
  }
  const parent = answer.previousblockhash ?? tip?.hash;
  const height = answer.height === undefined ? tip?.height : answer.height + profile.heightOffset;
  if (parent === undefined || height === undefined) {
    const place = parent === undefined ? "previousblockhash" : "height";
    throw new Fault("node-answer-unexpected", { node: daemon, method: profile.method, place });
  }
  const details: Record<string, string> = { daemon };
  const { extraOutput } = profile;
  if (extraOutput !== undefined) {
    const { key, forbid } = extraOutput;
    const script = answer[key];
    const reason = scriptFlaw(script, forbid);
    if (reason !== undefined) throw new Fault("aux-extra-output", { node: daemon, key, reason });
    details[key] = String(script);
  }
  const { coinbasevalue } = answer;
  return {
    id: answer.hash,
    hash: fromHex(answer.hash),
    parent,
    height,
    target: targetOf(answer, profile, daemon),
    value: exactValue(coinbasevalue),
    details,
  };
}

/** A value is no condition for work: one that JSON's numbers do not hold exactly (above 2^53) is not known. */
function exactValue(told: AuxBlockAnswer["coinbasevalue"]): bigint | undefined {
  if (told === undefined || told === null) return undefined;
  return typeof told === "string" || Number.isSafeInteger(told) ? BigInt(told) : undefined;
}

/**
 * Why `script` is none that Bitcoin's coinbase may have, `undefined` when it may: only OP_RETURN and pushes. Anything else might count as signature
 * operations of the block, and a block with too many is lost.
 */
function scriptFlaw(script: unknown, mark: Uint8Array): string | undefined {
  if (script === undefined) return "the key is missing";
  if (typeof script !== "string" || !/^([0-9a-fA-F]{2}){1,100}$/.test(script)) return "no hex of 1 to 100 bytes";
  const bytes = fromHex(script);
  const pushes = [...scriptOps(bytes)].flatMap(({ data }) => (data === undefined ? [] : [data]));
  if (!equal(opReturn(...pushes), bytes)) return "not OP_RETURN and pushes";
  return Buffer.from(bytes).includes(Buffer.from(mark))
    ? undefined
    : "the bytes are not in it that tell it from other outputs";
}

function targetOf(answer: AuxBlockAnswer, profile: AuxPowProfile, daemon: string): bigint {
  // Namecoin spells it `_target` since 2014 because it is deprecated, others kept `target`.
  const named = answer._target ?? answer.target;
  if (profile.target !== "bits") {
    if (named === undefined) throw unexpected(daemon, profile, "target");
    const bytes = fromHex(named);
    return usable(targetFromBytes(profile.target === "little-endian" ? bytes : bytes.reverse()), daemon, profile);
  }
  if (answer.bits === undefined) throw unexpected(daemon, profile, "bits");
  const target = usable(targetFromCompact(Number.parseInt(answer.bits, 16)), daemon, profile);
  if (named !== undefined) {
    const bytes = fromHex(named);
    if (targetFromBytes(bytes) !== target && targetFromBytes(reversed(bytes)) !== target) {
      throw new Fault("aux-target-contradicts", { node: daemon, bits: answer.bits, target: named });
    }
  }
  return target;
}

function usable(target: bigint, daemon: string, profile: AuxPowProfile): bigint {
  if (target < 1n) throw unexpected(daemon, profile, "target", "at least 1");
  return target;
}

function unexpected(daemon: string, profile: AuxPowProfile, place: string, expected?: string): Fault {
  return new Fault("node-answer-unexpected", { node: daemon, method: profile.method, place, expected });
}

/** An amount as daemons print it in blocks, coins with a point, in base units; `undefined` when it is no amount. */
export function baseUnits(value: number | string, decimals: number): bigint | undefined {
  if (typeof value === "number") {
    const units = Math.round(value * 10 ** decimals);
    return Number.isSafeInteger(units) ? BigInt(units) : undefined;
  }
  const match = /^(\d{1,19})(?:\.(\d{1,18}))?$/.exec(value);
  if (match === null) return undefined;
  const [, whole = "0", fraction = ""] = match;
  if (fraction.length > decimals && /[1-9]/.test(fraction.slice(decimals))) return undefined;
  return BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
}

/** The block's name in the daemon's other calls. */
export function blockName(id: string, profile: Pick<AuxPowProfile, "reversedHashes">): string {
  return profile.reversedHashes ? toHex(reversed(fromHex(id))) : id;
}

/**
 * Whether what a plugin hands over has the shape that the contract gives it. Plugins are often written in JavaScript, so types promise
 * nothing: everything that crosses the border is looked at, by the host as by the kit, with the same words.
 */
import type { BlockStatus, Outcome } from "./plugin.ts";

/** Outputs that one work may ask for. */
export const MAX_OUTPUTS = 4;
/** Bytes of an output's script. */
export const MAX_SCRIPT = 100;
/** Characters of names that a daemon gives: ids, parents, block hashes. */
const MAX_ID = 256;
/** Characters of `details` as JSON. */
const MAX_DETAILS = 65_536;
/** Characters of a daemon's own words. */
const MAX_REASON = 1000;
/** Of targets, and of amounts, which daemons tell in 256 bits at most. */
const MAX_UINT256 = (1n << 256n) - 1n;

const VERDICTS: readonly Outcome["verdict"][] = ["accepted", "duplicate", "stale", "rejected"];
const STATES: readonly BlockStatus["state"][] = ["confirmed", "mature", "uncle", "orphaned", "unknown"];

type Values = Readonly<Record<string, unknown>>;

/** What is wrong with `value` as an `AuxWork`, as a clause that begins with the field (`hash is not a Uint8Array(32)`); `undefined` for nothing. */
export function workFlaw(value: unknown): string | undefined {
  if (!isObject(value)) return "the work is not an object";
  const { id, hash, parent, height, target, value: pays, details } = value;
  if (!isText(id, 1, MAX_ID)) return `id is not a text of 1 to ${MAX_ID} characters`;
  if (!isBytes(hash, 32, 32)) return "hash is not a Uint8Array(32)";
  if (!isText(parent, 1, MAX_ID)) return `parent is not a text of 1 to ${MAX_ID} characters`;
  if (!isCount(height)) return "height is not a whole number from 0 on";
  if (typeof target !== "bigint" || target < 0n || target > MAX_UINT256)
    return "target is not a bigint from 0 to 2^256 - 1";
  if (pays !== undefined && (typeof pays !== "bigint" || pays < 0n || pays > MAX_UINT256))
    return "value is neither undefined nor a bigint from 0 to 2^256 - 1";
  if (!isObject(details)) return "details is not an object";
  for (const [name, detail] of Object.entries(details)) {
    const plain = typeof detail === "string" || typeof detail === "boolean" || Number.isFinite(detail);
    if (!plain) return `details.${name.slice(0, 40)} is not a string, a finite number or a boolean`;
  }
  if (JSON.stringify(details).length > MAX_DETAILS) return `details has more than ${MAX_DETAILS} characters as JSON`;
  return undefined;
}

/** What is wrong with `value` as the result of `Chain.commit`; `undefined` for nothing. */
export function commitmentsFlaw(value: unknown): string | undefined {
  if (value instanceof Promise) return "commit returned a promise; it must answer at once";
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) return "commit returned no commitment";
  let leaves = 0;
  let outputs = 0;
  for (const each of list) {
    const flaw = commitmentFlaw(each);
    if (flaw !== undefined) return flaw;
    if ((each as { kind: unknown }).kind === "auxpow") leaves += 1;
    else outputs += 1;
  }
  if (leaves > 1) return "commit returned more than one auxpow commitment";
  if (outputs > MAX_OUTPUTS) return `commit returned more than ${MAX_OUTPUTS} outputs`;
  return undefined;
}

function commitmentFlaw(value: unknown): string | undefined {
  if (!isObject(value)) return "a commitment is not an object";
  if (value.kind === "auxpow") {
    const { chainId, hash, strictChainId } = value;
    if (!isCount(chainId) || chainId > 65_535) return "chainId is not a whole number from 0 to 65535";
    if (!isBytes(hash, 32, 32)) return "the commitment's hash is not a Uint8Array(32)";
    if (typeof strictChainId !== "boolean") return "strictChainId is not a boolean";
    return undefined;
  }
  if (value.kind !== "output") return 'the kind of a commitment is neither "auxpow" nor "output"';
  const { script, maxBytesAfter, first, last, forbid } = value;
  if (!isBytes(script, 1, MAX_SCRIPT)) return `script is not a Uint8Array of 1 to ${MAX_SCRIPT} bytes`;
  if (maxBytesAfter !== undefined && !isCount(maxBytesAfter)) return "maxBytesAfter is not a whole number from 0 on";
  for (const [name, part] of Object.entries({ first, last, forbid })) {
    if (part === undefined) continue;
    if (!isBytes(part, 1, MAX_SCRIPT)) return `${name} is not a Uint8Array of 1 to ${MAX_SCRIPT} bytes`;
    if (name !== "forbid" && !holds(script as Uint8Array, part as Uint8Array))
      return `the script does not hold the bytes of ${name}`;
  }
  return undefined;
}

/** What is wrong with `value` as an `Outcome`; `undefined` for nothing. */
export function outcomeFlaw(value: unknown): string | undefined {
  if (!isObject(value)) return "the outcome is not an object";
  const { verdict, reason, blockHash, height } = value;
  if (!VERDICTS.some((each) => each === verdict)) return `verdict is none of ${VERDICTS.join(", ")}`;
  if (!isText(reason, 0, MAX_REASON)) return `reason is not a text of at most ${MAX_REASON} characters`;
  if (blockHash !== undefined && !isText(blockHash, 1, MAX_ID))
    return `blockHash is not a text of 1 to ${MAX_ID} characters`;
  if (height !== undefined && !isCount(height)) return "height is not a whole number from 0 on";
  return undefined;
}

/** What is wrong with `value` as a `BlockStatus`; `undefined` for nothing. */
export function statusFlaw(value: unknown): string | undefined {
  if (!isObject(value)) return "the status is not an object";
  const { state, confirmations, reward } = value;
  if (!STATES.some((each) => each === state)) return `state is none of ${STATES.join(", ")}`;
  if (!isCount(confirmations)) return "confirmations is not a whole number from 0 on";
  if (reward !== undefined && (typeof reward !== "bigint" || reward < 0n))
    return "reward is neither undefined nor a bigint from 0 on";
  return undefined;
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, least: number, most: number): value is string {
  return typeof value === "string" && value.length >= least && value.length <= most;
}

function isBytes(value: unknown, least: number, most: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length >= least && value.length <= most;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}

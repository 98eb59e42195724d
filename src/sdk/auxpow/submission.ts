/** What a daemon's answer to a submission means (reference: Namecoin `src/rpc/auxpow_miner.cpp`, and what its relatives changed). */
import { Fault } from "../../kernel/fault.ts";
import type { Outcome } from "../../merge/plugin.ts";
import type { AuxPowProfile } from "./profile.ts";

/** A final word, or `vague` when only a look at the chain tells what happened. */
export type Reading = Pick<Outcome, "reason"> & { readonly verdict: Outcome["verdict"] | "vague" };

/** Reads a `result`. Throws `Fault("node-answer-unexpected")` for what no daemon says: then nothing is known. */
export function readResult(result: unknown, profile: AuxPowProfile, daemon: string): Reading {
  if (result === true || (result === null && profile.success === "null")) return { verdict: "accepted", reason: "" };
  if (result === false) {
    const reason = "the daemon said false; its log says why";
    return { verdict: profile.vague.includes("false") ? "vague" : "rejected", reason };
  }
  if (typeof result !== "string" || result === "") {
    const expected = profile.success === "true" ? "true or false" : "null or false";
    throw new Fault("node-answer-unexpected", { node: daemon, method: "submitauxblock", place: "result", expected });
  }
  return readWords(result, profile);
}

/**
 * Codes of the errors that are a word on the proof: Core's for wrong arguments and for what cannot be decoded or verified, Emercoin's -100, and those
 * of Elastos.ELA.
 */
const FINAL_CODES: ReadonlySet<unknown> = new Set([-1, -3, -5, -8, -22, -25, -26, -27, -100, -32602, 42002, 45002]);

/** Reads a failed call. Throws it again when it is no word on the proof. */
export function readError(error: unknown, profile: AuxPowProfile): Reading {
  if (!(error instanceof Fault) || error.code !== "node-rpc-error") throw error;
  const { rpcCode, says } = error.data;
  const words = String(says ?? "");
  // Emercoin signs blocks with its wallet: unlocked, the same proof is good.
  if (/wallet|unable to sign/i.test(words)) throw new Fault("aux-wallet", error.data, { cause: error });
  const reading = readWords(words, profile);
  if (reading.verdict === "rejected" && !FINAL_CODES.has(rpcCode)) throw error;
  return reading;
}

function readWords(words: string, profile: AuxPowProfile): Reading {
  const is = (pattern: RegExp): boolean => pattern.test(words);
  if (profile.vague.includes(words)) return { verdict: "vague", reason: words };
  if (is(/^duplicate-invalid/i)) return { verdict: "rejected", reason: words };
  if (is(/duplicate|already (have|known|in)/i)) return { verdict: "duplicate", reason: words };
  // BIP22: taken, and not checked to the end.
  if (is(/^inconclusive/i)) return { verdict: "accepted", reason: words };
  if (is(/hash unknown|unknown (block )?hash|stale/i)) return { verdict: "stale", reason: words };
  return { verdict: "rejected", reason: words };
}

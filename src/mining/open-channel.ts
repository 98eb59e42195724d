/**
 * Judges a request for a channel, in SRI's order: what the connection allows, then the extranonce, the user, the
 * hashrate and the target. Nothing is taken from the allocator before all else is in order.
 */
import { targetFromBytes, targetOfDifficulty } from "../bitcoin/target.ts";
import { FAULTS, Fault, type FaultCode, type FaultData } from "../kernel/fault.ts";
import type { FaultRow } from "../kernel/faults/row.ts";
import { OPEN_MINING_CHANNEL_ERROR } from "../sv2/codes.ts";
import {
  type ChannelTarget,
  type DifficultyRange,
  difficultyLimits,
  isHashrate,
  targetOfClaim,
} from "./channel-target.ts";
import type { ExtranonceAllocator } from "./extranonce.ts";
import type { DirectPayout } from "./job-payout.ts";
import type { PayoutIdentity } from "./payout-identity.ts";
import type { Authoriser } from "./ports.ts";
import { isWellFormedIdentity } from "./user-identity.ts";

/** A request in the terms that both kinds of channels share. */
export interface OpenRequest {
  readonly userIdentity: string;
  readonly nominalHashRate: number;
  /** U256, `Uint8Array(32)` little-endian. */
  readonly maxTarget: Uint8Array;
  /** For extended channels. */
  readonly minExtranonceSize?: number;
}

/** A refusal: what the client is told, and what we know of it. */
export interface Refusal {
  readonly errorCode: string;
  readonly fault: Fault;
}

/** What a granted channel begins with. */
export interface Grant {
  /** `Uint8Array(4)`. */
  readonly extranoncePrefix: Uint8Array;
  readonly maxTarget: bigint;
  readonly first: ChannelTarget;
  readonly limits: { readonly min: number; readonly max: number };
  /** Who its blocks pay beside the pool or in its place; `undefined` for the pool. */
  readonly payout: DirectPayout | undefined;
}

/** What a request is judged by. */
export interface OpenRules extends DifficultyRange {
  readonly authoriser: Authoriser;
  /** What an identity says of its payout; `undefined` where all blocks pay the pool, whatever it says. */
  readonly payoutOf?: ((userIdentity: string) => PayoutIdentity) | undefined;
  readonly extranonces: ExtranonceAllocator;
  readonly requiresStandardJobs: boolean;
  readonly requiresWorkSelection: boolean;
  /** Bytes of extranonce that miners of extended channels get. */
  readonly rollableBytes: number;
  /** Channels that the connection has, and may have. */
  readonly channels: number;
  readonly maxChannels: number;
  /** Difficulty of the block that is mined; `undefined` while there is no job. */
  readonly bitcoinDifficulty: number | undefined;
  /** Difficulty that shares must not be harder than besides the block's; `undefined` for none. */
  readonly ceilingDifficulty?: number | undefined;
}

/** The refusal of a fault code with its own error code from the table. */
export function refusal(code: FaultCode, data: FaultData = {}): Refusal {
  const row: FaultRow = FAULTS[code];
  return { errorCode: row.wire ?? code, fault: new Fault(code, data) };
}

/** Grants or refuses a channel. A granted prefix belongs to the caller, who gives it back to the allocator. */
export function judgeOpen(request: OpenRequest, rules: OpenRules): Grant | Refusal {
  const extended = request.minExtranonceSize !== undefined;
  if (!extended && rules.requiresWorkSelection) return refusal("channel-standard-refused");
  if (extended && rules.requiresStandardJobs) return refusal("channel-extended-refused");
  if (rules.channels >= rules.maxChannels) return refusal("channel-limit-reached", { channels: rules.channels });
  const { userIdentity, nominalHashRate, minExtranonceSize = 0 } = request;
  if (minExtranonceSize > rules.rollableBytes) {
    return refusal("channel-extranonce-too-large", { wanted: minExtranonceSize, atMost: rules.rollableBytes });
  }
  const unwelcome = judgeIdentity(userIdentity, rules.authoriser);
  if (unwelcome !== undefined) return unwelcome;
  const payout = rules.payoutOf?.(userIdentity) ?? { kind: "pool" };
  if (payout.kind === "invalid") return refusal("channel-payout-invalid", { userIdentity, reason: payout.reason });
  if (!isHashrate(nominalHashRate)) return refusal("channel-hashrate-invalid", { nominalHashRate });
  const maxTarget = targetFromBytes(request.maxTarget);
  if (!isTargetInRange(maxTarget, rules)) return refusal("channel-max-target-out-of-range");
  const extranoncePrefix = rules.extranonces.allocate();
  if (extranoncePrefix === undefined) {
    return refusal("extranonce-exhausted", { capacity: rules.extranonces.capacity });
  }
  const limits = difficultyLimits(rules, maxTarget, rules.bitcoinDifficulty, rules.ceilingDifficulty);
  const first = targetOfClaim(nominalHashRate, rules.sharesPerMinute, limits, maxTarget);
  return { extranoncePrefix, maxTarget, first, limits, payout: payout.kind === "pool" ? undefined : payout };
}

/** Whether a client may demand `maxTarget` as its easiest: not if even the hardest that we give is too easy for it. */
export function isTargetInRange(maxTarget: bigint, range: DifficultyRange): boolean {
  return maxTarget >= targetOfDifficulty(range.maxDifficulty);
}

function judgeIdentity(userIdentity: string, authoriser: Authoriser): Refusal | undefined {
  if (!isWellFormedIdentity(userIdentity)) return refusal("channel-identity-invalid");
  const answer = authoriser.authorise(userIdentity);
  if (answer.allowed) return undefined;
  const { errorCode } = answer;
  const known = errorCode === OPEN_MINING_CHANNEL_ERROR.unknownUser;
  const { fault } = refusal(known ? "channel-user-unknown" : "channel-identity-invalid", { userIdentity });
  return { errorCode, fault };
}

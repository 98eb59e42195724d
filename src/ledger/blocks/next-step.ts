/** What a chain's word on a block makes of it: pure, so that every case stands in one place. */
import type { BlockStatus } from "../../merge/plugin.ts";
import type { BlockState } from "../store/schema.ts";
import { type CheckPace, checkPauseMs } from "./check-pace.ts";

/** What is known of a block when its chain speaks. */
export interface BlockPlace {
  readonly state: BlockState;
  /** Since it was found, ms. */
  readonly ageMs: number;
  /** Since it came into its state, ms. */
  readonly inStateMs: number;
  /** Since it was first said to be mature, ms; `undefined` when it never was. */
  readonly matureForMs: number | undefined;
  /** Whether the chain told what it pays, now or before. */
  readonly isPayKnown: boolean;
  /** Since no daemon knows it, ms, without a break that was seen. */
  readonly unknownForMs: number;
}

/** What follows. */
export interface NextStep {
  /** `undefined`: it stays where it is. */
  readonly to: BlockState | undefined;
  /** Why. */
  readonly note: string;
  /** Until it is asked for again; `undefined` for never. */
  readonly pauseMs: number | undefined;
}

/** States that an orphan's word ends. */
const IN_CHAIN: readonly BlockState[] = ["accepted", "confirmed", "uncle", "mature", "distributed"];

/** The step after `said`. What the state table does not allow is asked for all the same and changes nothing. */
export function nextStep(place: BlockPlace, said: BlockStatus, pace: CheckPace): NextStep {
  const pauseMs = checkPauseMs(place.ageMs, pace);
  switch (said.state) {
    case "confirmed":
      return { ...steady(place, "confirmed"), note: again(place, "in the best chain"), pauseMs };
    case "uncle":
      return { ...steady(place, "uncle"), note: "beside the best chain, and paid in part", pauseMs };
    case "mature":
      return {
        ...steady(place, "mature"),
        note: said.confirmations === 0 ? "paid as an uncle" : `mature with ${said.confirmations} confirmations`,
        pauseMs: watchMatureMs(place, pace),
      };
    case "orphaned":
      if (IN_CHAIN.includes(place.state)) return { to: "orphaned", note: "not in the best chain", pauseMs };
      return notThere(place, pauseMs, pace);
    case "unknown":
      if (!IN_CHAIN.includes(place.state)) return notThere(place, pauseMs, pace);
      if (place.unknownForMs < pace.unknownMs) return { to: undefined, note: "", pauseMs };
      return { to: "orphaned", note: `no daemon has known it for ${minutes(place.unknownForMs)}`, pauseMs };
  }
}

/** A block that matured, or was distributed, is only left by an orphan. */
function steady({ state }: BlockPlace, to: BlockState): { readonly to: BlockState | undefined } {
  return { to: state === to || state === "mature" || state === "distributed" ? undefined : to };
}

/** A few more looks behind maturity: a daemon that was deceived, or set back, would say so now, and one that lacked a receipt may have it. */
function watchMatureMs({ matureForMs = 0, isPayKnown }: BlockPlace, pace: CheckPace): number | undefined {
  const watchMs = isPayKnown ? pace.matureWatchMs : pace.unpaidWatchMs;
  return matureForMs >= watchMs ? undefined : Math.max(1, Math.ceil(pace.matureWatchMs / 4));
}

/** A block that is in no chain so far is watched for a while. */
function notThere({ state, inStateMs, ageMs }: BlockPlace, pauseMs: number, pace: CheckPace): NextStep {
  const rest: NextStep = { to: undefined, note: "", pauseMs };
  const over: NextStep = { to: undefined, note: "", pauseMs: undefined };
  if (state === "orphaned") return inStateMs >= pace.orphanWatchMs ? over : rest;
  if (state === "stale" || state === "failed") return inStateMs >= pace.staleWatchMs ? over : rest;
  if ((state === "found" || state === "submitting") && ageMs >= pace.unansweredMs) {
    return { to: "failed", note: `no answer came, and the chain has not got it after ${minutes(ageMs)}`, pauseMs };
  }
  return rest;
}

function again({ state }: BlockPlace, where: string): string {
  return state === "orphaned" || state === "uncle" ? `${where} again` : where;
}

function minutes(ms: number): string {
  const whole = Math.floor(ms / 60_000);
  return whole < 120 ? `${whole} min` : `${Math.floor(whole / 60)} h`;
}

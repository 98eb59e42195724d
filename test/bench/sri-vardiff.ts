/**
 * How SRI's pool steers share difficulty, for comparison: channels_sv2 `vardiff/classic.rs` (stratum-mining/stratum
 * 2680220) as a table of its thresholds, in the pool's loop of one minute (sv2-apps `channel_manager/mod.rs`). SRI sends
 * SetTarget without a job, so a real miner follows up to a template later; here it follows at once.
 */
import type { Controller } from "../support/simulated-miner.ts";

const LOOP_MS = 60_000;

/** Deviation of the measured from the assumed hashrate that counts, by seconds since the last change. */
const THRESHOLDS: readonly (readonly [atLeastS: number, deviation: number])[] = [
  [0, 1],
  [60, 0.6],
  [120, 0.5],
  [180, 0.45],
  [240, 0.3],
  [300, 0.15],
];

/** By seconds since the last change: divisor when no share came, and the factor in place of one above eleven. */
const CAUTION: readonly (readonly [untilS: number, divisor: number, factor: number])[] = [
  [30, 1.5, 10],
  [59, 2, 5],
  [Number.POSITIVE_INFINITY, 3, 3],
];

/** SRI's controller. */
export function sriController(sharesPerMinute: number, difficulty: number): Controller {
  const wanted = sharesPerMinute / 60;
  let assumed = difficulty * 2 ** 32 * wanted;
  let changedMs = 0;
  let shares = 0;
  let loopMs = LOOP_MS;

  function judge(nowMs: number): number | undefined {
    const elapsedS = Math.floor((nowMs - changedMs) / 1000);
    if (elapsedS <= 15) return undefined;
    const measured = (shares / elapsedS / wanted) * assumed;
    const deviation = Math.abs(measured - assumed) / assumed;
    if (!THRESHOLDS.some(([atLeastS, least]) => elapsedS >= atLeastS && deviation >= least)) return undefined;
    const [, divisor = 3, factor = 3] = CAUTION.find(([untilS]) => elapsedS <= untilS) ?? [];
    let next = measured;
    if (shares === 0) next = assumed / divisor;
    else if (deviation > 10) next = assumed * factor;
    assumed = Math.max(1, next);
    changedMs = nowMs;
    shares = 0;
    return assumed / wanted / 2 ** 32;
  }

  return {
    difficulty,
    share() {
      shares += 1;
      return undefined;
    },
    tick(nowMs) {
      if (nowMs < loopMs) return undefined;
      loopMs += LOOP_MS;
      return judge(nowMs);
    },
  };
}

/**
 * Miners in a model: shares are a Poisson process of the hashrate over the difficulty, everything takes half a round trip,
 * and a new difficulty holds from the miner's next job on. For judging controllers of share difficulty.
 */
import { seededRandom } from "./seeded-random.ts";

/** The server's side of one channel, as far as difficulty goes. */
export interface Controller {
  /** The difficulty that the channel begins with. */
  readonly difficulty: number;
  /** A share for a job of `difficulty` was accepted. Returns a difficulty to send, if any. */
  share(difficulty: number, nowMs: number): number | undefined;
  /** A second passed. Returns a difficulty to send, if any. */
  tick(nowMs: number): number | undefined;
}

/** What is played. */
export interface Scenario {
  /** Hashes a second at a time in ms. */
  readonly hashrate: (ms: number) => number;
  /** What the client claims when it opens the channel. */
  readonly nominal: number;
  readonly sharesPerMinute: number;
  readonly durationMs: number;
  /** One way, ms. */
  readonly latencyMs: number;
  readonly minDifficulty: number;
}

/** What happened. */
export interface Run {
  /** Changes of the difficulty that the miner works at: when, in ms, and to what. */
  readonly steps: readonly { readonly ms: number; readonly difficulty: number }[];
  /** When shares arrived at the server, ms. */
  readonly shares: readonly number[];
  /** When the server sent another difficulty, ms. */
  readonly changes: readonly number[];
}

/** Shares that a connection carries a second at most: ours are read no faster by default. */
const LINK_LIMIT = 500;

/** The hashrate may change: a miner that finds nothing looks at it again after this time. The process has no memory. */
const LOOK_MS = 1000;

/** Plays `scenario` with the random numbers of `seed`; `make` gets the difficulty that the claim stands for. */
export function simulate(scenario: Scenario, seed: number, make: (difficulty: number) => Controller): Run {
  const { hashrate, latencyMs, durationMs, minDifficulty } = scenario;
  const random = uniform(seed);
  const claimed = (scenario.nominal * 60) / scenario.sharesPerMinute / 2 ** 32;
  const controller = make(Math.max(claimed, minDifficulty));
  const steps: { ms: number; difficulty: number }[] = [];
  const shares: number[] = [];
  const changes: number[] = [];
  const toMiner = [{ ms: latencyMs, difficulty: controller.difficulty }];
  const toServer: { ms: number; difficulty: number }[] = [];
  let received = 0;
  let difficulty = Number.POSITIVE_INFINITY;
  let tickMs = 1000;
  let lookMs = Number.POSITIVE_INFINITY;
  let found = false;

  const search = (ms: number): void => {
    const perMs = Math.min(LINK_LIMIT, hashrate(ms) / 2 ** 32 / difficulty) / 1000;
    const wait = perMs > 0 ? -Math.log(1 - random()) / perMs : Number.POSITIVE_INFINITY;
    found = wait < LOOK_MS;
    lookMs = ms + Math.min(wait, LOOK_MS);
  };
  const send = (ms: number, next: number | undefined): void => {
    if (next === undefined) return;
    changes.push(ms);
    toMiner.push({ ms: ms + latencyMs, difficulty: next });
  };

  for (;;) {
    const jobMs = toMiner[0]?.ms ?? Number.POSITIVE_INFINITY;
    const shareMs = toServer[received]?.ms ?? Number.POSITIVE_INFINITY;
    const ms = Math.min(jobMs, shareMs, tickMs, lookMs);
    if (ms > durationMs) return { steps, shares, changes };
    if (ms === jobMs) {
      difficulty = toMiner.shift()?.difficulty ?? difficulty;
      steps.push({ ms, difficulty });
      search(ms);
    } else if (ms === lookMs) {
      if (found) toServer.push({ ms: ms + latencyMs, difficulty });
      search(ms);
    } else if (ms === shareMs) {
      shares.push(ms);
      send(ms, controller.share(toServer[received]?.difficulty ?? difficulty, ms));
      received += 1;
    } else {
      tickMs += 1000;
      send(ms, controller.tick(ms));
    }
  }
}

/** Figures of one run. */
export interface Figures {
  /** Seconds until the rate is within a quarter of the wanted one and stays there for ten minutes. */
  readonly convergedS: number;
  /** Changes until then. */
  readonly changes: number;
  /** Shares until then beyond the wanted number. */
  readonly surplus: number;
  /** Most shares in a second until then. */
  readonly peak: number;
  /** Part of the time after convergence that the rate is within a quarter. */
  readonly within: number;
  /** Mean rate of shares after convergence, over the wanted one. */
  readonly rate: number;
  /** Standard deviation of the shares in ten minutes after convergence, over their mean. Chance alone gives 1/sqrt(mean). */
  readonly spread: number;
  /** Changes an hour after convergence. */
  readonly changesPerHour: number;
}

/** The figures of `run` from `fromMs` on. */
export function figures(scenario: Scenario, run: Run, fromMs = 0): Figures {
  const wanted = scenario.sharesPerMinute / 60;
  const endMs = scenario.durationMs;
  const good: boolean[] = [];
  let at = 0;
  for (let ms = fromMs; ms < endMs; ms += 1000) {
    while ((run.steps[at + 1]?.ms ?? Number.POSITIVE_INFINITY) <= ms) at += 1;
    const rate = scenario.hashrate(ms) / 2 ** 32 / (run.steps[at]?.difficulty ?? 0);
    good.push(rate / wanted > 0.75 && rate / wanted < 1 / 0.75);
  }
  let convergedS = good.length;
  for (let s = good.length - 1, row = 0; s >= 0; s--) {
    row = good[s] ? row + 1 : 0;
    if (row >= 600) convergedS = s;
  }
  const convergedMs = fromMs + convergedS * 1000;
  const until = run.shares.filter((ms) => ms >= fromMs && ms < convergedMs);
  const bySecond = new Map<number, number>();
  for (const ms of until) bySecond.set(Math.floor(ms / 1000), (bySecond.get(Math.floor(ms / 1000)) ?? 0) + 1);
  const windows: number[] = [];
  for (let ms = convergedMs; ms + 600_000 <= endMs; ms += 600_000) {
    windows.push(run.shares.filter((share) => share >= ms && share < ms + 600_000).length);
  }
  const mean = average(windows);
  const later = run.changes.filter((ms) => ms >= convergedMs).length;
  return {
    convergedS,
    changes: run.changes.filter((ms) => ms >= fromMs && ms < convergedMs).length,
    surplus: until.length - convergedS * wanted,
    peak: Math.max(0, ...bySecond.values()),
    within: average(good.slice(convergedS).map(Number)),
    rate: mean / (wanted * 600),
    spread: Math.sqrt(average(windows.map((count) => (count - mean) ** 2))) / mean,
    changesPerHour: convergedMs < endMs ? later / ((endMs - convergedMs) / 3_600_000) : Number.NaN,
  };
}

/** The mean of `values`. */
export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value that a part `p` of `values` does not exceed. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

/** Numbers from 0 to below 1 (xorshift128, seeded from a hash): a simulation draws millions. */
function uniform(seed: number): () => number {
  const bytes = seededRandom(seed).bytes(16);
  const state = new Uint32Array(bytes.buffer, bytes.byteOffset, 4);
  return () => {
    const t = (state[0] as number) ^ ((state[0] as number) << 11);
    state.copyWithin(0, 1);
    const w = state[2] as number;
    state[3] = w ^ (w >>> 19) ^ t ^ ((t >>> 8) & 0x00ffffff);
    return (state[3] as number) / 2 ** 32;
  };
}

/**
 * Share difficulty of one channel: how hard shares must be for the miner to send the wanted number a minute.
 *
 * Shares of a miner with hashrate h (counted in hashes of difficulty 1 a second) at difficulty D are a Poisson process of
 * rate h / D. So evidence about h is a number of shares and an exposure, the time divided by D; it stays valid when D
 * changes. The controller compares the shares seen with those that D promised by the log-likelihood ratio
 * `n ln(n/m) - n + m` (n seen, m promised), and moves only when chance is no explanation. What makes it fast:
 *
 * - Too easy is cheap and tells much (many shares), too hard is neither. So on silence it goes down in big steps, below
 *   what it believes, and then climbs in one precise step from the shares that come.
 * - After a change it waits until the miner has taken it over (its first share at the new difficulty), so shares that were
 *   on their way do not mislead it.
 * - A claimed hashrate gets little trust and a measured one much, so a steady miner is left alone; and when a miner
 *   that was away comes back as it was, its old hashrate is recognised from few shares.
 *
 * Figures of simulated miners are in docs/benchmarks.md. Pure: time comes in with each call, in monotonic ms.
 */

/** Options of `Vardiff`. */
export interface VardiffOptions {
  /** Wanted shares a minute. */
  readonly sharesPerMinute: number;
  /** Difficulty to begin with. */
  readonly difficulty: number;
  /** Never easier than this. */
  readonly minDifficulty: number;
  /** Never harder than this. */
  readonly maxDifficulty: number;
}

/** One change makes shares at most this much easier, or harder. */
const MAX_STEP_DOWN = 1024;
const MAX_STEP_UP = 65_536;
/** Shares a second that a link or a server may not carry: beyond this the rate is not the miner's any more. */
const SATURATED = 100;
/** Shares behind a climb: 90 tell the rate to a tenth, so the new one is within a quarter in 98 cases of 100 … */
const PRECISE = 90;
/** … and 144 to a twelfth, which is worth waiting for when they come fast. */
const CERTAIN = 144;
const PATIENCE_MS = 2000;
/** Least time between two changes. A climb rests on at least as long, so a burst from a stalled link is not taken for hashrate. */
const MIN_INTERVAL_MS = 1000;
/** How long to wait for the first share at a new difficulty before silence counts. */
const SETTLE_MS = 3000;
/** Log-likelihood ratio at which a window of recent shares proves that the hashrate changed. There are many windows. */
const CHANGE = 9;
/** Log-likelihood ratio at which all the evidence outweighs the difficulty in force: a claimed one, a measured one. */
const OFF_CLAIMED = 3;
const OFF_MEASURED = 4.5;
/** A correction smaller than this is not worth its message. */
const LEAST_CORRECTION = Math.log(1.2);
/** Shares after which a hashrate counts as measured. */
const MEASURED = 32;
/** Shares that are enough to recognise a hashrate that was measured before, and the ratio that they may differ by. */
const RECOGNISED = 24;
const RECOGNISED_RATIO = 1;
/** First step down on silence; the next ones are `MAX_STEP_DOWN`, and come as soon as one share more was promised. */
const SILENT_STEP = 64;
const SILENT_AGAIN = 1;
/** With few shares on the way down, the difficulty is set for this many times the rate that they suggest. */
const PROBE = 16;
/** How deep silence may lead below a measured difficulty, and how long it takes to go as deep again. */
const IDLE_DEPTH = 1024;
const IDLE_MS = 1_800_000;
/** Evidence fades with this time constant. */
const MEMORY_S = 1800;
/** Size of the ring of recent shares, a power of two. */
const MARKS = 128;

/** The controller of one channel. */
export class Vardiff {
  /** Wanted shares a second. */
  readonly #wanted: number;
  #min: number;
  #max: number;
  #difficulty: number;
  /** Monotonic ms up to which time was counted; `undefined` before `begin`. */
  #lastMs: number | undefined;
  #changedMs = 0;
  /** Time is not counted before this or before the first share at the difficulty in force. */
  #settledMs: number | undefined;
  #lastShareMs = 0;
  /** Steps down since the last share. */
  #silentSteps = 0;
  /** Exposure since the evidence began: seconds over difficulty. */
  #exposure = 0;
  /** `#exposure` at the start of the evidence, and then at each share: the newest `MARKS` of them. */
  readonly #marks = new Float64Array(MARKS);
  #marked = 0;
  /** All the evidence, fading: shares, and the exposure in which they came. */
  #shares = 0;
  #time = 0;
  /** The last difficulty that was found right, and the shares by exposure behind it, for a miner that comes back. */
  #known: { readonly difficulty: number; readonly rate: number } | undefined;

  constructor(_deps: object, options: VardiffOptions) {
    this.#wanted = options.sharesPerMinute / 60;
    this.#min = options.minDifficulty;
    this.#max = options.maxDifficulty;
    this.#difficulty = options.difficulty;
  }

  /** The difficulty in force. */
  get difficulty(): number {
    return this.#difficulty;
  }

  /** The miner's hashes a second: measured as far as there is evidence, else what the difficulty stands for. */
  get hashrate(): number {
    const assumed = this.#wanted * this.#difficulty;
    // The assumption weighs as much as one share.
    return ((this.#shares + 1) / (this.#time + 1 / assumed)) * 2 ** 32;
  }

  /** Changes the limits; the next `decide` keeps to them. */
  limit(minDifficulty: number, maxDifficulty: number): void {
    this.#min = minDifficulty;
    this.#max = maxDifficulty;
  }

  /** The miner got its first job: from now on shares are expected. */
  begin(nowMs: number): void {
    if (this.#lastMs === undefined) this.restart(this.#difficulty, nowMs);
  }

  /** Forgets all evidence and goes on from `difficulty`, because the client named another hashrate. */
  restart(difficulty: number, nowMs: number): void {
    this.#difficulty = difficulty;
    this.#lastMs = nowMs;
    this.#changedMs = nowMs;
    this.#settledMs = nowMs + SETTLE_MS;
    this.#lastShareMs = nowMs;
    this.#silentSteps = 0;
    this.#known = undefined;
    this.#forget();
  }

  /** A share was accepted at `difficulty`, the one of its job. */
  share(difficulty: number, nowMs: number): void {
    if (this.#lastMs === undefined) return;
    this.#advance(nowMs);
    this.#lastShareMs = nowMs;
    if (this.#settledMs !== undefined) {
      // The first share at the new difficulty starts the clock. It is not counted: that it came is why time counts.
      if (difficulty === this.#difficulty) this.#settledMs = undefined;
      return;
    }
    this.#silentSteps = 0;
    if (difficulty < this.#difficulty) {
      // A late share for an easier job is worth less than one of now.
      this.#shares += difficulty / this.#difficulty;
    } else {
      this.#shares += 1;
      this.#mark();
    }
  }

  /**
   * The difficulty to change to, or `undefined` when all is well. The caller tells the miner and then calls `applied`.
   * To be asked after each share and about once a second.
   */
  decide(nowMs: number): number | undefined {
    if (this.#lastMs === undefined) return undefined;
    const held = this.#clamp(this.#difficulty);
    if (held !== this.#difficulty) return held;
    this.#advance(nowMs);
    if (this.#settledMs !== undefined || nowMs - this.#changedMs < MIN_INTERVAL_MS) return undefined;
    const wish = this.#wish(nowMs);
    if (wish === undefined) return undefined;
    const kept = this.#clamp(wish);
    return kept === this.#difficulty ? undefined : kept;
  }

  /** The miner was told `difficulty`, together with a job that it holds for. */
  applied(difficulty: number, nowMs: number): void {
    if (this.#lastMs !== undefined) this.#advance(nowMs);
    this.#difficulty = difficulty;
    this.#changedMs = nowMs;
    this.#settledMs = nowMs + SETTLE_MS;
  }

  #clamp(difficulty: number): number {
    return Math.min(this.#max, Math.max(this.#min, difficulty));
  }

  /** Shares that the difficulty in force promises for an exposure of 1. */
  #promise(): number {
    return this.#wanted * this.#difficulty;
  }

  #wish(nowMs: number): number | undefined {
    this.#noticeChange();
    const promised = this.#promise() * this.#time;
    const ratio = likelihoodRatio(this.#shares, promised);
    if (this.#shares < 0.5) {
      return ratio > (this.#silentSteps === 0 ? OFF_CLAIMED : SILENT_AGAIN) ? this.#silent(nowMs) : undefined;
    }
    const measured = this.#shares >= MEASURED;
    if (ratio < (measured ? OFF_MEASURED : OFF_CLAIMED)) {
      // A doubtful one would be recognised in what comes after a change.
      if (measured && ratio < 1) this.#known = { difficulty: this.#difficulty, rate: this.#shares / this.#time };
      return undefined;
    }
    const factor = this.#shares / promised;
    if (Math.abs(Math.log(factor)) < LEAST_CORRECTION) return undefined;
    if (factor < 1) return this.#shares >= PRECISE ? this.#difficulty * factor : this.#probe(factor);
    if (this.#shares < PRECISE) return this.#recognise();
    if (this.#shares < CERTAIN && nowMs - this.#changedMs < PATIENCE_MS) return undefined;
    return this.#climb(factor);
  }

  /**
   * Looks for the number of newest shares that goes least with the difficulty in force. If chance is no explanation, and
   * all the evidence together goes better with it, what was before them is no evidence any more.
   */
  #noticeChange(): void {
    const held = Math.min(this.#marked, MARKS) - 1;
    let worst = Math.max(CHANGE, likelihoodRatio(this.#shares, this.#promise() * this.#time));
    let newest = -1;
    for (let n = 0; ; n = n === 0 ? 1 : 2 * n) {
      const shares = Math.min(n, held);
      const ratio = likelihoodRatio(shares, this.#promise() * this.#exposureOf(shares));
      if (ratio > worst) {
        worst = ratio;
        newest = shares;
      }
      if (n >= held) break;
    }
    if (newest < 0 || newest >= this.#shares) return;
    this.#time = this.#exposureOf(newest);
    this.#shares = newest;
  }

  /** Not one share: far too hard, or nobody is there. */
  #silent(nowMs: number): number {
    const step = this.#silentSteps === 0 ? SILENT_STEP : MAX_STEP_DOWN;
    this.#silentSteps += 1;
    this.#forget();
    if (this.#known === undefined) return this.#difficulty / step;
    const depth = IDLE_DEPTH ** (1 + Math.floor((nowMs - this.#lastShareMs) / IDLE_MS));
    return Math.min(this.#difficulty, Math.max(this.#difficulty / step, this.#known.difficulty / depth));
  }

  /** Too hard by few shares: aim below what they suggest and measure there. */
  #probe(factor: number): number {
    this.#forget();
    return this.#difficulty * Math.max(1 / MAX_STEP_DOWN, factor / PROBE);
  }

  /** Too easy, by enough shares. */
  #climb(factor: number): number {
    // What a saturated link shows is a lower bound: a step, but no evidence.
    if (factor * this.#wanted > SATURATED) this.#forget();
    return this.#difficulty * Math.min(MAX_STEP_UP, factor);
  }

  /** Too easy, by few shares: enough if they go with a hashrate that was measured before. */
  #recognise(): number | undefined {
    const known = this.#known;
    if (known === undefined || known.difficulty <= this.#difficulty || this.#shares < RECOGNISED) return undefined;
    if (likelihoodRatio(this.#shares, known.rate * this.#time) > RECOGNISED_RATIO) return undefined;
    this.#shares += MEASURED;
    this.#time += MEASURED / known.rate;
    return this.#shares / this.#time / this.#wanted;
  }

  /** Counts the time up to `nowMs`. */
  #advance(nowMs: number): void {
    let from = this.#lastMs ?? nowMs;
    this.#lastMs = nowMs;
    if (this.#settledMs !== undefined) {
      if (nowMs < this.#settledMs) return;
      from = Math.max(from, this.#settledMs);
      this.#settledMs = undefined;
    }
    if (nowMs <= from) return;
    const seconds = (nowMs - from) / 1000;
    const exposure = seconds / this.#difficulty;
    const kept = Math.exp(-seconds / MEMORY_S);
    this.#exposure += exposure;
    this.#shares *= kept;
    this.#time = this.#time * kept + exposure;
  }

  /** Also begins to count exposure anew: beside that of a difficulty of 10^-6, that of 10^10 would vanish. */
  #forget(): void {
    this.#exposure = 0;
    this.#shares = 0;
    this.#time = 0;
    this.#marked = 0;
    this.#mark();
  }

  #mark(): void {
    this.#marks[this.#marked & (MARKS - 1)] = this.#exposure;
    this.#marked += 1;
  }

  /** The exposure in which the newest `shares` shares came, none of them older than the ring. */
  #exposureOf(shares: number): number {
    return this.#exposure - (this.#marks[(this.#marked - 1 - shares) & (MARKS - 1)] as number);
  }
}

/** Natural log of how much likelier `seen` shares are at the rate that fits them best than when `promised` is the mean. */
function likelihoodRatio(seen: number, promised: number): number {
  return seen === 0 ? promised : seen * Math.log(seen / promised) - seen + promised;
}

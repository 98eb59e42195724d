/** Counts of the shares of one connection, for its state and the meter, and how many may wait for an answer at once. */
import type { Meter } from "../kernel/meter.ts";
import { SUBMIT_SHARES_ERROR } from "../sv2/codes.ts";

/** Shares of a connection that may wait for an answer: at 10 a second for each of 100 channels, those of 16 seconds. */
const MAX_WAITING = 16_384;

/** Shares that solve a block go up even then. */
const MAX_WAITING_WITH_BLOCKS = 2 * MAX_WAITING;

/** Codes that are metric labels; a pool's own would make another time series each. */
const KNOWN_CODES: ReadonlySet<string> = new Set(Object.values(SUBMIT_SHARES_ERROR));

/** What `PoolConnectionState` shows of shares. */
export interface ShareCounts {
  readonly sent: number;
  /** As the pool counts. */
  readonly accepted: number;
  readonly refused: number;
  /** Without an answer in time, or at the end; some of them are accepted or refused later. */
  readonly unanswered: number;
  /** Waiting for one. */
  readonly waiting: number;
}

/** The counts. */
export class ShareTally {
  readonly #meter: Meter;
  readonly #pool: string;
  #sent = 0;
  #accepted = 0;
  #refused = 0;
  #unanswered = 0;
  #waiting = 0;

  constructor(deps: { readonly meter: Meter }, options: { readonly pool: string }) {
    this.#meter = deps.meter;
    this.#pool = options.pool;
  }

  /** Present counts. */
  get counts(): ShareCounts {
    return {
      sent: this.#sent,
      accepted: this.#accepted,
      refused: this.#refused,
      unanswered: this.#unanswered,
      waiting: this.#waiting,
    };
  }

  /** Whether one more share may wait for its answer. */
  hasRoom(solvesBlock: boolean): boolean {
    return this.#waiting < (solvesBlock ? MAX_WAITING_WITH_BLOCKS : MAX_WAITING);
  }

  /** A share was sent. */
  sent(): void {
    this.#sent += 1;
    this.#waiting += 1;
    this.#meter.count("upstream_shares_sent_total", 1, { pool: this.#pool });
  }

  /** A share could not be sent. */
  unsent(why: "gone" | "full"): void {
    this.#meter.count("upstream_shares_unsent_total", 1, { pool: this.#pool, why });
  }

  /** A share got its answer, be it `null`. */
  answered(): void {
    this.#waiting -= 1;
  }

  /** The pool says that it accepted `count` more. */
  accepted(count: number): void {
    // A pool cannot accept more than it got.
    const counted = Math.max(0, Math.min(count, this.#sent - this.#accepted - this.#refused));
    this.#accepted += counted;
    this.#meter.count("upstream_shares_accepted_total", counted, { pool: this.#pool });
  }

  /** The pool refused one. */
  refused(code: string): void {
    this.#refused += 1;
    const label = KNOWN_CODES.has(code) ? code : "other";
    this.#meter.count("upstream_shares_rejected_total", 1, { pool: this.#pool, error_code: label });
  }

  /** `count` shares were given up. */
  unanswered(count: number): void {
    this.#unanswered += count;
    if (count > 0) this.#meter.count("upstream_shares_unanswered_total", count, { pool: this.#pool });
  }

  /** An answer of the pool fits no share. */
  odd(): void {
    this.#meter.count("upstream_acknowledgements_odd_total", 1, { pool: this.#pool });
  }
}

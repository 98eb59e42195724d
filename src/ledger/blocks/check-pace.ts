/** How often a chain is asked about a block: often while it is young, since reorgs are, and never again once nothing can change. */

/** Times in ms. */
export interface CheckPace {
  /** Shortest and longest pause between two questions about a block; in between it is a tenth of the block's age. */
  readonly leastMs: number;
  readonly mostMs: number;
  /** After which a block whose submission has no answer is asked for at the chain, and given up when that has not got it. */
  readonly unansweredMs: number;
  /** For which an orphan is asked for: it may come back with a reorg. */
  readonly orphanWatchMs: number;
  /** The same for one that came too late, or that no daemon answered on: another daemon may have brought it into the chain. */
  readonly staleWatchMs: number;
  /** For which a block is asked for after it became mature. */
  readonly matureWatchMs: number;
  /** The same for one whose reward is not known by then: without it nothing is distributed. */
  readonly unpaidWatchMs: number;
  /** After which a block that no daemon knows any more counts as orphaned: daemons are set back, and load their chain anew. */
  readonly unknownMs: number;
}

/** Values for main networks. */
export const CHECK_PACE: CheckPace = {
  leastMs: 15_000,
  mostMs: 600_000,
  unansweredMs: 86_400_000,
  orphanWatchMs: 2 * 86_400_000,
  staleWatchMs: 21_600_000,
  matureWatchMs: 86_400_000,
  unpaidWatchMs: 30 * 86_400_000,
  unknownMs: 21_600_000,
};

/** The pause until a block of this age is asked for again. */
export function checkPauseMs(ageMs: number, { leastMs, mostMs }: CheckPace): number {
  return Math.round(Math.min(mostMs, Math.max(leastMs, ageMs / 10)));
}

/** Lines of a block's history up to which it is asked for like any other: seven when all goes well, and each reorg adds two. */
const CALM_EVENTS = 16;
/** The longest pause of a block that goes in and out of its chain. */
const SLOWEST_MS = 86_400_000;

/**
 * The pause until a block with so many lines of history is asked for again. Daemons that stand on different branches could let one go in and out for
 * ever, each time with a line and with all bookings of its reward; from a number of turns on each pause is twice as long, up to a day.
 */
export function unsteadyPauseMs(pauseMs: number, events: number): number {
  const turns = Math.min(30, Math.max(0, events - CALM_EVENTS));
  return turns === 0 ? pauseMs : Math.max(pauseMs, Math.min(SLOWEST_MS, pauseMs * 2 ** turns));
}

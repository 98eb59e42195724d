/** Our CPU miner as its user starts it, `mine URL --json`, and what it tells. */
import { type Program, program } from "../../support/program.ts";

/** One line of `mine --json`; which fields there are depends on `event`. */
export interface MinerEvent {
  readonly event: string;
  readonly kind: string;
  readonly hash: string;
  readonly block: boolean;
  readonly prevHash: string;
  readonly count: number;
  readonly errorCode: string;
}

/** A running miner. */
export interface Miner {
  readonly user: string;
  readonly process: Program;
  /** What it told so far under that name. */
  events(name: string): MinerEvent[];
  /** Shares that were acknowledged. */
  accepted(): number;
  /** Hashes, in display order, of shares that are blocks. */
  blocks(): string[];
  /** Why shares were refused. What was on its way when a block came is late, and passed over. */
  refusals(): string[];
  /** Interrupts it as a user does; throws when it fails. */
  stop(): Promise<void>;
}

/** Starts `mine` on a standard channel, or on another one by `words`. */
export function startMiner(url: string, user: string, ...words: readonly string[]): Miner {
  const process = program(["mine", url, "--user", user, "--json", ...words]);
  const events = (name: string): MinerEvent[] =>
    process.out.map((line) => JSON.parse(line) as MinerEvent).filter(({ event }) => event === name);
  return {
    user,
    process,
    events,
    accepted: () => events("shareAccepted").reduce((sum, { count }) => sum + count, 0),
    blocks: () => events("shareFound").flatMap(({ block, hash }) => (block ? [hash] : [])),
    refusals: () =>
      events("shareRejected")
        .map(({ errorCode }) => errorCode)
        .filter((code) => code !== "stale-share"),
    async stop() {
      process.kill("SIGINT");
      const code = await process.ended;
      if (code !== 0) throw new Error(`the miner ended with ${code}; it said:\n${process.err.join("\n")}`);
    },
  };
}

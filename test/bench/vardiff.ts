/** How fast and how steady share difficulty follows simulated miners, ours beside SRI's. Seeded: the same each time. */
import { Vardiff } from "../../src/mining/vardiff.ts";
import {
  average,
  type Controller,
  type Figures,
  figures,
  quantile,
  type Scenario,
  simulate,
} from "../support/simulated-miner.ts";
import { sriController } from "./sri-vardiff.ts";

/** Our controller as a server drives it. */
export function ourController(scenario: Scenario, difficulty: number): Controller {
  const { sharesPerMinute, minDifficulty } = scenario;
  const vardiff = new Vardiff({}, { sharesPerMinute, difficulty, minDifficulty, maxDifficulty: 1e15 });
  vardiff.begin(0);
  const decide = (nowMs: number): number | undefined => {
    const wish = vardiff.decide(nowMs);
    if (wish !== undefined) vardiff.applied(wish, nowMs);
    return wish;
  };
  return {
    difficulty,
    share(shareDifficulty, nowMs) {
      vardiff.share(shareDifficulty, nowMs);
      return decide(nowMs);
    },
    tick: decide,
  };
}

const HOUR_MS = 3_600_000;

/** A named scenario; `fromMs` is when what it is about happens. */
interface Case {
  readonly name: string;
  readonly fromMs: number;
  readonly scenario: Scenario;
}

function play(
  name: string,
  nominal: number,
  hashrate: number | ((ms: number) => number),
  more: Partial<Scenario> = {},
): Case {
  const scenario: Scenario = {
    hashrate: typeof hashrate === "number" ? () => hashrate : hashrate,
    nominal,
    sharesPerMinute: 6,
    durationMs: 3 * HOUR_MS,
    latencyMs: 100,
    minDifficulty: 1e-6,
    ...more,
  };
  return { name, fromMs: 0, scenario };
}

/** From `fromMs` to `untilMs` the hashrate is another one. */
function change(name: string, before: number, meanwhile: number, untilMs: number, reportFromMs: number): Case {
  const hashrate = (ms: number): number => (ms >= HOUR_MS && ms < untilMs ? meanwhile : before);
  return { ...play(name, before, hashrate), fromMs: reportFromMs };
}

/** What is played. */
export const CASES: readonly Case[] = [
  play("1 GH/s, claim right", 1e9, 1e9),
  play("100 TH/s, claim right", 1e14, 1e14),
  play("10 EH/s, claim right", 1e19, 1e19),
  play("10 EH/s, claims 10 TH/s (10^-6)", 1e13, 1e19),
  play("100 TH/s, claims 100 GH/s (10^-3)", 1e11, 1e14),
  play("100 TH/s, claims 10 TH/s", 1e13, 1e14),
  play("100 TH/s, claims 50 TH/s", 5e13, 1e14),
  play("100 TH/s, claims 200 TH/s", 2e14, 1e14),
  play("100 TH/s, claims 1 PH/s", 1e15, 1e14),
  play("1 GH/s, claims 1 TH/s as small bitaxes do", 1e12, 1e9),
  play("1 GH/s, claims 1 PH/s (10^6)", 1e15, 1e9),
  play("1 TH/s, claims 0", 0, 1e12),
  play("10 EH/s, claims 0", 0, 1e19),
  play("100 TH/s, claims 100 GH/s, one second each way", 1e11, 1e14, { latencyMs: 1000 }),
  play("100 TH/s, claims 1 TH/s, 20 shares a minute", 1e12, 1e14, { sharesPerMinute: 20 }),
  change("full to 10 %", 1e14, 1e13, Number.POSITIVE_INFINITY, HOUR_MS),
  change("full to 50 %", 1e14, 5e13, Number.POSITIVE_INFINITY, HOUR_MS),
  change("twice as much", 1e14, 2e14, Number.POSITIVE_INFINITY, HOUR_MS),
  change("ten times as much", 1e14, 1e15, Number.POSITIVE_INFINITY, HOUR_MS),
  change("off for 5 minutes, back", 1e14, 0, HOUR_MS + 300_000, HOUR_MS + 300_000),
  change("off for an hour, back", 1e14, 0, 2 * HOUR_MS, 2 * HOUR_MS),
];

/** One line of the table. */
export interface VardiffRow {
  readonly name: string;
  readonly controller: "ours" | "SRI";
  /** Seconds until the rate stays within a quarter of the wanted one: half of the runs, nine tenths. */
  readonly convergedP50: number;
  readonly convergedP90: number;
  /** Means over the runs. */
  readonly changes: number;
  readonly surplus: number;
  readonly peak: number;
  readonly within: number;
  readonly rate: number;
  readonly spread: number;
  readonly changesPerHour: number;
}

/** Figures of `runs` seeded runs of a case. */
export function playCase({ scenario, fromMs }: Case, controller: "ours" | "SRI", runs: number): Figures[] {
  return Array.from({ length: runs }, (_, seed) => {
    const run = simulate(scenario, seed, (difficulty) =>
      controller === "ours" ? ourController(scenario, difficulty) : sriController(scenario.sharesPerMinute, difficulty),
    );
    return figures(scenario, run, fromMs);
  });
}

/** All cases with both controllers. */
export function vardiffRows(runs = 40): VardiffRow[] {
  return CASES.flatMap((one) =>
    (["ours", "SRI"] as const).map((controller) => {
      const all = playCase(one, controller, runs);
      const mean = (of: (figure: Figures) => number): number => average(all.map(of).filter(Number.isFinite));
      const converged = all.map(({ convergedS }) => convergedS);
      return {
        name: one.name,
        controller,
        convergedP50: quantile(converged, 0.5),
        convergedP90: quantile(converged, 0.9),
        changes: mean(({ changes }) => changes),
        surplus: mean(({ surplus }) => surplus),
        peak: mean(({ peak }) => peak),
        within: mean(({ within }) => within),
        rate: mean(({ rate }) => rate),
        spread: mean(({ spread }) => spread),
        changesPerHour: mean(({ changesPerHour }) => changesPerHour),
      };
    }),
  );
}

/** A row in words. */
function inWords(row: VardiffRow): string {
  const until = `${row.convergedP50} s, p90 ${row.convergedP90} s, by ${row.changes.toFixed(1)} changes`;
  const cost = `${Math.round(row.surplus)} shares too many, at most ${Math.round(row.peak)}/s`;
  const rate = `${(100 * row.rate).toFixed(0)} % of the wanted rate (sd ${(100 * row.spread).toFixed(0)} % in 10 min)`;
  const steady = `${(100 * row.within).toFixed(1)} % of the time within a quarter, ${row.changesPerHour.toFixed(2)} changes/h`;
  return `${until}; ${cost}; then ${rate}, ${steady}`;
}

/** Each case with both controllers in words. */
export function vardiffLines(runs = 20): { readonly name: string; readonly ours: string; readonly sri: string }[] {
  const rows = vardiffRows(runs);
  return CASES.map(({ name }) => {
    const [ours = "", sri = ""] = rows.filter((row) => row.name === name).map(inWords);
    return { name, ours, sri };
  });
}

/**
 * The bandwidth bench: every row in a process and, where the system lets it, a network of its own, some at a time, for they wait more
 * than they compute: for TCP to acknowledge.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { makeDay } from "./day.ts";
import type { Figures } from "./figures.ts";
import { ownNetwork, sharedNetwork } from "./network.ts";
import { canHaveOwnNetwork, inOwnNetwork } from "./own-network.ts";
import { PACE, STRETCHES, type Stretch } from "./scenarios.ts";
import { paceLines, tableLines } from "./table.ts";

/** Rows that are counted at a time. With more, an answer might come too late for the acknowledgement that rides on it. */
const AT_A_TIME = 8;
/** Silence after each message where nothing is hurried: longer than TCP's delays of 40 and 200 ms. */
const SILENCE_MS = 300;

const ALL: readonly Stretch[] = [...STRETCHES, PACE];

/** The network that a row is counted on. */
type NetworkName = "shared" | "hurried" | "unhurried";

const run = promisify(execFile);

/** Counts everything and returns the lines to print. `script`: what calls `printRow` when it gets `bandwidth=` and a place. */
export async function bandwidthLines(script: string): Promise<string[]> {
  const own = canHaveOwnNetwork();
  const gate = new Gate(AT_A_TIME);
  const rows = (stretch: Stretch, network: NetworkName): Promise<Figures[]> =>
    Promise.all(
      stretch.scenarios.map((_, scenario) => gate.pass(() => counted(script, ALL.indexOf(stretch), scenario, network))),
    );
  const silent = own ? rows(PACE, "unhurried") : Promise.resolve([]);
  const tables = await Promise.all(
    STRETCHES.map(async (stretch) => {
      const figures = await rows(stretch, own ? "hurried" : "shared");
      return ["", `### ${titleOf(stretch)}`, "", ...tableLines(named(stretch, figures))];
    }),
  );
  if (!own) return [...tables.flat(), "", "IP packets were not counted: no network namespace can be made here."];
  const hurried = await rows(PACE, "hurried");
  const unhurried = await silent;
  const pace = PACE.scenarios.flatMap(({ name }, i) => {
    const [fast, slow] = [hurried[i], unhurried[i]];
    return fast === undefined || slow === undefined ? [] : [{ name, hurried: fast, unhurried: slow }];
  });
  return [...tables.flat(), "", `### ${titleOf(PACE)}`, "", ...paceLines(pace)];
}

/** Counts the row that `place` names, as `stretch:scenario:network`, and prints its figures. */
export async function printRow(place: string): Promise<void> {
  const [stretch, scenario, network] = place.split(":");
  const { wish, scenarios } = ALL[Number(stretch)] ?? PACE;
  const counting = scenarios[Number(scenario)];
  if (counting === undefined) throw new Error(`there is no row ${place}`);
  const unhurried = network === "unhurried";
  const on = network === "shared" ? sharedNetwork() : ownNetwork({}, { quietMs: unhurried ? SILENCE_MS : 0 });
  const run = (unhurried ? counting.unhurried : undefined) ?? counting.run;
  process.stdout.write(JSON.stringify(await run(makeDay(wish), on)));
}

async function counted(script: string, stretch: number, scenario: number, network: NetworkName): Promise<Figures> {
  const command: [string, ...string[]] = [process.execPath, script, `bandwidth=${stretch}:${scenario}:${network}`];
  const [file, ...args] = network === "shared" ? command : inOwnNetwork(command, network === "hurried");
  return JSON.parse((await run(file, args)).stdout) as Figures;
}

function named({ scenarios }: Stretch, figures: readonly Figures[]): { name: string; figures: Figures }[] {
  return scenarios.flatMap(({ name }, i) => {
    const found = figures[i];
    return found === undefined ? [] : [{ name, figures: found }];
  });
}

function titleOf({ title, wish }: Stretch): string {
  const { shares, late, jobs, retargets } = makeDay(wish);
  return `${title}: ${shares} shares, ${late} of them late, ${jobs + 1} jobs, ${retargets} new difficulties`;
}

/** Lets so many through at a time. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/**
 * The bandwidth bench: every row in a process and, where the system lets it, a network of its own, a few at a time. They wait more than
 * they compute, for TCP to acknowledge.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Figures } from "./figures.ts";
import { ownNetwork, sharedNetwork } from "./network.ts";
import { canHaveOwnNetwork, inOwnNetwork } from "./own-network.ts";
import { runScenario, STRETCHES } from "./scenarios.ts";
import { type Row, tableLines } from "./table.ts";

/** Rows that are counted at a time. More of them would answer too late for an acknowledgement to ride on the answer. */
const AT_A_TIME = 4;

const run = promisify(execFile);

/** Counts everything and returns the lines to print. `script`: what runs a row when it gets `bandwidth=` and its place. */
export async function bandwidthLines(script: string): Promise<string[]> {
  const own = canHaveOwnNetwork();
  const wanted = STRETCHES.flatMap(({ scenarios }, stretch) =>
    scenarios.map((_, scenario) => `${stretch}:${scenario}`),
  );
  const found = new Map<string, Figures>();
  const queue = [...wanted];
  const lane = async (): Promise<void> => {
    for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
      const command = [process.execPath, script, `bandwidth=${place}:${own ? "own" : "shared"}`];
      const [file, ...args] = own ? inOwnNetwork(command) : command;
      if (file === undefined) continue;
      const { stdout } = await run(file, args);
      found.set(place, JSON.parse(stdout) as Figures);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  const lines = STRETCHES.flatMap(({ title, scenarios }, stretch) => {
    const rows = scenarios.flatMap(({ name }, scenario): Row[] => {
      const figures = found.get(`${stretch}:${scenario}`);
      return figures === undefined ? [] : [{ name, figures }];
    });
    const [first] = rows;
    const told = first === undefined ? "" : `${first.figures.accepted} shares accepted, ${first.figures.refused} late`;
    return ["", `### ${title}: ${told}, ${first?.figures.jobs.count ?? 0} jobs`, "", ...tableLines(rows)];
  });
  return own ? lines : [...lines, "", "IP packets were not counted: no network namespace could be made here."];
}

/** Runs the row that `place` names, as `stretch:scenario:network`, and prints its figures. */
export async function printRow(place: string): Promise<void> {
  const [stretch, scenario, network] = place.split(":");
  const figures = await runScenario(
    Number(stretch),
    Number(scenario),
    network === "own" ? ownNetwork() : sharedNetwork(),
  );
  process.stdout.write(JSON.stringify(figures));
}

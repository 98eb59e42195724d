/** The harness of the benches: one row a measured thing, many short rounds, the median of them. */

/** One thing to measure. */
export interface Bench {
  /** What is measured, as `subject: variant, size`. */
  readonly name: string;
  /** What others need for the same, with the source of the figure. */
  readonly reference?: string;
  /** Does the thing a number of times and returns that number. A call should take about a millisecond. */
  run(): number | Promise<number>;
}

/** What was measured. */
export interface BenchResult {
  readonly name: string;
  readonly reference?: string;
  /** Nanoseconds an operation: the median of all rounds. */
  readonly medianNs: number;
  /** Of the quickest round: what remains on a machine that is busy with other things. */
  readonly bestNs: number;
  readonly rounds: number;
}

/** How long is measured. */
export interface BenchOptions {
  /** Time before the measurement, for the compilers to finish. */
  readonly warmUpMs?: number;
  /** Time of the measurement. */
  readonly measureMs?: number;
}

/** Runs one bench. */
export async function measure(bench: Bench, options: BenchOptions = {}): Promise<BenchResult> {
  const { warmUpMs = 300, measureMs = 1000 } = options;
  for (const end = performance.now() + warmUpMs; performance.now() < end; ) await bench.run();
  const rounds: number[] = [];
  for (const end = performance.now() + measureMs; performance.now() < end || rounds.length < 5; ) {
    const start = performance.now();
    const operations = await bench.run();
    rounds.push(((performance.now() - start) * 1e6) / operations);
  }
  rounds.sort((a, b) => a - b);
  return {
    name: bench.name,
    ...(bench.reference === undefined ? {} : { reference: bench.reference }),
    medianNs: rounds[rounds.length >> 1] as number,
    bestNs: rounds[0] as number,
    rounds: rounds.length,
  };
}

/** A time in nanoseconds for people: `412 ns`, `1.75 µs`, `3.2 ms`. */
export function printNs(ns: number): string {
  const [value, unit] = ns < 1000 ? [ns, "ns"] : ns < 1e6 ? [ns / 1000, "µs"] : [ns / 1e6, "ms"];
  return `${value >= 100 || unit === "ns" ? value.toFixed(0) : value.toFixed(2)} ${unit}`;
}

/** A bench that calls `run` `times` times a round. */
export function repeated(name: string, times: number, run: (n: number) => unknown, reference?: string): Bench {
  return {
    name,
    ...(reference === undefined ? {} : { reference }),
    run() {
      for (let n = 0; n < times; n++) run(n);
      return times;
    },
  };
}

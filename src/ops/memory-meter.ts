/** Measurements kept in memory: the numbers behind the status line and the demo. Bounded by the metrics table. */
import { METRICS, type Meter, type MetricName } from "../kernel/meter.ts";

/** Label sets that one metric may have; more are counted together, so that a peer cannot grow the map. */
const MAX_SERIES = 200;

/** What a histogram remembers of its observations. */
export interface Observations {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}

/** A meter that can be read. */
export class MemoryMeter implements Meter {
  readonly #values = new Map<string, Map<string, number>>();
  readonly #observations = new Map<string, { count: number; sum: number; max: number }>();

  count<N extends MetricName>(name: N, value: number, ...labels: readonly unknown[]): void {
    const series = this.#series(name);
    const key = this.#key(series, labels[0]);
    series.set(key, (series.get(key) ?? 0) + value);
  }

  gauge<N extends MetricName>(name: N, value: number, ...labels: readonly unknown[]): void {
    const series = this.#series(name);
    series.set(this.#key(series, labels[0]), value);
  }

  observe<N extends MetricName>(name: N, value: number, ..._labels: readonly unknown[]): void {
    const seen = this.#observations.get(name) ?? { count: 0, sum: 0, max: 0 };
    seen.count += 1;
    seen.sum += value;
    seen.max = Math.max(seen.max, value);
    this.#observations.set(name, seen);
  }

  /** The sum of `name` over all its labels. */
  total(name: MetricName): number {
    let sum = 0;
    for (const value of this.#series(name).values()) sum += value;
    return sum;
  }

  /** The values of `name` by label values joined with a comma. */
  byLabel(name: MetricName): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#series(name));
  }

  /** What histogram `name` saw so far. */
  observations(name: MetricName): Observations {
    return this.#observations.get(name) ?? { count: 0, sum: 0, max: 0 };
  }

  #series(name: MetricName): Map<string, number> {
    if (!(name in METRICS)) throw new TypeError(`no metric ${name} in the table`);
    let series = this.#values.get(name);
    if (series === undefined) {
      series = new Map();
      this.#values.set(name, series);
    }
    return series;
  }

  #key(series: ReadonlyMap<string, number>, labels: unknown): string {
    const key = labels === undefined ? "" : Object.values(labels as Record<string, string>).join(",");
    return series.has(key) || series.size < MAX_SERIES ? key : "other";
  }
}

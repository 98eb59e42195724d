/** A meter that adds up, for assertions. */
import type { Meter } from "../../src/kernel/meter.ts";

/** A meter and its sums: `name` or `name{label=value,…}`, gauges with their last value. */
export function recordingMeter(): Meter & { readonly sums: Map<string, number>; sum(name: string): number } {
  const sums = new Map<string, number>();
  const key = (name: string, labels: object | undefined): string => {
    const facts = Object.entries(labels ?? {}).map(([label, value]) => `${label}=${String(value)}`);
    return facts.length === 0 ? name : `${name}{${facts.join(",")}}`;
  };
  const add = (name: string, value: number, labels?: object): void => {
    sums.set(key(name, labels), (sums.get(key(name, labels)) ?? 0) + value);
  };
  return {
    sums,
    /** Sum over all keys that begin with `name`. */
    sum: (name) => [...sums].reduce((sum, [at, value]) => (at.startsWith(name) ? sum + value : sum), 0),
    count: (name, value, ...labels) => add(name, value, labels[0]),
    gauge: (name, value, ...labels) => void sums.set(key(name, labels[0]), value),
    observe: (name, value, ...labels) => add(name, value, labels[0]),
  };
}

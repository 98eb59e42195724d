/** The host of a chain under test: what a plugin offers and says is kept for assertions. */
import type { Host } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { FakeClock } from "./fake-clock.ts";
import { type LogLine, recordingLog } from "./recording-log.ts";

/** A host and what it was told. */
export interface ChainHost extends Host {
  readonly clock: FakeClock;
  /** Every offer, `undefined` for a withdrawal. */
  readonly offers: (AuxWork | undefined)[];
  /** Every change of the trouble sentence. */
  readonly troubles: (string | undefined)[];
  readonly counts: Map<string, number>;
  readonly gauges: Map<string, number>;
  readonly log: Host["log"] & { readonly lines: LogLine[] };
  readonly controller: AbortController;
}

/** Makes a host for the chain `chain`. */
export function chainHost(chain = "chain"): ChainHost {
  const controller = new AbortController();
  const offers: (AuxWork | undefined)[] = [];
  const troubles: (string | undefined)[] = [];
  const counts = new Map<string, number>();
  const gauges = new Map<string, number>();
  return {
    chain,
    folder: "/etc/pool",
    signal: controller.signal,
    controller,
    log: recordingLog(),
    meter: {
      count: (name, value = 1) => void counts.set(name, (counts.get(name) ?? 0) + value),
      gauge: (name, value) => void gauges.set(name, value),
      daemon: () => {},
    },
    clock: new FakeClock(),
    offers,
    troubles,
    counts,
    gauges,
    offer: (work) => void offers.push(work),
    trouble: (sentence) => {
      if (troubles.length === 0 || troubles.at(-1) !== sentence) troubles.push(sentence);
    },
  };
}

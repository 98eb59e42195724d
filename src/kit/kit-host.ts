/** The host as a plugin sees it, that remembers what it was told and lets the kit wait for it. */
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { ChainMeter, Host } from "../merge/plugin.ts";
import { workFlaw } from "../merge/shapes.ts";
import type { AuxWork } from "../mining/aux.ts";
import { realClock } from "./real-clock.ts";
import type { Witness } from "./witness.ts";

/** One call of `Host.offer`. */
export interface Offer {
  /** What was offered, if it had the right shape. */
  readonly work: AuxWork | undefined;
  /** What was wrong with its shape. */
  readonly flaw: string | undefined;
}

/** The host of one chain of one session. */
export class KitHost implements Host {
  readonly chain: string;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly meter: ChainMeter;
  readonly clock: Clock = realClock;
  /** All offers, oldest first. */
  readonly offers: Offer[] = [];
  /** What `trouble` was last told; `undefined` for nothing or for all well. */
  troubled: string | undefined;
  readonly #witness: Witness;
  #listeners: (() => void)[] = [];

  constructor(
    deps: { readonly witness: Witness },
    options: { readonly chain: string; readonly folder: string; readonly signal: AbortSignal },
  ) {
    this.#witness = deps.witness;
    this.chain = options.chain;
    this.folder = options.folder;
    this.signal = options.signal;
    this.log = deps.witness.log({ chain: options.chain });
    this.meter = deps.witness.meter();
  }

  // Fields, since plugins take them out of the object.
  readonly offer = (work: AuxWork | undefined): void => {
    const flaw = work === undefined ? undefined : workFlaw(work);
    this.offers.push({ work: flaw === undefined ? work : undefined, flaw });
    if (work !== undefined && flaw === undefined)
      this.#witness.hear("the details of a work", { ...work.details, id: work.id });
    this.#changed();
  };

  readonly trouble = (sentence: string | undefined): void => {
    this.troubled = sentence;
    if (sentence !== undefined) this.#witness.trouble(sentence);
    this.#changed();
  };

  /** The newest work; `undefined` when there is none or it was withdrawn. */
  get work(): AuxWork | undefined {
    return this.offers.at(-1)?.work;
  }

  /** Waits until `met`; resolves with whether it was within `withinMs`. Asked again at each offer and each trouble. */
  until(met: () => boolean, withinMs: number): Promise<boolean> {
    if (met()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (result: boolean): void => {
        timer.cancel();
        this.#listeners = this.#listeners.filter((each) => each !== ask);
        resolve(result);
      };
      const ask = (): void => {
        if (met()) done(true);
      };
      const timer = realClock.after(withinMs, () => done(met()));
      this.#listeners.push(ask);
    });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

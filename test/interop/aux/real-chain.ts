/** A chain of one of our plugins, opened on a real daemon without the host: what it offers is kept with its time. */
import { tmpdir } from "node:os";
import { systemClock } from "../../../src/app/system.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import type { Chain, ChainPlugin, Host } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";

/** An offer and when it came, monotonic ms. */
export interface TimedOffer {
  readonly atMs: number;
  readonly work: AuxWork | undefined;
}

/** An open chain. */
export class RealChain {
  readonly chain: Chain;
  readonly offers: TimedOffer[] = [];
  trouble: string | undefined;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();

  private constructor(plugin: ChainPlugin, table: unknown) {
    const host: Host = {
      chain: plugin.name,
      folder: tmpdir(),
      signal: this.#stop.signal,
      log: silentLog,
      clock: systemClock,
      meter: { count() {}, gauge() {}, daemon() {} },
      offer: (work) => {
        this.offers.push({ atMs: performance.now(), work });
        for (const check of [...this.#listeners]) check();
      },
      trouble: (sentence) => {
        this.trouble = sentence;
      },
    };
    this.chain = plugin.open(plugin.config.parse(table), host);
  }

  /** Opens `plugin` with the chain's `table` and starts it. */
  static async open(plugin: ChainPlugin, table: unknown): Promise<RealChain> {
    const opened = new RealChain(plugin, table);
    await opened.chain.start();
    return opened;
  }

  /** The first offer from the `from`th on that is work and that `wanted` likes. */
  async offer(wanted: (work: AuxWork) => boolean = () => true, from = 0): Promise<TimedOffer & { work: AuxWork }> {
    return await new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(check);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`no such work was offered; trouble: ${this.trouble ?? "none"}`));
      }, 30_000);
      const check = (): void => {
        for (const offer of this.offers.slice(from)) {
          if (offer.work === undefined || !wanted(offer.work)) continue;
          end();
          resolve({ atMs: offer.atMs, work: offer.work });
          return;
        }
      };
      this.#listeners.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the test is over"));
    await this.chain.stop();
  }
}

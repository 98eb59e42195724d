/**
 * Warns when merge mining makes coinbases longer than firmware in the field takes: it would cut them off without a word and
 * hash work that no chain accepts. Miners that speak SV2 with standard channels never see a coinbase.
 */
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Job } from "../mining/job.ts";
import type { JobFeed } from "../mining/ports.ts";

/** Bytes of coinbase that firmware takes (SneezeGUI/SparkMiner#25, bitaxeorg/ESP-Miner#1897, NerdMiner_v2#807, Canaan/MM#2). */
const FIRMWARE: readonly (readonly [bytes: number, name: string])[] = [
  [256, "SparkMiner"],
  [384, "ESP-Miner (Bitaxe) of before 2026"],
  [512, "NerdMiner"],
  [6144, "Canaan"],
];

/** Says it once for each limit. */
export class CoinbaseWatch implements Part {
  readonly name = "coinbase watch";
  readonly #deps: { readonly log: Log; readonly jobs: JobFeed };
  readonly #reserveBytes: number;
  #told = 0;
  #unsubscribe: Unsubscribe | undefined;

  /** `reserveBytes`: what a channel's own payout may add to the pool's coinbase; 0 when left out. */
  constructor(deps: { readonly log: Log; readonly jobs: JobFeed }, options: { readonly reserveBytes?: number } = {}) {
    this.#deps = deps;
    this.#reserveBytes = options.reserveBytes ?? 0;
  }

  async start(_signal: AbortSignal): Promise<void> {
    this.#unsubscribe = this.#deps.jobs.onJob((job) => this.#look(job));
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
  }

  #look({ aux, coinbasePrefix, coinbaseSuffix, extranonceSize }: Job): void {
    if (aux === undefined) return;
    const bytes = coinbasePrefix.length + extranonceSize + coinbaseSuffix.length + this.#reserveBytes;
    const passed = FIRMWARE.filter(([limit]) => bytes > limit && limit > this.#told);
    const [last] = passed.slice(-1);
    if (last === undefined) return;
    this.#told = last[0];
    const names = passed.map(([limit, name]) => `${name} beyond ${limit}`).join(", ");
    this.#deps.log.warn(
      `coinbases have ${bytes} bytes now, and some firmware behind translators cuts them off (${names}); merge_mining.coinbase_max_bytes keeps them shorter`,
      { bytes, chains: aux.entries.map(({ chain }) => chain) },
    );
  }
}

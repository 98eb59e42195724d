/**
 * From a share to a proof. The share path only compares bytes; what it finds is queued, and proofs are built afterwards, one a
 * turn of the event loop, so that no share and no Bitcoin block waits for them. The queue is bounded: on a network without
 * difficulty every share solves every chain. When it is full, spares make room for the first solution of another block.
 *
 * Chains refuse some parent headers whatever their hash (reference: Namecoin `CheckProofOfWork`): those with version bit 8, the AuxPoW
 * flag, set, and strict chains those whose version carries their own chain ID in its upper half. Miners roll version bits, so
 * both happen; such a solution is counted and never submitted.
 */
import { meetsTargetBytes } from "../bitcoin/target.ts";
import { toDisplayHex } from "../kernel/bytes.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { AuxEntry, AuxSnapshot } from "../mining/aux.ts";
import type { HashedShare } from "../mining/downstream-deps.ts";
import type { Job } from "../mining/job.ts";
import type { Spares } from "./spares.ts";

/** Version bit 8: the header says that it has an AuxPoW itself. */
const AUXPOW_FLAG = 0x100;

/** Least time between two warnings about the same loss of a chain. */
const WARN_EVERY_MS = 600_000;

const DROPPED = "a solution was dropped: too many wait for their proof";

/** A share that solves a chain's work, copied from the share path. */
export interface Find {
  readonly job: Job;
  readonly entry: AuxEntry;
  /** The 80 bytes of the header. */
  readonly header: Uint8Array;
  /** Its hash in display hex. */
  readonly headerHash: string;
  /** Whole extranonce. */
  readonly extranonce: Uint8Array;
  readonly userIdentity: string;
  /** Wall time, ms since the Unix epoch. */
  readonly foundMs: number;
  /** Whether another solution of the same block was on its way already. */
  readonly isSpare: boolean;
}

/** Why a solution was not submitted: labels of `aux_lost_total`. */
export type Loss = "parent_version" | "chain_id" | "proof" | "overflow" | "spare";

/** What `Finds` works with. */
export interface FindsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly spares: Spares;
  /** Builds the proof and so on; a throw is logged. */
  readonly take: (find: Find) => void;
  /** A solution was found at this wall time, ms; told at once, from the share path. Must not throw. */
  readonly onFind?: (foundMs: number) => void;
}

/** Options of `Finds`. */
export interface FindsOptions {
  /** Solutions that may wait for their proof. */
  readonly queueSize: number;
}

/** Finds solutions in shares. */
export class Finds {
  readonly #deps: FindsDeps;
  readonly #options: FindsOptions;
  readonly #queue: Find[] = [];
  readonly #counts = new Map<string, number>();
  readonly #warnings = new Map<string, { warnedMs: number; unsaid: number }>();
  #timer: Timer | undefined;

  constructor(deps: FindsDeps, options: FindsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Solutions that wait for their proof. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Solutions of a chain since the start. */
  found(chain: string): number {
    return this.#counts.get(chain) ?? 0;
  }

  /** Looks which chains a share solves whose hash meets the easiest of their targets. Never throws. */
  look(share: HashedShare, aux: AuxSnapshot): void {
    try {
      for (const entry of aux.entries) if (meetsTargetBytes(share.hash, entry.target)) this.#find(share, entry);
    } catch (error) {
      this.#deps.log.error(`a share could not be looked at for aux chains: ${describe(error)}`, { error });
    }
  }

  /** Builds the proofs that wait at once. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (let find = this.#queue.shift(); find !== undefined; find = this.#queue.shift()) this.#take(find);
  }

  /** Counts a solution that is not submitted; the log hears of each kind now and then. */
  lost(chain: string, reason: Loss, sentence: string): void {
    const { clock, log, meter } = this.#deps;
    meter.count("aux_lost_total", 1, { chain, reason });
    // A spare that is not needed is no loss: its block was won by another share.
    if (reason === "spare") {
      log.debug(`${chain}: ${sentence}`, { chain, reason });
      return;
    }
    const nowMs = clock.monotonicMs();
    const key = `${chain} ${reason}`;
    const last = this.#warnings.get(key);
    if (last !== undefined && nowMs - last.warnedMs < WARN_EVERY_MS) {
      last.unsaid += 1;
      return;
    }
    const more = last === undefined || last.unsaid === 0 ? "" : ` (and ${last.unsaid} more since the last such line)`;
    this.#warnings.set(key, { warnedMs: nowMs, unsaid: 0 });
    log[reason === "overflow" ? "error" : "warn"](`${chain}: ${sentence}${more}`, { chain, reason });
  }

  #find(share: HashedShare, entry: AuxEntry): void {
    const { clock, spares } = this.#deps;
    const { chain, work, slot } = entry;
    const { header, job, userIdentity } = share;
    const flaw = slot === undefined ? undefined : versionFlaw(header, slot);
    if (flaw !== undefined) {
      this.#count(chain);
      this.lost(chain, flaw.reason, flaw.sentence);
      return;
    }
    const headerHash = toDisplayHex(share.hash);
    const isAuxPow = slot !== undefined;
    const isSpare = !spares.isUntried(chain, work, isAuxPow);
    const reservation = spares.reserve(chain, work, isAuxPow, headerHash);
    if (reservation === "known") return;
    this.#count(chain);
    if (reservation === "late") {
      this.lost(chain, "spare", "a solution more than needed");
      return;
    }
    const isFull = this.#queue.length >= this.#options.queueSize;
    if (isFull && (isSpare || !this.#dropSpare())) {
      spares.drop(chain, work, isAuxPow);
      this.lost(chain, isSpare ? "spare" : "overflow", DROPPED);
      return;
    }
    const extranonce = share.extranonce().slice();
    const foundMs = clock.nowMs();
    this.#queue.push({ job, entry, header: header.slice(), headerHash, extranonce, userIdentity, foundMs, isSpare });
    this.#deps.onFind?.(foundMs);
    this.#timer ??= clock.after(0, () => this.#turn());
  }

  /** Makes room at the expense of the newest spare: one easy chain's must not cost another chain its block. */
  #dropSpare(): boolean {
    const at = this.#queue.findLastIndex(({ isSpare }) => isSpare);
    const [spare] = at === -1 ? [] : this.#queue.splice(at, 1);
    if (spare === undefined) return false;
    const { chain, work, slot } = spare.entry;
    this.#deps.spares.drop(chain, work, slot !== undefined);
    this.lost(chain, "spare", DROPPED);
    return true;
  }

  #count(chain: string): void {
    this.#deps.meter.count("aux_blocks_found_total", 1, { chain });
    this.#counts.set(chain, this.found(chain) + 1);
  }

  #turn(): void {
    this.#timer = undefined;
    const find = this.#queue.shift();
    if (find === undefined) return;
    if (this.#queue.length > 0) this.#timer = this.#deps.clock.after(0, () => this.#turn());
    this.#take(find);
  }

  #take(find: Find): void {
    try {
      this.#deps.take(find);
    } catch (error) {
      const { chain, work, slot } = find.entry;
      this.#deps.spares.release(chain, work, slot !== undefined);
      this.lost(chain, "proof", `a solution was lost by a mistake in this program: ${describe(error)}`);
    }
  }
}

/** Which rule of AuxPoW chains about the parent's version a header breaks. */
function versionFlaw(
  header: Uint8Array,
  slot: { readonly chainId: number; readonly strictChainId: boolean },
): { readonly reason: Loss; readonly sentence: string } | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = header;
  const version = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  const shown = `0x${version.toString(16).padStart(8, "0")}`;
  if ((version & AUXPOW_FLAG) !== 0) {
    const sentence = `a solution is worth nothing: its header version ${shown} has bit 8 set, which AuxPoW chains refuse; let miners roll BIP320's bits only`;
    return { reason: "parent_version", sentence };
  }
  if (slot.strictChainId && version >>> 16 === slot.chainId) {
    const sentence = `a solution is worth nothing: its rolled header version ${shown} carries the chain's own ID ${slot.chainId}`;
    return { reason: "chain_id", sentence };
  }
  return undefined;
}

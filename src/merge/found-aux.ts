/** A block of an auxiliary chain that a share solved, and the ports through which it is kept and told. */
import type { AuxWork } from "../mining/aux.ts";
import type { Outcome, Proof } from "./plugin.ts";

/** A solved work with everything needed to submit it again after a restart. Serialisable. */
export interface FoundAux {
  /** `<chain>:<work id>:<header hash in display hex>`: the same share gives the same key. */
  readonly key: string;
  readonly chain: string;
  readonly work: AuxWork;
  readonly proof: Proof;
  /** User identity that found it. */
  readonly userIdentity: string;
  readonly jobId: number;
  /** Height of the parent (Bitcoin) block that the share was for. */
  readonly parentHeight: number;
  /** Wall time of the find, ms since the Unix epoch. */
  readonly foundMs: number;
}

/** A final word on a found block. */
export interface AuxAnswer {
  readonly verdict: Outcome["verdict"] | "failed";
  readonly reason: string;
  readonly blockHash: string;
  readonly height: number;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** Keeps found blocks over a crash. */
export interface FoundAuxStore {
  /** Resolves once `found` is safe on disk; it is submitted only then. Rejects with a `Fault` when it could not be written. */
  add(found: FoundAux): Promise<void>;
  /** Marks `found` as finished; keeps it all the same if it was never added. */
  settle(found: FoundAux, answer: AuxAnswer): Promise<void>;
  /** Those that were added and never settled, oldest first; asked once at start. */
  unsettled(): Promise<readonly FoundAux[]>;
}

/** Events of merge mining on the bus. */
export interface MergeEvents {
  /** A share solved a work; it is written down and will be submitted. */
  readonly AuxBlockFound: FoundAux;
  /** A daemon, or the end of all attempts, decided about a found block; also about one whose proof was wrong, which no `AuxBlockFound` came before. */
  readonly AuxBlockAnswered: { readonly found: FoundAux; readonly answer: AuxAnswer };
  /** A chain joined or left the jobs, or its health changed. */
  readonly ChainChanged: { readonly chain: string; readonly state: string; readonly trouble: string | undefined };
}

/** The part of a bus that merge mining talks to; any `Bus` that has these events is one. */
export interface MergeBus {
  emit<N extends keyof MergeEvents>(name: N, event: MergeEvents[N]): void;
}

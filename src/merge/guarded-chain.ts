/**
 * A chain's plugin as the flow of merge mining sees it: behind the host's guards, so that every call has a deadline and a
 * plugin that was stopped answers with a rejection instead of silence.
 */
import type { AuxWork } from "../mining/aux.ts";
import type { ChainPolicy, Commitment, Outcome, Proof } from "./plugin.ts";

/** What merge mining asks of a running chain. */
export interface GuardedChain {
  /** The ID in its commitments where its plugin says it in advance; `undefined` where it does not, and for chains without. */
  readonly chainId?: number | undefined;
  /** What must stand in the coinbase for `work`; called once for each work. May throw, which isolates the chain. */
  commit(work: AuxWork): readonly Commitment[];
  /** Why the daemon would refuse `proof`, or `undefined`; also `undefined` for a plugin that has no such check. May throw. */
  verify(proof: Proof): string | undefined;
  /** The daemon's final word; rejects when there is none for now, and then the same proof is submitted again. */
  submit(proof: Proof): Promise<Outcome>;
}

/** A chain that joins merge mining. */
export interface JoiningChain {
  /** As configured: `namecoin` of `[chains.namecoin]`. */
  readonly name: string;
  readonly policy: ChainPolicy;
  readonly chain: GuardedChain;
}

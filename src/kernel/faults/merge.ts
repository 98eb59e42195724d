/** Faults of the merge-mining core: commitments, proofs and found aux blocks. */
import { faults } from "./row.ts";

/** Rows of `src/merge`. */
export const MERGE_FAULTS = faults({
  "merge-chain-id-twice": {
    act: "isolate",
    what: "two AuxPoW chains have the same chain ID",
    help: "Chains with the same ID meet at one place of every tree of aux chains, so one parent block cannot commit to both. Switch off one of the two in the configuration.",
  },
  "merge-chain-id-changed": {
    act: "isolate",
    what: "a chain's ID is not what it was",
    help: "A chain has the same ID for every work. See whether the chain's daemons all belong to the same network; if so, this is a mistake in the plugin.",
  },
});

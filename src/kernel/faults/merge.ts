/** Faults of the merge-mining core: commitments, proofs and found aux blocks. */
import { faults } from "./row.ts";

/** Rows of `src/merge`. */
export const MERGE_FAULTS = faults({});

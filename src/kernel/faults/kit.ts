/** Faults of the conformance kit. */
import { faults } from "./row.ts";

/** Rows of `src/kit`. */
export const KIT_FAULTS = faults({});

/** Faults of `mining`. */
import { faults } from "./row.ts";

/** Rows thrown by `mining`. */
export const MINING_FAULTS = faults({});

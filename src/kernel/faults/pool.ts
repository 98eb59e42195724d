/** Faults of `pool`. */
import { faults } from "./row.ts";

/** Rows thrown by `pool`. */
export const POOL_FAULTS = faults({});

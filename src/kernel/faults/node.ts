/** Faults of `node`. */
import { faults } from "./row.ts";

/** Rows thrown by `node`. */
export const NODE_FAULTS = faults({});

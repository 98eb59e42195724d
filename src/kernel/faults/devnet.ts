/** Faults of `devnet`. */
import { faults } from "./row.ts";

/** Rows thrown by `devnet`. */
export const DEVNET_FAULTS = faults({});

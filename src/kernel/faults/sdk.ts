/** Faults of what plugins are built with: daemons and the AuxPoW driver. */
import { faults } from "./row.ts";

/** Rows of `src/sdk`. */
export const SDK_FAULTS = faults({});

/** Faults of finding, loading and running chain plugins, and the control API. */
import { faults } from "./row.ts";

/** Rows of `src/host`. */
export const HOST_FAULTS = faults({});

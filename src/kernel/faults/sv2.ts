/** Faults of `sv2`. */
import { faults } from "./row.ts";

/** Rows thrown by `sv2`. */
export const SV2_FAULTS = faults({});

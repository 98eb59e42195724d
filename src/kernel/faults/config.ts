/** Faults of `config`. */
import { faults } from "./row.ts";

/** Rows thrown by `config`. */
export const CONFIG_FAULTS = faults({});

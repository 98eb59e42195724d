/** Faults of the conformance kit. */
import { faults } from "./row.ts";

/** Rows of `src/kit`. */
export const KIT_FAULTS = faults({
  "kit-port-taken": {
    act: "retry",
    what: "a pretend daemon did not get its port back",
    help: "Another program took the port while the daemon was down for a check. Run the checks again.",
  },
});

/** Faults of starting and stopping the program's parts. */
import { faults } from "./row.ts";

/** Rows thrown by `kernel/lifecycle.ts`. */
export const LIFECYCLE_FAULTS = faults({
  "start-failed": {
    act: "halt",
    what: "a part of the program could not start",
    help: "The cause follows in the same message; mend it and start again. `bllvm-stratum-v2 doctor` checks the usual ones.",
  },
  "stop-timeout": {
    act: "halt",
    what: "a part of the program did not stop in time",
    help: "The program ends without waiting for it. Found blocks were submitted before; report this with the log.",
  },
});

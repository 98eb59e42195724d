/** Faults of the conformance kit. */
import { faults } from "./row.ts";

/** Rows of `src/kit`. */
export const KIT_FAULTS = faults({
  "kit-port-taken": {
    act: "retry",
    what: "a pretend daemon did not get its port back",
    help: "Another program took the port while the daemon was down for a check. Run the checks again.",
  },
  "plugin-rehearsal-missing": {
    act: "halt",
    what: "the folder of a plugin has no rehearsal",
    help: "The kit checks a plugin against a pretend daemon. Write kit.js that exports `rehearsal`: docs/plugins.md shows how, plugins/template has one.",
  },
  "plugin-rehearsal-shape": {
    act: "halt",
    what: "the rehearsal of a plugin cannot be used",
    help: "kit.js exports `rehearsal`, an object with a function `open` that resolves with a stage; docs/plugins.md has an example.",
  },
  "plugin-new-name": {
    act: "halt",
    what: "a plugin cannot have this name",
    help: "A name has 1 to 32 characters of a-z, 0-9 and -, and begins with a letter, e.g. namecoin.",
  },
  "plugin-new-folder": {
    act: "halt",
    what: "the folder of a new plugin cannot be made",
    help: "Nothing that exists is written over: choose another name or another --dir, one that this user may write to.",
  },
});

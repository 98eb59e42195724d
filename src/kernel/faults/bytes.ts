/** Faults of decoding bytes. */
import { faults } from "./row.ts";

/** Rows for `kernel/reader.ts` and what is built on it. */
export const BYTES_FAULTS = faults({
  "bytes-truncated": {
    act: "drop",
    what: "a read went past the end of the data",
    help: "The sender's data is shorter than its format demands. If it keeps happening, record the bytes and report them to the sender's vendor.",
  },
  "bytes-trailing": {
    act: "drop",
    what: "the data goes on after its last field",
    help: "The sender speaks another version of the format or appends what was not negotiated.",
  },
});

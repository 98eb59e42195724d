/** Faults of `bitcoin`: what consensus bytes, addresses and descriptors can be wrong in. */
import { faults } from "./row.ts";

/** Rows thrown by `bitcoin`. */
export const BITCOIN_FAULTS = faults({
  "compact-size-invalid": {
    act: "drop",
    what: "a CompactSize is not in its shortest form or is larger than 32 MiB",
    help: "Bitcoin refuses such data, so whoever made it has a defect; report the bytes to its vendor.",
  },
  "compact-target-invalid": {
    act: "drop",
    what: "a compact target is negative or does not fit 256 bits",
    help: "No Bitcoin node sends such nBits; check that the address in the config is a Bitcoin node's.",
  },
  "transaction-malformed": {
    act: "drop",
    what: "a transaction does not follow the serialisation of BIP144",
    help: "Whoever sent it has a defect; record the bytes and report them to its vendor.",
  },
  "coinbase-script-too-long": {
    act: "halt",
    what: "the coinbase script would be outside of Bitcoin's 2 to 100 bytes",
    help: "Shorten the pool tag, or merge-mine fewer chains that write into the coinbase script.",
  },
  "address-invalid": {
    act: "halt",
    what: "a Bitcoin address cannot be used",
    help: "The cause and, if known, the network it belongs to stand beside it. Copy the address again from your wallet, and see that `network` in the config is the one you mean.",
  },
  "descriptor-invalid": {
    act: "halt",
    what: "an output descriptor cannot be used",
    help: "Give a plain address, `addr(ADDRESS)` or `raw(HEX)`, each with or without `#checksum`. Descriptors with keys are not derived here: let your wallet derive an address from them.",
  },
});

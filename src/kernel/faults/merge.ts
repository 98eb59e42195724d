/** Faults of the merge-mining core: commitments, proofs and found aux blocks. */
import { faults } from "./row.ts";

/** Rows of `src/merge`, and of the journal of its blocks in `src/ledger`. */
export const MERGE_FAULTS = faults({
  "merge-work-invalid": {
    act: "isolate",
    what: "a chain's plugin offered work of a wrong shape",
    help: "This is a mistake in the plugin: `AuxWork` of bllvm-stratum-v2/plugin says what each field may hold. `bllvm-stratum-v2 plugin check <folder>` finds such mistakes.",
  },
  "merge-commitment-invalid": {
    act: "isolate",
    what: "a chain's plugin made a commitment that cannot stand in a coinbase",
    help: "This is a mistake in the plugin: `Commitment` of bllvm-stratum-v2/plugin says what each field may hold. `bllvm-stratum-v2 plugin check <folder>` finds such mistakes.",
  },
  "merge-commit-failed": {
    act: "isolate",
    what: "a chain's plugin failed to make a commitment",
    help: "This is a mistake in the plugin: commit must be pure and must not throw for work that the plugin offered itself. The cause is the plugin's own error.",
  },
  "merge-journal-folder": {
    act: "halt",
    what: "the folder of found aux blocks cannot be used",
    help: "data_dir/aux-blocks must be a folder that this user may read and write; the cause names the system's error.",
  },
  "merge-journal": {
    act: "retry",
    what: "a found aux block could not be written to disk",
    help: "It is submitted all the same, but a crash before the daemon's answer would lose it. See that data_dir/aux-blocks is writable and that the disk is not full.",
  },
  "merge-journal-entry": {
    act: "halt",
    what: "the file of a found aux block cannot be read",
    help: "It stays where it is and nothing is submitted from it. If the block matters, submit its proof by hand (submitauxblock or the chain's like); else delete the file.",
  },
  "merge-proof-wrong": {
    act: "isolate",
    what: "the proof of a solved aux block failed our own check and was not submitted",
    help: "This is a mistake in bllvm-stratum-v2 or, if the plugin's own check refused it, in the plugin. The proof is kept in data_dir/aux-blocks: please report it with that file.",
  },
  "merge-chain-id-twice": {
    act: "isolate",
    what: "two AuxPoW chains have the same chain ID",
    help: "Chains with the same ID meet at one place of every tree of aux chains, so one parent block cannot commit to both. Switch off one of the two in the configuration.",
  },
});

/** Events of the chain and of its rules. */
import { bool, hash, string, u32, u64, usize } from "../bincode.ts";
import { option } from "../compound.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of the chain and of its rules. */
export const CHAIN_EVENTS = {
  NewBlock: event({
    type: at(0, 0, 0, 0, 0, 0, 0, 0),
    index: at(0, 0, 0, 0, 0, 0, 0, 0),
    doc: "A block became the tip.",
    fields: { blockHash: hash, height: u64 },
  }),
  NewTransaction: event({
    type: at(1, 1, 1, 1, 1, 1, 1, 1),
    index: at(1, 1, 1, 1, 1, 1, 1, 1),
    doc: "A transaction came in.",
    fields: { txHash: hash },
  }),
  BlockDisconnected: event({
    type: at(2, 2, 2, 2, 2, 2, 2, 2),
    index: at(2, 2, 2, 2, 2, 2, 2, 2),
    doc: "A block left the best chain.",
    fields: { hash: hash, height: u64 },
  }),
  ChainReorg: event({
    type: at(3, 3, 3, 3, 3, 3, 3, 3),
    index: at(3, 3, 3, 3, 3, 3, 3, 3),
    doc: "The best chain changed its branch.",
    fields: { oldTip: hash, newTip: hash },
  }),
  BlockValidationStarted: event({
    type: at(no, 48, 50, 45, 45, 45, 45, 45),
    index: at(no, 46, 48, 43, 43, 43, 43, 43),
    doc: "A block is being checked.",
    fields: { blockHash: hash, height: u64 },
  }),
  BlockValidationCompleted: event({
    type: at(no, 49, 51, 46, 46, 46, 46, 46),
    index: at(no, 47, 49, 44, 44, 44, 44, 44),
    doc: "A block was checked.",
    fields: { blockHash: hash, height: u64, success: bool, validationTimeMs: u64, error: option(string) },
  }),
  ScriptVerificationStarted: event({
    type: at(no, 50, 52, 47, 47, 47, 47, 47),
    index: at(no, 48, 50, 45, 45, 45, 45, 45),
    doc: "An input's scripts are being run.",
    fields: { txHash: hash, inputIndex: usize },
  }),
  ScriptVerificationCompleted: event({
    type: at(no, 51, 53, 48, 48, 48, 48, 48),
    index: at(no, 49, 51, 46, 46, 46, 46, 46),
    doc: "An input's scripts were run.",
    fields: { txHash: hash, inputIndex: usize, success: bool, verificationTimeMs: u64 },
  }),
  UTXOValidationStarted: event({
    type: at(no, 52, 54, 49, 49, 49, 49, 49),
    index: at(no, 50, 52, 47, 47, 47, 47, 47),
    doc: "A block's outputs are being looked up.",
    fields: { blockHash: hash, height: u64 },
  }),
  UTXOValidationCompleted: event({
    type: at(no, 53, 55, 50, 50, 50, 50, 50),
    index: at(no, 51, 53, 48, 48, 48, 48, 48),
    doc: "A block's outputs were looked up.",
    fields: { blockHash: hash, height: u64, success: bool },
  }),
  DifficultyAdjusted: event({
    type: at(no, 54, 56, 51, 51, 51, 51, 51),
    index: at(no, 52, 54, 49, 49, 49, 49, 49),
    doc: "The target was adjusted; the values are compact targets.",
    fields: { oldDifficulty: u32, newDifficulty: u32, height: u64 },
  }),
  SoftForkActivated: event({
    type: at(no, 55, 57, 52, 52, 52, 52, 52),
    index: at(no, 53, 55, 50, 50, 50, 50, 50),
    doc: "A soft fork is active.",
    fields: { forkName: string, height: u64 },
  }),
  SoftForkLockedIn: event({
    type: at(no, 56, 58, 53, 53, 53, 53, 53),
    index: at(no, 54, 56, 51, 51, 51, 51, 51),
    doc: "A soft fork is locked in.",
    fields: { forkName: string, height: u64 },
  }),
  ConsensusRuleViolation: event({
    type: at(no, 57, 59, 54, 54, 54, 54, 54),
    index: at(no, 55, 57, 52, 52, 52, 52, 52),
    doc: "A block or transaction broke a rule.",
    fields: { ruleName: string, blockHash: option(hash), txHash: option(hash), error: string },
  }),
  UtxoCommitmentReceived: event({
    type: at(no, 95, 107, 102, 102, 103, 103, 103),
    index: at(no, 93, 106, 102, 102, 103, 103, 103),
    doc: "A commitment to the unspent outputs came.",
    fields: { blockHash: hash, height: u64, commitmentHash: hash, peerAddr: string },
  }),
  UtxoCommitmentVerified: event({
    type: at(no, 96, 108, 103, 103, 104, 104, 104),
    index: at(no, 94, 107, 103, 103, 104, 104, 104),
    doc: "A commitment to the unspent outputs was checked.",
    fields: { blockHash: hash, height: u64, commitmentHash: hash, valid: bool },
  }),
} as const;

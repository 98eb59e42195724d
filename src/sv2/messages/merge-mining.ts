/**
 * Extension 0x4d4d, merge mining (docs/extension-merge-mining.md): a client that makes coinbases of its own is given what they must hold so
 * that its work counts for the server's auxiliary chains, whenever that changes, and is told for which chains its jobs count. It is ours and
 * experimental; its number is of the range that the spec keeps for that, 0x4000 to 0x7fff (spec 3.4), and reads "MM" in ASCII.
 */
import { b0_255, seq0_255, str0_255, u8, u16, u32, u64 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Extension type of merge mining. */
export const MERGE_MINING_TYPE = 0x4d4d;

/** `maxBytesAfter` of an output that anything may follow. */
export const NO_LIMIT_AFTER = 0xffff_ffff;

/** Messages of merge mining by name. The first three go over a job declaration connection, the last over a mining connection. */
export const MERGE_MINING = {
  SubscribeCommitments: message({
    type: 0x00,
    to: "server",
    channel: false,
    spec: "extension-merge-mining.md",
    doc: "Ask for the commitments that fit into so many bytes of the scriptSig and of the outputs, now and at every change. Takes the place of the subscription before.",
    fields: { requestId: u32, maxScriptSigSize: u8, maxOutputsSize: u16 },
  }),
  SubscribeCommitmentsSuccess: message({
    type: 0x01,
    to: "client",
    channel: false,
    spec: "extension-merge-mining.md",
    doc: "Commitments follow, not more often than every so many ms; jobs that lack the newest ones count for as long as `Commitments` says.",
    fields: { requestId: u32, minIntervalMs: u32 },
  }),
  Commitments: message({
    type: 0x02,
    to: "client",
    channel: false,
    spec: "extension-merge-mining.md",
    doc: "What a coinbase must hold to count for `chains`. The lists about outputs have one entry for each output, in the order in which they are to stand.",
    fields: {
      requestId: u32,
      commitmentsId: u64,
      chains: seq0_255(str0_255),
      scriptSig: b0_255,
      outputScripts: seq0_255(b0_255),
      maxBytesAfter: seq0_255(u32),
      firstMarks: seq0_255(b0_255),
      lastMarks: seq0_255(b0_255),
      forbiddenMarks: seq0_255(b0_255),
    },
  }),
  CustomJobChains: message({
    type: 0x03,
    to: "client",
    channel: true,
    spec: "extension-merge-mining.md",
    doc: "The chains that shares of a custom job count for, right behind its SetCustomMiningJob.Success.",
    fields: { channelId: u32, jobId: u32, chains: seq0_255(str0_255) },
  }),
} as const;

/** Codec of `MERGE_MINING`. */
export const mergeMining = codec(MERGE_MINING, MERGE_MINING_TYPE);

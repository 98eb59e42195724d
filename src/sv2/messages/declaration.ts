/** The job declaration protocol: spec section 6.4. None of its messages has the channel bit. */
import { b0_16m, b0_32, b0_64k, b0_255, seq0_64k, str0_255, u16, u32, u256 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Job declaration messages by name. */
export const DECLARATION = {
  AllocateMiningJobToken: message({
    type: 0x50,
    to: "server",
    channel: false,
    spec: "6.4.2",
    doc: "Ask for a token to declare a job under.",
    fields: { userIdentifier: str0_255, requestId: u32 },
  }),
  AllocateMiningJobTokenSuccess: message({
    type: 0x51,
    to: "client",
    channel: false,
    spec: "6.4.3",
    doc: "A token and the outputs that the pool wants in the coinbase, behind their CompactSize count; the first is the payout.",
    fields: { requestId: u32, miningJobToken: b0_255, coinbaseTxOutputs: b0_64k },
  }),
  ProvideMissingTransactions: message({
    type: 0x55,
    to: "client",
    channel: false,
    spec: "6.4.7",
    doc: "Ask for the transactions of a declared job that the server does not have, by their positions.",
    fields: { requestId: u32, unknownTxPositionList: seq0_64k(u16) },
  }),
  ProvideMissingTransactionsSuccess: message({
    type: 0x56,
    to: "server",
    channel: false,
    spec: "6.4.8",
    doc: "The missing transactions in the order asked for.",
    fields: { requestId: u32, transactionList: seq0_64k(b0_16m) },
  }),
  DeclareMiningJob: message({
    type: 0x57,
    to: "server",
    channel: false,
    spec: "6.4.4",
    doc: "Declare a whole template: the coinbase around the extranonce, with witness, and the wtxids of all other transactions.",
    fields: {
      requestId: u32,
      miningJobToken: b0_255,
      version: u32,
      coinbaseTxPrefix: b0_64k,
      coinbaseTxSuffix: b0_64k,
      wtxidList: seq0_64k(u256),
      excessData: b0_64k,
    },
  }),
  DeclareMiningJobSuccess: message({
    type: 0x58,
    to: "client",
    channel: false,
    spec: "6.4.5",
    doc: "Accept a declared job; the new token goes into SetCustomMiningJob.",
    fields: { requestId: u32, newMiningJobToken: b0_255 },
  }),
  DeclareMiningJobError: message({
    type: 0x59,
    to: "client",
    channel: false,
    spec: "6.4.6",
    doc: "Refuse a declared job.",
    fields: { requestId: u32, errorCode: str0_255, errorDetails: b0_64k },
  }),
  PushSolution: message({
    type: 0x60,
    to: "server",
    channel: false,
    spec: "6.4.9",
    doc: "A block was found on a declared job.",
    fields: { extranonce: b0_32, prevHash: u256, nonce: u32, ntime: u32, nbits: u32, version: u32 },
  }),
} as const;

/** Codec of `DECLARATION`. */
export const declaration = codec(DECLARATION);

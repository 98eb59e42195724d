/** The template distribution protocol: spec section 7. None of its messages has the channel bit. */
import { b0_16m, b0_64k, b0_255, bool, seq0_64k, seq0_255, str0_255, u16, u32, u64, u256 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Template distribution messages by name. */
export const TEMPLATES = {
  CoinbaseOutputConstraints: message({
    type: 0x70,
    to: "server",
    channel: false,
    spec: "7.1",
    doc: "Reserve room in the block for the outputs that the client adds to the coinbase. First message after the setup.",
    fields: { coinbaseOutputMaxAdditionalSize: u32, coinbaseOutputMaxAdditionalSigops: u16 },
  }),
  NewTemplate: message({
    type: 0x71,
    to: "client",
    channel: false,
    spec: "7.2",
    doc: "A block template. Its outputs are consensus-serialised one after the other without a count in front.",
    fields: {
      templateId: u64,
      futureTemplate: bool,
      version: u32,
      coinbaseTxVersion: u32,
      coinbasePrefix: b0_255,
      coinbaseTxInputSequence: u32,
      coinbaseTxValueRemaining: u64,
      coinbaseTxOutputsCount: u32,
      coinbaseTxOutputs: b0_64k,
      coinbaseTxLocktime: u32,
      merklePath: seq0_255(u256),
    },
  }),
  SetNewPrevHash: message({
    type: 0x72,
    to: "client",
    channel: false,
    spec: "7.3",
    doc: "A new block was found: the named future template is valid on it.",
    fields: { templateId: u64, prevHash: u256, headerTimestamp: u32, nBits: u32, target: u256 },
  }),
  RequestTransactionData: message({
    type: 0x73,
    to: "server",
    channel: false,
    spec: "7.4",
    doc: "Ask for the transactions of a template.",
    fields: { templateId: u64 },
  }),
  RequestTransactionDataSuccess: message({
    type: 0x74,
    to: "client",
    channel: false,
    spec: "7.5",
    doc: "The transactions of a template, without the coinbase, and data that the pool may need to check them.",
    fields: { templateId: u64, excessData: b0_64k, transactionList: seq0_64k(b0_16m) },
  }),
  RequestTransactionDataError: message({
    type: 0x75,
    to: "client",
    channel: false,
    spec: "7.6",
    doc: "The transactions of a template cannot be had.",
    fields: { templateId: u64, errorCode: str0_255 },
  }),
  SubmitSolution: message({
    type: 0x76,
    to: "server",
    channel: false,
    spec: "7.7",
    doc: "A block was found on a template; the coinbase is whole, with its witness.",
    fields: { templateId: u64, version: u32, headerTimestamp: u32, headerNonce: u32, coinbaseTx: b0_64k },
  }),
} as const;

/** Codec of `TEMPLATES`. */
export const templates = codec(TEMPLATES);

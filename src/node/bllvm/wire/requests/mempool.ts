/** Requests about the mempool, lightning and payments. */
import { bytes, hash, string, u32 } from "../bincode.ts";
import { option, vec } from "../compound.ts";
import { request } from "../request-row.ts";
import { at, no } from "../schema.ts";
import { transaction } from "../structs.ts";

/** Requests about the mempool, lightning and payments. */
export const MEMPOOL_REQUESTS = {
  GetMempoolTransactions: request({
    index: at(no, 9, 9, 9, 9, 9, 9, 9),
    doc: "All transaction ids of the mempool.",
    fields: {},
    response: "MempoolTransactions",
    permission: "ReadMempool",
  }),
  GetMempoolTransaction: request({
    index: at(no, 10, 10, 10, 10, 10, 10, 10),
    doc: "A transaction of the mempool.",
    fields: { txHash: hash },
    response: "MempoolTransaction",
    permission: "ReadMempool",
  }),
  GetMempoolSize: request({
    index: at(no, 11, 11, 11, 11, 11, 11, 11),
    doc: "How much the mempool holds.",
    fields: {},
    response: "MempoolSize",
    permission: "ReadMempool",
  }),
  CheckTransactionInMempool: request({
    index: at(no, 19, 19, 19, 19, 19, 20, 20),
    doc: "Whether the mempool has a transaction.",
    fields: { txHash: hash },
    response: "CheckTransactionInMempool",
    permission: "ReadMempool",
  }),
  GetFeeEstimate: request({
    index: at(no, 20, 20, 20, 20, 20, 21, 21),
    doc: "Fee rate to be mined within so many blocks.",
    fields: { targetBlocks: u32 },
    response: "FeeEstimate",
    permission: "ReadMempool",
  }),
  GetLightningNodeUrl: request({
    index: at(no, 16, 16, 16, 16, 16, 17, 17),
    doc: "Address of the lightning node.",
    fields: {},
    response: "LightningNodeUrl",
    permission: "ReadLightning",
  }),
  GetLightningInfo: request({
    index: at(no, 17, 17, 17, 17, 17, 18, 18),
    doc: "The lightning node.",
    fields: {},
    response: "LightningInfo",
    permission: "ReadLightning",
  }),
  GetPaymentState: request({
    index: at(no, 18, 18, 18, 18, 18, 19, 19),
    doc: "How a payment stands.",
    fields: { paymentId: string },
    response: "PaymentState",
    permission: "ReadPayment",
  }),
  SubmitMempoolTransaction: request({
    index: at(no, no, no, no, no, no, 67, 67),
    doc: "Offers a transaction, with a witness for each input, to the mempool; an error when its policy refuses it.",
    fields: { tx: transaction, witnesses: option(vec(vec(bytes))) },
    response: "MempoolTransactionSubmitted",
    permission: "SendTransactions",
  }),
  GetMempoolFeeRateSummary: request({
    index: at(no, no, no, no, no, no, no, 69),
    doc: "What the mempool's transactions pay; since 0.1.81.",
    fields: {},
    response: "MempoolFeeRateSummary",
    permission: "ReadMempool",
  }),
} as const;

/** Events of payments, lightning and governance. */
import { bool, bytes, f64, hash, string, u32, u64, usize } from "../bincode.ts";
import { option } from "../compound.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of payments, lightning and governance. */
export const COMMONS_EVENTS = {
  PaymentRequestCreated: event({
    type: at(no, 4, 4, 4, 4, 4, 4, 4),
    index: at(no, 4, 4, 4, 4, 4, 4, 4),
    doc: "A payment was asked for.",
    fields: { paymentId: string, amountSats: u64, invoice: option(string) },
  }),
  PaymentSettled: event({
    type: at(no, 5, 5, 5, 5, 5, 5, 5),
    index: at(no, 5, 5, 5, 5, 5, 5, 5),
    doc: "A payment is in a block.",
    fields: { paymentId: string, txHash: hash, confirmations: u32 },
  }),
  PaymentFailed: event({
    type: at(no, 6, 6, 6, 6, 6, 6, 6),
    index: at(no, 6, 6, 6, 6, 6, 6, 6),
    doc: "A payment failed.",
    fields: { paymentId: string, reason: string },
  }),
  PaymentVerified: event({
    type: at(no, 7, 7, 7, 7, 7, 7, 7),
    index: at(no, 7, 7, 7, 7, 7, 7, 7),
    doc: "A payment was verified.",
    fields: { paymentId: string, amountMsats: u64, invoice: string },
  }),
  PaymentRouteFound: event({
    type: at(no, 8, 8, 8, 8, 8, 8, 8),
    index: at(no, 8, 8, 8, 8, 8, 8, 8),
    doc: "Lightning found a route.",
    fields: { paymentId: string, routeHops: usize, routeCostMsats: u64 },
  }),
  PaymentRouteFailed: event({
    type: at(no, 9, 9, 9, 9, 9, 9, 9),
    index: at(no, 9, 9, 9, 9, 9, 9, 9),
    doc: "Lightning found no route.",
    fields: { paymentId: string, reason: string },
  }),
  ChannelOpened: event({
    type: at(no, 10, 10, 10, 10, 10, 10, 10),
    index: at(no, 10, 10, 10, 10, 10, 10, 10),
    doc: "A lightning channel opened.",
    fields: { channelId: string, peerPubkey: bytes, capacitySats: u64 },
  }),
  ChannelClosed: event({
    type: at(no, 11, 11, 11, 11, 11, 11, 11),
    index: at(no, 11, 11, 11, 11, 11, 11, 11),
    doc: "A lightning channel closed.",
    fields: { channelId: string, reason: string },
  }),
  GovernanceProposalCreated: event({
    type: at(no, 22, 22, 22, 22, 22, 22, 22),
    index: at(no, 20, 20, 20, 20, 20, 20, 20),
    doc: "A proposal was made.",
    fields: { proposalId: string, repository: string, prNumber: u64, tier: string },
  }),
  GovernanceProposalVoted: event({
    type: at(no, 23, 23, 23, 23, 23, 23, 23),
    index: at(no, 21, 21, 21, 21, 21, 21, 21),
    doc: "Somebody voted.",
    fields: { proposalId: string, voter: string, vote: string },
  }),
  GovernanceProposalMerged: event({
    type: at(no, 24, 24, 24, 24, 24, 24, 24),
    index: at(no, 22, 22, 22, 22, 22, 22, 22),
    doc: "A proposal was merged.",
    fields: { proposalId: string, repository: string, prNumber: u64 },
  }),
  GovernanceForkDetected: event({
    type: at(no, 30, 32, 27, 27, 27, 27, 27),
    index: at(no, 28, 30, 25, 25, 25, 25, 25),
    doc: "Rules are about to differ.",
    fields: { forkId: string, rulesetVersion: string, adoptionCount: usize },
  }),
  WebhookSent: event({
    type: at(no, 27, 29, 25, 25, 25, 25, 25),
    index: at(no, 25, 27, 23, 23, 23, 23, 23),
    doc: "A web hook was called.",
    fields: { webhookUrl: string, eventType: string, success: bool },
  }),
  WebhookFailed: event({
    type: at(no, 28, 30, 26, 26, 26, 26, 26),
    index: at(no, 26, 28, 24, 24, 24, 24, 24),
    doc: "A web hook could not be called.",
    fields: { webhookUrl: string, eventType: string, error: string },
  }),
  EconomicNodeRegistered: event({
    type: at(no, 25, 25, no, no, no, no, no),
    index: at(no, 23, 23, no, no, no, no, no),
    doc: "An economic node made itself known.",
    fields: { nodeId: string, nodeType: string, hashpowerPercent: option(f64) },
  }),
  EconomicNodeStatus: event({
    type: at(no, no, 26, no, no, no, no, no),
    index: at(no, no, 24, no, no, no, no, no),
    doc: "An economic node was asked how it is.",
    fields: { requestId: string, queryType: string, nodeId: option(string), responseData: option(string) },
  }),
  EconomicNodeForkDecision: event({
    type: at(no, no, 27, no, no, no, no, no),
    index: at(no, no, 25, no, no, no, no, no),
    doc: "An economic node chose a set of rules.",
    fields: { messageId: string, rulesetVersion: string, decision: string, nodeId: string, timestamp: u64 },
  }),
  EconomicNodeVeto: event({
    type: at(no, 26, 28, no, no, no, no, no),
    index: at(no, 24, 26, no, no, no, no, no),
    doc: "An economic node is against a proposal.",
    fields: { proposalId: string, nodeId: string, reason: string },
  }),
  VetoThresholdReached: event({
    type: at(no, 29, 31, no, no, no, no, no),
    index: at(no, 27, 29, no, no, no, no, no),
    doc: "Enough are against a proposal.",
    fields: { proposalId: string, vetoPercent: f64 },
  }),
} as const;

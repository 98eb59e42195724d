/**
 * Extension 0x4353, chain statistics (docs/extension-chain-statistics.md): a client lets itself be told at intervals how each chain of
 * a merge-mining server stands. It is ours and experimental; its number is of the range that the spec keeps for that, 0x4000 to
 * 0x7fff (spec 3.4), and reads "CS" in ASCII, so that it is unlikely to be somebody else's as the first numbers of the range are.
 */
import { bool, f32, option, str0_255, u8, u16, u32, u64 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Extension type of chain statistics. */
export const CHAIN_STATISTICS_TYPE = 0x4353;

/** Messages of chain statistics by name. */
export const CHAIN_STATISTICS = {
  SubscribeChainStatistics: message({
    type: 0x00,
    to: "server",
    channel: false,
    spec: "extension-chain-statistics.md",
    doc: "Ask for reports every `interval` seconds, or say that one is still there. Takes the place of the subscription before.",
    fields: { requestId: u32, interval: u16 },
  }),
  SubscribeChainStatisticsSuccess: message({
    type: 0x01,
    to: "client",
    channel: false,
    spec: "extension-chain-statistics.md",
    doc: "The seconds between reports, and those of silence after which the server closes the connection.",
    fields: { requestId: u32, interval: u16, silenceLimit: u32 },
  }),
  ChainStatistics: message({
    type: 0x02,
    to: "client",
    channel: false,
    spec: "extension-chain-statistics.md",
    doc: "How one chain stands at this moment; `remaining` more of these belong to the same report.",
    fields: {
      requestId: u32,
      remaining: u8,
      chain: str0_255,
      height: option(u64),
      difficulty: option(f32),
      inJob: bool,
      found: u32,
      accepted: u32,
    },
  }),
} as const;

/** Codec of `CHAIN_STATISTICS`. */
export const chainStatistics = codec(CHAIN_STATISTICS, CHAIN_STATISTICS_TYPE);

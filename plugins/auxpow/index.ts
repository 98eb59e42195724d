/**
 * Any chain that is merge-mined by AuxPoW, described by keys of its table: `[chains.unobtanium]` with `plugin = "auxpow"`. The
 * README lists what the known chains need.
 */
import {
  AUXPOW_POLICY,
  type AuxPowProfile,
  auxPowKeys,
  type ChainPlugin,
  fromHex,
  NAMECOIN_LIKE,
  openAuxPowChain,
  PLUGIN_API,
  payoutFlaw,
  z,
} from "bllvm-stratum-v2/plugin";

/** Bytes in hex, at least one. */
const bytes = z.string().regex(/^([0-9a-fA-F]{2}){1,32}$/, "bytes in hex are needed");
const rpcCode = z.int().min(-1_000_000).max(1_000_000);

const config = z
  .strictObject({
    ...auxPowKeys,
    payout: z.string().trim().min(1, "payout is empty").max(200).optional(),
    chain_id: z
      .int({
        error: ({ input }) =>
          input === undefined
            ? "chain_id is missing: the coin's AuxPoW chain ID, `chainid` in the daemon's answer to createauxblock"
            : "chain_id is a whole number from 0 to 65535",
      })
      .min(0)
      .max(0xffff),
    strict_chain_id: z.boolean().default(NAMECOIN_LIKE.strictChainId),
    /** How work is asked for. */
    method: z.enum(["createauxblock", "getauxblock", "named"]).default(NAMECOIN_LIKE.method),
    /** Where the target stands. */
    target: z.enum(["bits", "little-endian", "big-endian"]).default(NAMECOIN_LIKE.target),
    /** Added to the daemon's height. */
    height_offset: z.int().min(-1).max(1).default(NAMECOIN_LIKE.heightOffset),
    /** The output of the coin's block that pays us. */
    reward_output: z.int().min(0).max(100).default(NAMECOIN_LIKE.rewardOutput),
    decimals: z.int().min(0).max(18).default(NAMECOIN_LIKE.coin.decimals),
    /** What an accepted proof is answered with. */
    success: z.enum(["true", "null"]).default(NAMECOIN_LIKE.success),
    /** Whether other calls print block hashes in the reverse order. */
    reversed_hashes: z.boolean().default(NAMECOIN_LIKE.reversedHashes),
    maturity: z.int().min(1).max(1_000_000).default(NAMECOIN_LIKE.maturity),
    /** Answers to a submission that may mean anything. */
    vague_answers: z.array(z.string().min(1).max(200)).max(20).default([]),
    /** RPC errors that mean that there is nothing to merge-mine just now. */
    no_work_codes: z.array(rpcCode).max(20).default([]),
    /** Key of the answer that holds a script which the parent's coinbase must have as an output. */
    output_key: z.string().min(1).max(60).optional(),
    /** Bytes in hex that no other output may hold. */
    output_forbids: bytes.optional(),
    /** The call whose `chain` names the network. */
    network_call: z.string().min(1).max(60).default(NAMECOIN_LIKE.networkCall),
    /** Whether `waitfornewblock` is worth a try. */
    waits: z.boolean().default(NAMECOIN_LIKE.waits),
  })
  .superRefine((table, context) => {
    const message = payoutFlaw(table, table.payout);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["payout"], message });
    if ((table.output_key === undefined) !== (table.output_forbids === undefined)) {
      const message = "output_key and output_forbids belong together: both or neither";
      context.addIssue({ code: "custom", path: ["output_key"], message });
    }
  });

/** The profile that a table describes. */
export function profileOf(table: z.output<typeof config>): AuxPowProfile {
  const { output_key: key, output_forbids: forbids } = table;
  return {
    name: "auxpow",
    coin: { symbol: "AUX", decimals: table.decimals },
    chainId: table.chain_id,
    strictChainId: table.strict_chain_id,
    method: table.method,
    target: table.target,
    heightOffset: table.height_offset,
    rewardOutput: table.reward_output,
    success: table.success,
    reversedHashes: table.reversed_hashes,
    maturity: table.maturity,
    vague: table.vague_answers,
    noWork: table.no_work_codes,
    ...(key === undefined || forbids === undefined ? {} : { extraOutput: { key, forbid: fromHex(forbids) } }),
    networkCall: table.network_call,
    waits: table.waits,
  };
}

/** The plugin. */
export const plugin: ChainPlugin<typeof config> = {
  name: "auxpow",
  api: PLUGIN_API,
  coin: NAMECOIN_LIKE.coin,
  config,
  defaults: AUXPOW_POLICY,
  open: (table, host) => openAuxPowChain(profileOf(table), table, host),
};

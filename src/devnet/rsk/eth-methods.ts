/** RPC methods of the embedded RSK node about blocks and the node. */
import { RpcError } from "../rpc/protocol.ts";
import { blockJson } from "./block-json.ts";
import type { RskBlock } from "./chain.ts";
import { type RskContext, type RskMethods, textArgument } from "./context.ts";
import { quantity } from "./hex.ts";
import { RSK_RPC } from "./protocol.ts";
import { receiptJson } from "./remasc.ts";

/** RSK's regtest. */
const CHAIN_ID = 0x21;

/** Rows by method name. */
export const ETH_METHODS: RskMethods = {
  web3_clientVersion: () => "RskJ/9.0.3/devnet/VETIVER",
  net_version: () => String(CHAIN_ID),
  net_peerCount: () => "0x8",
  eth_chainId: () => quantity(CHAIN_ID),
  eth_blockNumber: ({ chain }) => quantity(chain.tip.number),
  eth_syncing: ({ chain, disturbances }) =>
    disturbances.syncing && {
      startingBlock: "0x0",
      currentBlock: quantity(chain.tip.number),
      highestBlock: quantity(chain.tip.number + 1000),
    },
  eth_getBlockByNumber: (context, args) => jsonOf(byNumber(context, args)),
  eth_getBlockByHash: ({ chain }, args) => jsonOf(chain.find(textArgument(args, 0))),
  eth_getUncleCountByBlockNumber: (context, args) => countOf(byNumber(context, args)),
  eth_getUncleCountByBlockHash: ({ chain }, args) => countOf(chain.find(textArgument(args, 0))),
  eth_getUncleByBlockNumberAndIndex: (context, args) => uncleOf(context, byNumber(context, args), args),
  eth_getUncleByBlockHashAndIndex: (context, args) => uncleOf(context, context.chain.find(textArgument(args, 0)), args),
  eth_getTransactionReceipt: ({ chain, maturity }, args) => {
    const block = chain.findByRemasc(textArgument(args, 0));
    return block === undefined ? null : receiptJson(chain, block, maturity);
  },
};

function jsonOf(block: RskBlock | undefined): unknown {
  return block === undefined ? null : blockJson(block);
}

function countOf(block: RskBlock | undefined): string | null {
  return block === undefined ? null : quantity(block.uncles.length);
}

function uncleOf({ chain }: RskContext, block: RskBlock | undefined, args: readonly unknown[]): unknown {
  const hash = block?.uncles[Number(textArgument(args, 1))];
  const uncle = hash === undefined ? undefined : chain.find(hash);
  return uncle === undefined ? null : blockJson(uncle, true);
}

function byNumber({ chain }: RskContext, args: readonly unknown[]): RskBlock | undefined {
  const which = textArgument(args, 0);
  if (which === "latest" || which === "pending") return chain.tip;
  if (which === "earliest") return chain.at(0);
  if (!/^0x[0-9a-f]+$/i.test(which)) throw new RpcError(RSK_RPC.INVALID_PARAMS, `Invalid block identifier '${which}'`);
  return chain.at(Number(which));
}

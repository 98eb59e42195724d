/**
 * Which network a bllvm node is on, by its genesis block. The node stores the header of that block alone on a fresh data folder
 * (blvm-node `src/node/mod.rs`), so `GetBlockByHeight(0)` may give nothing, or the first block behind it where the numbers are one
 * less than the heights; then the headers are looked for by the hashes that are known.
 */
import { NETWORKS, type Network } from "../../../bitcoin/network.ts";
import { equal, toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { BllvmNode } from "../bllvm-node.ts";
import { hashOfHeader } from "./headers.ts";

/** The network whose genesis block has `hash`, internal byte order. */
export function networkOfGenesis(hash: Uint8Array): Network | undefined {
  return Object.values(NETWORKS).find(({ genesisHash }) => equal(genesisHash, hash));
}

/** Finds the network. Throws `Fault("bllvm-network-unknown")` and what the node's requests throw. */
export async function identify(
  node: Pick<BllvmNode, "name" | "blockByHeight" | "blockHeader">,
  timeoutMs: number,
): Promise<Network> {
  const first = await node.blockByHeight(0, { timeoutMs });
  if (first !== undefined) {
    const hash = hashOfHeader(first.header);
    const network = networkOfGenesis(hash) ?? networkOfGenesis(first.header.prevHash);
    if (network !== undefined) return network;
    throw new Fault("bllvm-network-unknown", { node: node.name, block0: toDisplayHex(hash) });
  }
  for (const network of Object.values(NETWORKS)) {
    const header = await node.blockHeader(network.genesisHash, { timeoutMs });
    if (header !== undefined && equal(hashOfHeader(header), network.genesisHash)) return network;
  }
  throw new Fault("bllvm-network-unknown", { node: node.name, block0: "none" });
}

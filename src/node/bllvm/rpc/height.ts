/**
 * At which height a block of the bllvm node stands. The node numbers what it stores, and on some data folders its number is one
 * less than the height (the genesis block is not stored, blvm-node `src/rpc/mining.rs`); the coinbase says the height itself
 * (BIP34), and a block of ours must carry the right one. So the coinbase is believed, and the node's number may differ from it in the
 * documented way alone.
 */
import { readHeightPush } from "../../../bitcoin/coinbase.ts";
import type { NetworkName } from "../../../bitcoin/network.ts";

/** From which height on coinbases begin with their height (BIP34), from Core's chainparams. */
const BIP34_FROM: Readonly<Record<NetworkName, number>> = {
  mainnet: 227_931,
  testnet: 21_111,
  testnet4: 1,
  signet: 1,
  regtest: 1,
};

/** The node's number minus the height. */
export type IndexOffset = 0 | -1;

/** A height, and how the node's numbers stand to it. */
export interface BlockHeight {
  readonly height: number;
  readonly offset: IndexOffset;
}

/**
 * The height of the block with the node's number `index` and this coinbase `script`; `undefined` when they do not go together. Below
 * BIP34, and in regtest for a coinbase that begins with no number, there is nothing but the node's number.
 */
export function heightOf(network: NetworkName, index: number, script: Uint8Array | undefined): BlockHeight | undefined {
  const said = script === undefined ? undefined : readHeightPush(script);
  if (said === index) return { height: index, offset: 0 };
  if (said === index + 1) return { height: index + 1, offset: -1 };
  const isBound = index >= BIP34_FROM[network] && !(network === "regtest" && said === undefined);
  return isBound ? undefined : { height: index, offset: 0 };
}

/** Whether a coinbase with `script` may stand at `height`. */
export function fitsHeight(network: NetworkName, height: number, script: Uint8Array | undefined): boolean {
  return heightOf(network, height, script)?.height === height;
}

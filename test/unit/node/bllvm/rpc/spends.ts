/** Transactions of every kind of input, valid for Bitcoin Core's consensus, and a regtest chain with coins of each. */
import { hash160, sha256 } from "../../../../../src/bitcoin/hash.ts";
import { OP, pushBytes } from "../../../../../src/bitcoin/script.ts";
import { serializeTransaction, type Transaction, type TxInput } from "../../../../../src/bitcoin/transaction.ts";
import { type TxData, txData } from "../../../../../src/devnet/node/block-data.ts";
import type { DevnetNode } from "../../../../../src/devnet/node/node.ts";
import { ANYONE_SCRIPT } from "../../../../../src/devnet/node/synthetic.ts";
import { concat } from "../../../../../src/kernel/bytes.ts";

/** What the embedded node's own coinbases are unlocked with. */
const DEVNET_LOCK = Uint8Array.of(0x00, 0x63, 0xac, 0x68, 0x51);
const LOCK = Uint8Array.of(OP.OP_1);
const NOTHING = new Uint8Array(0);

function witnessOutput(script: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(OP.OP_0), pushBytes(sha256(script)));
}

function hashOutput(script: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(OP.OP_HASH160), pushBytes(hash160(script)), Uint8Array.of(OP.OP_EQUAL));
}

/** Outputs and how they are spent. `legacy` ones need no witness and can be told to. */
export const KINDS = {
  p2wsh: { legacy: false, script: witnessOutput(LOCK), unlock: { script: NOTHING, witness: [LOCK] } },
  wrapped: {
    legacy: false,
    script: hashOutput(witnessOutput(LOCK)),
    unlock: { script: pushBytes(witnessOutput(LOCK)), witness: [LOCK] },
  },
  p2sh: { legacy: true, script: hashOutput(LOCK), unlock: { script: pushBytes(LOCK), witness: [] } },
  // OP_DROP OP_1
  bare: { legacy: true, script: Uint8Array.of(0x75, 0x51), unlock: { script: pushBytes(LOCK), witness: [] } },
  // Pay-to-anchor: no witness, and nothing that shows it.
  anchor: {
    legacy: false,
    script: Uint8Array.of(0x51, 0x02, 0x4e, 0x73),
    unlock: { script: NOTHING, witness: [] },
  },
  open: { legacy: false, script: LOCK, unlock: { script: NOTHING, witness: [] } },
} as const satisfies Record<
  string,
  { readonly legacy: boolean; readonly script: Uint8Array; readonly unlock: Pick<TxInput, "script" | "witness"> }
>;

/** A kind of output. */
export type Kind = keyof typeof KINDS;

/** All kinds. */
export const ALL_KINDS = Object.keys(KINDS) as Kind[];

/** An output that can be spent. */
export interface Coin {
  readonly txid: Uint8Array;
  readonly index: number;
  readonly value: bigint;
  readonly kind: Kind;
}

/** A transaction that spends `coins` and makes outputs of `kinds`, of equal value, with `fee` sat left over. */
export function spend(
  coins: readonly Coin[],
  kinds: readonly Kind[],
  options: { readonly fee?: bigint; readonly lockTime?: number; readonly sequence?: number } = {},
): TxData {
  let value = -(options.fee ?? 1000n);
  for (const coin of coins) value += coin.value;
  const tx: Transaction = {
    version: 2,
    inputs: coins.map(({ txid, index, kind }) => ({
      prevHash: txid,
      prevIndex: index,
      sequence: options.sequence ?? 0xfffffffd,
      ...KINDS[kind].unlock,
    })),
    outputs: kinds.map((kind) => ({ value: value / BigInt(kinds.length), script: KINDS[kind].script })),
    lockTime: options.lockTime ?? 0,
  };
  return txData(tx, serializeTransaction(tx, { witness: true }));
}

/** The outputs of `data` as coins, given the kinds that it was made with. */
export function coinsOf(data: TxData, kinds: readonly Kind[]): Coin[] {
  return kinds.map((kind, index) => ({
    txid: data.txid,
    index,
    value: data.tx.outputs[index]?.value ?? 0n,
    kind,
  }));
}

/** Confirmed coins, `each` of every kind, on a chain with mature coinbases of the embedded node. */
export async function fund(devnet: DevnetNode, each: number): Promise<Coin[]> {
  const kinds = ALL_KINDS.flatMap((kind) => Array.from({ length: each }, () => kind));
  const [mature] = [...devnet.chain.coins.entries()].filter(([, coin]) => coin.coinbase && coin.value > 0n);
  if (mature === undefined) throw new Error("no coinbase to spend");
  const [key, coin] = mature;
  const [id = "", index = ""] = key.split(":");
  const total = coin.value - 10_000n;
  const tx: Transaction = {
    version: 2,
    inputs: [
      {
        prevHash: Uint8Array.from(Buffer.from(id, "hex").reverse()),
        prevIndex: Number(index),
        script: NOTHING,
        sequence: 0xffffffff,
        witness: [DEVNET_LOCK],
      },
    ],
    outputs: kinds.map((kind) => ({ value: total / BigInt(kinds.length), script: KINDS[kind].script })),
    lockTime: 0,
  };
  const data = txData(tx, serializeTransaction(tx, { witness: true }));
  const refusal = devnet.mempool.accept(data);
  if (refusal !== undefined) throw new Error(refusal.reason);
  await devnet.generate(1, ANYONE_SCRIPT);
  return coinsOf(data, kinds);
}

/** What is asked of a Hathor node over HTTP (hathor-core `transaction/resources`, `p2p/resources`). */
import { Fault, type HttpApi, z } from "bllvm-stratum-v2/plugin";
import { type BlockTemplate, blockTemplate } from "./block.ts";

const submitted = z.object({ result: z.boolean() });

const miningInfo = z.union([
  z.object({ success: z.literal(true), blocks: z.int().min(0) }),
  z.object({ success: z.literal(false), message: z.string().max(1000).optional() }),
]);

const transaction = z.union([
  z.object({
    success: z.literal(true),
    tx: z.object({
      height: z.int().min(0),
      outputs: z.array(z.object({ value: z.int().min(0) })).max(255),
    }),
    meta: z.object({ voided_by: z.array(z.string().max(200)).max(1000).nullable() }),
  }),
  z.object({ success: z.literal(false), message: z.string().max(1000).optional() }),
]);

/** A block as a node knows it. */
export interface KnownBlock {
  readonly height: number;
  readonly isVoided: boolean;
  readonly reward: bigint;
}

/** Work for `address`. Rejects with `node-busy` while the node is synchronising. */
export async function getTemplate(api: HttpApi, address: string, signal: AbortSignal): Promise<BlockTemplate> {
  const query = { address, capabilities: "mergedmining" };
  return await api.json({ path: "get_block_template", query, signal }, blockTemplate);
}

/** Whether the node took the block; `false` for one on another tip than its own, for one it knows and for a wrong one. */
export async function submitBlock(api: HttpApi, hexdata: string, signal: AbortSignal): Promise<boolean> {
  return (await api.json({ path: "submit_block", json: { hexdata }, signal }, submitted)).result;
}

/** The block with this hash; `undefined` when the node does not have it. */
export async function findBlock(api: HttpApi, hash: string, signal: AbortSignal): Promise<KnownBlock | undefined> {
  const found = await api.json({ path: "transaction", query: { id: hash }, signal }, transaction);
  if (!found.success) return undefined;
  const { tx, meta } = found;
  return {
    height: tx.height,
    isVoided: (meta.voided_by ?? []).length > 0,
    reward: tx.outputs.reduce((sum, { value }) => sum + BigInt(value), 0n),
  };
}

/** Height of the best block. Rejects while the node is synchronising. */
export async function bestHeight(api: HttpApi, signal: AbortSignal): Promise<number> {
  const info = await api.json({ path: "getmininginfo", signal }, miningInfo);
  if (info.success) return info.blocks;
  throw new Fault("node-syncing", { node: api.name, address: api.address, says: info.message });
}

/** The sentence of an error that the node answered with as JSON; `undefined` for every other failure. */
export function saidError(error: unknown): string | undefined {
  if (!(error instanceof Fault) || typeof error.data.says !== "string") return undefined;
  return /^\s*\{\s*"error"\s*:\s*"(.*?)"?\s*\}?\s*$/s.exec(error.data.says)?.[1];
}

/** Parameters of a call: JSON bytes of whoever calls, checked before anything looks at them. */
import { z } from "zod";
import { fromUtf8, utf8 } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";

/** Bytes of the parameters of one call. */
export const MAX_PARAMS_BYTES = 65_536;

/** Characters of an explanation. */
const MAX_WORDS = 300;

const u32 = z.int().min(0).max(0xffffffff);
const chainName = z.string().min(1).max(64);
/** A configured name, or the number under which the chain stands in the tree of AuxPoW chains. */
const chainId = z.union([chainName, z.int().min(0).max(0xffff)]);

/** What each method takes. All objects are flat, so nothing can be nested. */
export const PARAMS = {
  get_template: z.strictObject({}),
  get_connected_miners: z.strictObject({
    limit: z.int().min(1).max(1000).default(100),
    offset: z.int().min(0).max(0xffffffff).default(0),
  }),
  get_pool_stats: z.strictObject({}),
  register_merge_mining_channel: z.strictObject({
    chain_id: chainId.optional(),
    chain: chainName.optional(),
    min_difficulty: z.number().positive().max(1e30).optional(),
    hashrate: z.number().min(0).max(1e24).default(0),
    user_identity: z
      .string()
      .min(1)
      .refine((text) => utf8(text).length <= 255, "255 bytes at most")
      .optional(),
  }),
  get_merge_mining_template: z.strictObject({
    channel_id: u32.optional(),
    chain_id: chainId.optional(),
    chain: chainName.optional(),
  }),
  submit_merge_mining_share: z.strictObject({
    channel_id: u32,
    job_id: u32,
    nonce: u32,
    ntime: u32,
    version: u32,
    extranonce: z
      .string()
      .regex(
        /^([0-9a-fA-F]{2}){4,16}$/,
        "two hex digits for each of the extranonce_size bytes behind extranonce_prefix",
      ),
  }),
  get_block_merge_mining_rewards: z.strictObject({
    chain: chainName.optional(),
    chain_id: chainId.optional(),
    block_hash: z.string().min(1).max(256).optional(),
    height: z.int().min(0).optional(),
    limit: z.int().min(1).max(1000).default(100),
    after: z.int().min(0).optional(),
  }),
} as const;

/** A method's name. */
export type MethodName = keyof typeof PARAMS;

/** What a method is called with. */
export type ParamsOf<M extends MethodName> = z.output<(typeof PARAMS)[M]>;

/** The parameters of a call; no bytes at all are an empty object. Throws `Fault("bllvm-api-params")`. */
export function paramsOf<M extends MethodName>(method: M, bytes: Uint8Array): ParamsOf<M> {
  if (bytes.length > MAX_PARAMS_BYTES) throw new Fault("bllvm-api-params", { bytes: bytes.length });
  const parsed = PARAMS[method].safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data as ParamsOf<M>;
  const why = parsed.error.issues
    .slice(0, 3)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
  throw new Fault("bllvm-api-params", { method, why: why.slice(0, MAX_WORDS) });
}

function jsonOf(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    throw new Fault("bllvm-api-params", { why: "it is no JSON" });
  }
}

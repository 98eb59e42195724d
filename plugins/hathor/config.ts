/** The keys of `[chains.<name>]` for this plugin. */
import { fromBase58check, z } from "bllvm-stratum-v2/plugin";

/** Version bytes of addresses: to a key and to a script, on mainnet and on test networks. */
const VERSIONS = [0x28, 0x64, 0x49, 0x87];

const keys = z.strictObject({
  /** Nodes in order of preference: the addresses of their APIs. */
  urls: z
    .array(
      z
        .string()
        .max(500)
        .regex(
          /^https?:\/\/[^\s/@]+\/[^\s@]*$/i,
          "expected the address of a node's API, e.g. http://127.0.0.1:8080/v1a, without user and password",
        ),
      { error: 'urls is missing: the addresses of the nodes\' APIs, e.g. ["http://127.0.0.1:8080/v1a"]' },
    )
    .min(1)
    .max(8),
  /** For nodes behind a proxy that asks for them. */
  user: z.string().max(200).optional(),
  password: z.string().max(200).optional(),
  /** Where blocks pay to. */
  address: z.string({ error: "address is missing: the Hathor address that blocks pay to" }).refine((text) => {
    const bytes = fromBase58check(text);
    return bytes?.length === 21 && VERSIONS.includes(bytes[0] ?? 0);
  }, "address is no Hathor address"),
  /** Whether the nodes' WebSocket (`mining_ws` beside the API) is listened to. */
  push: z.boolean().default(true),
  /** Seconds between two questions for work. */
  poll_s: z.number().min(0.1).max(60).default(2),
  /** Seconds that an answer may take. */
  timeout_s: z.number().min(0.1).max(60).default(10),
  /** Most hashes of a merkle path that the network takes: 20, or 12 where INCREASE_MAX_MERKLE_PATH_LENGTH is not active. */
  max_merkle_path: z.int().min(1).max(32).default(20),
  /** Blocks behind a block before its reward can be spent. */
  maturity: z.int().min(1).max(100_000).default(300),
});

/** The schema. */
export const hathorConfig = keys.refine(({ user, password }) => user === undefined || password !== undefined, {
  path: ["password"],
  message: "password is missing beside user",
});

/** The checked keys. */
export type HathorConfig = z.output<typeof hathorConfig>;

/** The hash inside of `address`, which an output that pays to it holds: `Uint8Array(20)`. */
export function payee(address: string): Uint8Array {
  return (fromBase58check(address) ?? new Uint8Array(21)).subarray(1);
}

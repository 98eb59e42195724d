/**
 * A block of Hathor's graph as bytes (hathor-core `vertex_parser/_block.py`): funds (signal bits, version, outputs), graph (weight, time,
 * parents, data) and, in place of a nonce, the aux pow. Integers are big-endian here, unlike in Bitcoin.
 */
import { concat, fromHex, Reader, reversed, sha256, sha256d, toHex, z } from "bllvm-stratum-v2/plugin";

/** Version of a block that is merge-mined. */
const MERGE_MINED = 3;

const hash = z.string().regex(/^[0-9a-f]{64}$/i, "expected 64 hex digits");

/** The answer to `get_block_template` with the capability `mergedmining`. */
export const blockTemplate = z.object({
  timestamp: z.int().min(0).max(0xffff_ffff),
  version: z.literal(MERGE_MINED, "the template is not for merge mining"),
  signal_bits: z.int().min(0).max(255).default(0),
  // A double on purpose: the difficulty is 2 to this power.
  weight: z.number().gt(0).lt(256),
  // The block before it first, then two transactions.
  parents: z.array(hash).min(1).max(3),
  outputs: z
    .array(
      z.object({
        value: z.int().min(1),
        token_data: z.int().min(0).max(255),
        script: z.base64().max(2000),
      }),
    )
    .max(8),
  data: z.base64().max(340).default(""),
  metadata: z.object({ height: z.int().min(0) }),
});

/** A checked template. */
export type BlockTemplate = z.output<typeof blockTemplate>;

/** The two parts that a block's hash is made of. */
export interface BlockBase {
  readonly funds: Uint8Array;
  readonly graph: Uint8Array;
}

/** The bytes that a template stands for. */
export function blockBase(template: BlockTemplate): BlockBase {
  const { signal_bits, version, outputs, weight, timestamp, parents } = template;
  const data = Buffer.from(template.data, "base64");
  const funds: Uint8Array[] = [Uint8Array.of(signal_bits, version, outputs.length)];
  for (const output of outputs) {
    const script = Buffer.from(output.script, "base64");
    funds.push(amount(output.value), Uint8Array.of(output.token_data), bigEndian(2, script.length), script);
  }
  const head = new DataView(new ArrayBuffer(12));
  head.setFloat64(0, weight);
  head.setUint32(8, timestamp);
  const graph = concat(
    new Uint8Array(head.buffer),
    Uint8Array.of(parents.length),
    ...parents.map(fromHex),
    Uint8Array.of(data.length),
    data,
  );
  return { funds: concat(...funds), graph };
}

/** What the coinbase commits to, in the order in which it stands there: dsha(sha256(funds) ‖ sha256(graph)) reversed. */
export function baseHash({ funds, graph }: BlockBase): Uint8Array {
  return reversed(sha256d(concat(sha256(funds), sha256(graph))));
}

/** A block that was taken apart. */
export interface ParsedBlock extends BlockBase {
  readonly weight: number;
  readonly parents: readonly string[];
  /** What stands in place of a nonce, unread. */
  readonly auxPow: Uint8Array;
}

/** Takes a merge-mined block apart. Throws `Fault("bytes-truncated")` or a sentence. */
export function parseBlock(bytes: Uint8Array): ParsedBlock {
  const reader = new Reader(bytes);
  reader.u8();
  if (reader.u8() !== MERGE_MINED) throw new Error("not a merge-mined block");
  const outputs = reader.u8();
  for (let i = 0; i < outputs; i += 1) {
    // An amount above 2^31 - 1 has eight bytes, and is negative to tell it apart.
    reader.bytes((reader.u8() & 0x80) === 0 ? 3 : 7);
    reader.u8();
    const [high = 0, low = 0] = reader.bytes(2);
    reader.bytes(256 * high + low);
  }
  const fundsEnd = reader.offset;
  const head = reader.bytes(12);
  const weight = new DataView(head.buffer, head.byteOffset).getFloat64(0);
  const count = reader.u8();
  const parents: string[] = [];
  for (let i = 0; i < count; i += 1) parents.push(toHex(reader.bytes(32)));
  reader.bytes(reader.u8());
  const graphEnd = reader.offset;
  return {
    funds: bytes.subarray(0, fundsEnd),
    graph: bytes.subarray(fundsEnd, graphEnd),
    weight,
    parents,
    auxPow: reader.rest(),
  };
}

/**
 * The greatest hash, as a number, that a block of `weight` may have. hathor-core takes hashes below `int(2 ** (256 - weight) - 1)` in doubles. The
 * last bit of a power differs between C libraries and V8, so this is three such steps lower: what is found here is taken there, at
 * the price of one solution in 10^15.
 */
export function targetOf(weight: number): bigint {
  const limit = 2 ** (256 - weight) * (1 - 3 * Number.EPSILON) - 1;
  return limit < 2 ? 1n : BigInt(Math.floor(limit)) - 1n;
}

function amount(value: number): Uint8Array {
  if (value <= 0x7fff_ffff) return bigEndian(4, value);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(-value));
  return new Uint8Array(view.buffer);
}

function bigEndian(size: 2 | 4, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return new Uint8Array(view.buffer).subarray(4 - size);
}

/**
 * A client that makes coinbases of its own, put together byte by byte with `node:crypto` and nothing of `src` but the wire's types: what it hashes is what
 * a miner behind it would hash.
 */
import type { Fields } from "./messages.ts";
import { dsha } from "./parent-block.ts";

/** SetCustomMiningJob without what a channel adds. */
export type CustomFields = Omit<Fields<"SetCustomMiningJob">, "channelId" | "requestId" | "miningJobToken">;

/** An output. */
export interface Output {
  readonly value: bigint;
  readonly script: Uint8Array;
}

/** What a custom job is made of. */
export interface CustomDraft {
  readonly height: number;
  readonly prevHash: Uint8Array;
  readonly nBits: number;
  readonly ntime: number;
  readonly outputs: readonly Output[];
  /** Behind the height in the scriptSig. */
  readonly script?: Uint8Array;
  /** Siblings of the coinbase, internal byte order. */
  readonly merklePath?: readonly Uint8Array[];
  readonly version?: number;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** The BIP34 push of a height of three bytes at most. */
function heightScript(height: number): Buffer {
  if (height <= 16) return Buffer.of(0x50 + height);
  const bytes: number[] = [];
  for (let left = height; left > 0; left >>>= 8) bytes.push(left & 0xff);
  if ((bytes.at(-1) as number) & 0x80) bytes.push(0);
  return Buffer.of(bytes.length, ...bytes);
}

/** Outputs behind their count. */
export function outputsBytes(outputs: readonly Output[]): Buffer {
  const one = ({ value, script }: Output): Buffer => Buffer.concat([u64(value), Buffer.of(script.length), script]);
  return Buffer.concat([Buffer.of(outputs.length), ...outputs.map(one)]);
}

/** The fields of the message. */
export function customFields(draft: CustomDraft): CustomFields {
  const { height, prevHash, nBits, ntime, outputs, script = Buffer.from("custom") } = draft;
  return {
    version: draft.version ?? 0x20000000,
    prevHash,
    minNtime: ntime,
    nbits: nBits,
    coinbaseTxVersion: 2,
    coinbasePrefix: Buffer.concat([heightScript(height), script]),
    coinbaseTxInputNSequence: 0xfffffffe,
    coinbaseTxOutputs: outputsBytes(outputs),
    coinbaseTxLocktime: height - 1,
    merklePath: draft.merklePath ?? [],
  };
}

/** The coinbase with an extranonce, without witness. */
export function customCoinbase(fields: CustomFields, extranonce: Uint8Array): Buffer {
  const { prefix, suffix } = customHalves(fields, extranonce.length);
  return Buffer.concat([prefix, extranonce, suffix]);
}

/** Its halves around an extranonce of so many bytes; with BIP141's marker, flag and witness where `witness` is given, as DeclareMiningJob wants them. */
export function customHalves(
  fields: CustomFields,
  extranonceSize: number,
  witness?: Uint8Array,
): { readonly prefix: Buffer; readonly suffix: Buffer } {
  const prefix = Buffer.concat([
    u32(fields.coinbaseTxVersion),
    Buffer.from(witness === undefined ? "" : "0001", "hex"),
    Buffer.of(1),
    Buffer.alloc(32),
    u32(0xffffffff),
    Buffer.of(fields.coinbasePrefix.length + extranonceSize),
    fields.coinbasePrefix,
  ]);
  const suffix = Buffer.concat([
    u32(fields.coinbaseTxInputNSequence),
    fields.coinbaseTxOutputs,
    ...(witness === undefined ? [] : [Buffer.of(1, witness.length), witness]),
    u32(fields.coinbaseTxLocktime),
  ]);
  return { prefix, suffix };
}

/** A header of the job; `hash` in internal byte order. */
export function customHeader(
  fields: CustomFields,
  extranonce: Uint8Array,
  { nonce, ntime = fields.minNtime, version = fields.version }: { nonce: number; ntime?: number; version?: number },
): { readonly header: Buffer; readonly hash: Buffer } {
  const root = fields.merklePath.reduce<Buffer>(
    (node, sibling) => dsha(Buffer.concat([node, sibling])),
    dsha(customCoinbase(fields, extranonce)),
  );
  const header = Buffer.concat([u32(version), fields.prevHash, root, u32(ntime), u32(fields.nbits), u32(nonce)]);
  return { header, hash: dsha(header) };
}

/** A nonce from `from` on whose hash is at most `atMost` and above `above`. */
export function customMine(
  fields: CustomFields,
  extranonce: Uint8Array,
  atMost: bigint,
  wish: { readonly above?: bigint; readonly from?: number } = {},
): { readonly nonce: number; readonly header: Buffer; readonly hash: Buffer } {
  const { above = -1n, from = 0 } = wish;
  const { header } = customHeader(fields, extranonce, { nonce: 0 });
  for (let nonce = from; ; nonce++) {
    header.writeUInt32LE(nonce, 76);
    const hash = dsha(header);
    const value = BigInt(`0x${Buffer.from(hash).reverse().toString("hex")}`);
    if (value <= atMost && value > above) return { nonce, header: Buffer.from(header), hash };
  }
}

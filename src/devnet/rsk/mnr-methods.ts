/**
 * rskj's RPC of merge mining (`MnrModuleImpl`, `MinerServerImpl.processSolution`): three ways to submit, one way to be judged. The
 * work is the one that the coinbase's last tag names, whatever block hash the caller gives. What rskj's decoders stumble over is
 * -32603; what it refuses with a reason is -33000.
 */
import { readCompactSize } from "../../bitcoin/compact-size.ts";
import { HEADER_SIZE, readHeader } from "../../bitcoin/header.ts";
import { merkleBranch } from "../../bitcoin/merkle.ts";
import { parseTransaction, txid } from "../../bitcoin/transaction.ts";
import { concat, fromHex, reversed, utf8 } from "../../kernel/bytes.ts";
import { Reader } from "../../kernel/reader.ts";
import { RpcError } from "../rpc/protocol.ts";
import { sealed } from "./blocks.ts";
import { type RskContext, type RskMethods, textArgument } from "./context.ts";
import { data, type JsonObject, quantity } from "./hex.ts";
import { compress, HASH_SIZE, lastIndexOf, proofFlaw, TAG } from "./proof.ts";
import { RSK_RPC } from "./protocol.ts";

/** A submission as its parameters say it. */
interface Submission {
  /** `Uint8Array(80)`. */
  readonly header: Uint8Array;
  readonly coinbase: Uint8Array;
  /** Siblings of the coinbase from leaf to root, internal byte order. */
  readonly branch: readonly Uint8Array[];
}

/** Rows by method name. */
export const MNR_METHODS: RskMethods = {
  mnr_getWork: ({ minerServer, disturbances }) => (disturbances.syncing ? null : minerServer.getWork()),
  mnr_submitBitcoinBlockPartialMerkle: (context, args) => {
    const hashes = textArgument(args, 3);
    const count = textArgument(args, 4);
    if (hashes === "") throw refusal("The list of merkle hashes can't be empty");
    const parent = parentOf(args);
    if (!/^[0-9a-f]{1,8}$/i.test(count)) throw new TypeError("the number of transactions is no hex number");
    // In internal byte order; the first one is the coinbase's own.
    return submit(context, { ...parent, branch: hashesOf(hashes).slice(1) });
  },
  mnr_submitBitcoinBlockTransactions: (context, args) => {
    // In display order, unlike those above.
    const leaves = hashesOf(textArgument(args, 3)).map(reversed);
    return submit(context, { ...parentOf(args), branch: merkleBranch(leaves, 0) });
  },
  mnr_submitBitcoinBlock: (context, args) => submit(context, wholeBlock(fromHex(textArgument(args, 0)))),
};

/** Header and coinbase, the second and the third parameter; what follows them in their bytes is not looked at. */
function parentOf(args: readonly unknown[]): Pick<Submission, "header" | "coinbase"> {
  const header = fromHex(textArgument(args, 1));
  const coinbase = fromHex(textArgument(args, 2));
  readHeader(new Reader(header));
  return { header: header.slice(0, HEADER_SIZE), coinbase: nextTransaction(new Reader(coinbase), coinbase) };
}

function wholeBlock(bytes: Uint8Array): Submission {
  const reader = new Reader(bytes);
  readHeader(reader);
  const transactions: Uint8Array[] = [];
  for (let left = readCompactSize(reader); left > 0; left--) transactions.push(nextTransaction(reader, bytes));
  const [coinbase] = transactions;
  if (coinbase === undefined) throw new TypeError("a block has a coinbase");
  const leaves = transactions.map((each) => txid(parseTransaction(each)));
  return { header: bytes.slice(0, HEADER_SIZE), coinbase, branch: merkleBranch(leaves, 0) };
}

/** The bytes of the next transaction, a copy. Throws as `parseTransaction`. */
function nextTransaction(reader: Reader, bytes: Uint8Array): Uint8Array {
  const from = reader.offset;
  parseTransaction(reader);
  return bytes.slice(from, reader.offset);
}

function hashesOf(text: string): Uint8Array[] {
  return text.split(/\s+/).map((each) => {
    const hash = fromHex(each);
    if (hash.length !== HASH_SIZE) throw new TypeError(`a hash has 32 bytes, got ${hash.length}`);
    return hash;
  });
}

/** What stands behind the last tag. Without a tag rskj takes the bytes that would be there if it began one byte before the coinbase. */
function minedHash(coinbase: Uint8Array): Uint8Array {
  const at = lastIndexOf(coinbase, TAG) + TAG.length;
  if (at + HASH_SIZE > coinbase.length) throw new RangeError("the coinbase ends within the hash");
  return coinbase.subarray(at, at + HASH_SIZE);
}

function submit(context: RskContext, { header, coinbase, branch }: Submission): JsonObject {
  const hash = minedHash(coinbase);
  if (!context.admitSubmission()) throw refusal("Cannot publish block, block submission rate limit exceeded");
  const work = context.minerServer.find(hash);
  if (work === undefined) {
    throw refusal(`Cannot publish block, could not find hash ${data(hash)} in the cache`);
  }
  const proof = { header, compressedCoinbase: compress(coinbase), merkleProof: concat(...branch.map(reversed)) };
  const block = sealed(work, proof);
  const flaw = proofFlaw(proof, work.hashForMergedMining, work.difficulty);
  if (flaw !== undefined) {
    context.log.debug(flaw, { hash: block.hash });
    const [short, shortMined] = [block.hash.slice(2, 8), data(hash).slice(2, 8)];
    throw refusal(`Invalid block supplied by miner: ${short} ${shortMined} at height ${work.number}. Hash: ${short}`);
  }
  const result = context.disturbances.importResult ?? context.chain.add(block);
  return {
    blockImportedResult: data(utf8(result)),
    blockHash: block.hash,
    blockIncludedHeight: quantity(work.number),
  };
}

function refusal(message: string): RpcError {
  return new RpcError(RSK_RPC.SUBMIT_BLOCK, message);
}

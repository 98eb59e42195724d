/**
 * Where bytes may come to stand in a coinbase, whatever extranonce a miner puts into it. Chains find their commitments by
 * searching for bytes, so nothing else may look like them: neither what we write, nor what arises where two fields or our
 * bytes and an extranonce meet.
 */
import { concat } from "../kernel/bytes.ts";

/** A coinbase without witness and the place of its extranonce. */
export interface OpenCoinbase {
  readonly bytes: Uint8Array;
  /** Offset of the extranonce's first byte … */
  readonly from: number;
  /** … and of the first byte behind it. Equal when there is none: then `bytes` are what was hashed. */
  readonly to: number;
}

/** The coinbase of a job, its extranonce open. */
export function openCoinbase(job: {
  readonly coinbasePrefix: Uint8Array;
  readonly extranonceSize: number;
  readonly coinbaseSuffix: Uint8Array;
}): OpenCoinbase {
  const from = job.coinbasePrefix.length;
  const to = from + job.extranonceSize;
  return { bytes: concat(job.coinbasePrefix, new Uint8Array(job.extranonceSize), job.coinbaseSuffix), from, to };
}

/** A coinbase as it was hashed. */
export function closedCoinbase(bytes: Uint8Array): OpenCoinbase {
  return { bytes, from: bytes.length, to: bytes.length };
}

/**
 * The first offset at or behind `start` and before `end` at which `part` may stand: bytes of the extranonce match anything. Not counted is a
 * place that lies in the extranonce as a whole: a miner may write there what it likes, and spoils nobody's proof but its own,
 * which is found before it is submitted. -1 for none.
 */
export function findOpen(coinbase: OpenCoinbase, part: Uint8Array, start = 0, end = coinbase.bytes.length): number {
  const { bytes, from, to } = coinbase;
  const first = part[0] as number;
  const last = Math.min(end - 1, bytes.length - part.length);
  for (let at = start; at <= last; at++) {
    if (bytes[at] !== first && (at < from || at >= to)) continue;
    if (at >= from && at + part.length <= to) continue;
    let same = 1;
    while (same < part.length) {
      const here = at + same;
      if (bytes[here] !== part[same] && (here < from || here >= to)) break;
      same++;
    }
    if (same === part.length) return at;
  }
  return -1;
}

/** How often `part` stands in `bytes`, overlaps included. */
export function occurrences(bytes: Uint8Array, part: Uint8Array): number {
  const coinbase = closedCoinbase(bytes);
  let count = 0;
  for (let at = findOpen(coinbase, part); at !== -1; at = findOpen(coinbase, part, at + 1)) count++;
  return count;
}

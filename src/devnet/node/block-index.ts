/** The tree of known blocks: heights, work and validity, with or without the block's content. */
import { type Header, parseHeader } from "../../bitcoin/header.ts";
import { targetFromCompact, workOfTarget } from "../../bitcoin/target.ts";
import type { BlockData } from "./block-data.ts";
import type { Undo } from "./coins.ts";

/** One known block. */
export interface BlockNode {
  /** Hash in display order. */
  readonly key: string;
  /** Hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  readonly header: Header;
  /** The 80 bytes of the header. */
  readonly headerBytes: Uint8Array;
  readonly height: number;
  /** Work of the whole chain up to this block (2^256 / (target + 1) summed). */
  readonly work: bigint;
  /** The parent; `undefined` for the first block and where older ones were forgotten. */
  prev: BlockNode | undefined;
  /** The content; `undefined` before it came and after it was forgotten. */
  data: BlockData | undefined;
  /** Transactions it has; 0 until the content came. */
  txCount: number;
  /** All blocks below and this one have had their content, so the chain to here could be connected. */
  linked: boolean;
  /** This block or one below it breaks a rule, or was declared invalid. */
  failed: boolean;
  /** Order in which blocks became linked: the first of equal work wins. */
  sequence: number;
  /** How to disconnect it; set while it is in the active chain. */
  undo: Undo | undefined;
}

/** A node for the header of `data`, without content, on top of `prev`. */
export function newNode(data: BlockData, prev: BlockNode | undefined): BlockNode {
  // Copies: the header must not keep the whole block's bytes alive.
  const headerBytes = Uint8Array.from(data.block.headerBytes);
  const header = parseHeader(headerBytes);
  return {
    key: data.key,
    hash: data.hash,
    header,
    headerBytes,
    height: prev === undefined ? 0 : prev.height + 1,
    work: (prev?.work ?? 0n) + workOfTarget(targetFromCompact(header.nBits)),
    prev,
    data: undefined,
    txCount: 0,
    linked: false,
    failed: false,
    sequence: 0,
    undo: undefined,
  };
}

/** Median time of `node` and the ten blocks before it, Unix seconds (Core's `GetMedianTimePast`). */
export function medianTimePast(node: BlockNode): number {
  const times: number[] = [];
  for (let at: BlockNode | undefined = node; at !== undefined && times.length < 11; at = at.prev) {
    times.push(at.header.time);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] as number;
}

/** The block at `height` below or at `node`, if it is still known. */
export function ancestorAt(node: BlockNode, height: number): BlockNode | undefined {
  let at: BlockNode | undefined = node;
  while (at !== undefined && at.height > height) at = at.prev;
  return at?.height === height ? at : undefined;
}

/** The highest block that is below or at both. */
export function forkPoint(a: BlockNode, b: BlockNode): BlockNode | undefined {
  let left: BlockNode | undefined = a;
  let right: BlockNode | undefined = b;
  while (left !== right && left !== undefined && right !== undefined) {
    if (left.height >= right.height) left = left.prev;
    else right = right.prev;
  }
  return left === right ? left : undefined;
}

/** Whether `a` should be the tip rather than `b`: more work, or as much and linked earlier. */
export function isBetter(a: BlockNode, b: BlockNode): boolean {
  return a.work === b.work ? a.sequence < b.sequence : a.work > b.work;
}

/**
 * The chain state: known blocks, the active chain, its coins, forks and reorgs (the ways of Core's `ProcessNewBlock`,
 * `AcceptBlock` and `ActivateBestChain`). All in memory and bounded: content and undo data of the newest `blocksKept` blocks
 * or `bytesKept` bytes of them, as much again for blocks outside of the active chain, headers of the newest
 * `HEADERS_KEPT`. A block on a parent that is too deep to be undone to is refused as `prev-blk-not-found`.
 */
import { parseBlock } from "../../bitcoin/block.ts";
import { equal, toDisplayHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Bus } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import { type BlockData, blockData } from "./block-data.ts";
import { ancestorAt, type BlockNode, forkPoint, isBetter, medianTimePast, newNode } from "./block-index.ts";
import { BLOCKS_ALWAYS_KEPT, type ChainEvents, type ChainOptions, HEADERS_KEPT } from "./chain-options.ts";
import { type CoinContext, CoinSet } from "./coins.ts";
import { checkBlock, checkBlockAtHeight, checkHeader, type Refusal } from "./validation.ts";

/** All blocks known and the coins of the best valid chain among them. */
export class Chain {
  readonly #deps: { readonly clock: Clock; readonly log: Log };
  readonly #options: ChainOptions;
  readonly #known = new Map<string, BlockNode>();
  readonly #active = new Map<number, BlockNode>();
  /** Known blocks outside of the active chain. */
  readonly #side = new Set<BlockNode>();
  /** Linked, valid blocks that may become the tip. */
  readonly #candidates = new Set<BlockNode>();
  #tip: BlockNode;
  #sequence = 0;
  /** Height of the oldest block of the active chain whose content is kept, and the bytes of all that are. */
  #lowest = 0;
  #bytes = 0;
  /** What happens to the active chain; listeners run before `submit` returns. */
  readonly events: Bus<ChainEvents>;
  /** The unspent outputs at the tip. */
  readonly coins = new CoinSet();

  constructor(deps: { readonly clock: Clock; readonly log: Log }, options: ChainOptions) {
    this.#deps = deps;
    this.#options = options;
    this.events = new Bus({
      onError: (error, name) => deps.log.error(`a listener for ${name} failed: ${describe(error)}`, { error }),
    });
    // Core does not connect the first block either: its coinbase cannot be spent.
    const data = blockData(parseBlock(options.genesis));
    this.#tip = newNode(data, undefined);
    Object.assign(this.#tip, { data, txCount: data.txs.length, linked: true });
    this.#known.set(this.#tip.key, this.#tip);
    this.#active.set(0, this.#tip);
  }

  /** The last block of the active chain. */
  get tip(): BlockNode {
    return this.#tip;
  }

  /** Rules of this chain. */
  get options(): ChainOptions {
    return this.#options;
  }

  /** The block of the active chain at `height`, if it is still known. */
  at(height: number): BlockNode | undefined {
    return this.#active.get(height);
  }

  /** The known block with this hash in display order. */
  find(key: string): BlockNode | undefined {
    return this.#known.get(key);
  }

  /** Whether `node` is in the active chain. */
  isActive(node: BlockNode): boolean {
    return this.#active.get(node.height) === node;
  }

  /** `nBits` of the next block on the tip. */
  get nextBits(): number {
    return this.#options.requiredBits(this.#tip.height + 1);
  }

  /** Height of the oldest block of the active chain whose content is kept. */
  get lowestKept(): number {
    return this.#lowest;
  }

  /** Number of known blocks outside of the active chain. */
  get sideBlocks(): number {
    return this.#side.size;
  }

  /**
   * Takes a block as Core's `submitblock` does. `null`: it is valid and was connected. Otherwise BIP22's reason: the rule
   * it breaks, `duplicate`, `duplicate-invalid`, or `inconclusive` when it is stored but has not become part of the
   * active chain.
   */
  submit(data: BlockData): string | null {
    const early = checkBlock(data, { powLimit: this.#options.powLimit, proofOfWork: true });
    if (early !== undefined) return early.reason;
    const header = this.#acceptHeader(data);
    if (typeof header === "string") return header;
    if (header.txCount > 0) return "duplicate";
    const prev = header.prev;
    const late = prev === undefined ? undefined : checkBlockAtHeight(data, header.height, medianTimePast(prev));
    if (late !== undefined) {
      if (!late.mutated) this.#fail(header);
      return late.reason;
    }
    header.data = data;
    header.txCount = data.txs.length;
    this.#link(header);
    const refusal = this.#activateBest(header);
    if (refusal !== undefined) return refusal.reason;
    return this.isActive(header) ? null : "inconclusive";
  }

  /** What Core answers to a proposal (BIP23): the block on the tip without its proof of work; `null` if it is valid. */
  propose(data: BlockData): string | null {
    const known = this.#known.get(data.key);
    if (known?.failed === true) return "duplicate-invalid";
    if (known !== undefined) return this.isActive(known) ? "duplicate" : "duplicate-inconclusive";
    const tip = this.#tip;
    if (!equal(data.block.header.prevHash, tip.hash)) return "inconclusive-not-best-prevblk";
    const { powLimit } = this.#options;
    const refusal =
      checkBlock(data, { powLimit, proofOfWork: false }) ??
      this.#checkHeader(data, tip) ??
      checkBlockAtHeight(data, tip.height + 1, medianTimePast(tip));
    if (refusal !== undefined) return refusal.reason;
    const result = this.coins.connect(data, this.contextAt(tip));
    if ("refusal" in result) return result.refusal.reason;
    this.coins.disconnect(result.undo);
    return null;
  }

  /** Core's `invalidateblock`: `node` and all after it count as invalid, the best other chain becomes active. */
  invalidate(node: BlockNode): void {
    const before = this.#tip;
    while (this.isActive(node)) this.#disconnectTip();
    this.#fail(node);
    this.#findCandidates();
    this.#activateBest();
    this.#announce(before);
  }

  /** Core's `reconsiderblock`: takes the verdict back from `node`, what is below and what is above it. */
  reconsider(node: BlockNode): void {
    for (let at: BlockNode | undefined = node; at !== undefined; at = at.prev) at.failed = false;
    for (const each of this.#side) if (ancestorAt(each, node.height) === node) each.failed = false;
    this.#findCandidates();
    this.#activateBest();
  }

  #acceptHeader(data: BlockData): BlockNode | string {
    const known = this.#known.get(data.key);
    if (known !== undefined) return known.failed ? "duplicate-invalid" : known;
    const prev = this.#known.get(toDisplayHex(data.block.header.prevHash));
    if (prev === undefined || prev.height < this.#lowest - 1) return "prev-blk-not-found";
    if (prev.failed) return "bad-prevblk";
    const refusal = this.#checkHeader(data, prev);
    if (refusal !== undefined) return refusal.reason;
    const node = newNode(data, prev);
    this.#known.set(node.key, node);
    this.#side.add(node);
    return node;
  }

  #checkHeader(data: BlockData, prev: BlockNode): Refusal | undefined {
    return checkHeader(data.block.header, {
      requiredBits: this.#options.requiredBits(prev.height + 1),
      medianTimePast: medianTimePast(prev),
      nowSeconds: this.#deps.clock.nowMs() / 1000,
    });
  }

  /** Marks `node` and the blocks on it invalid. */
  #fail(node: BlockNode): void {
    for (const each of this.#side) {
      if (each !== node && ancestorAt(each, node.height) !== node) continue;
      each.failed = true;
      this.#candidates.delete(each);
    }
  }

  /** `node` got its content: it and whatever waited for it on top may now be connected. */
  #link(node: BlockNode): void {
    if (node.prev?.linked !== true || node.linked) return;
    node.linked = true;
    node.sequence = ++this.#sequence;
    if (node.work >= this.#tip.work) this.#candidates.add(node);
    for (const each of this.#side) if (each.prev === node && each.txCount > 0) this.#link(each);
  }

  #findCandidates(): void {
    this.#candidates.clear();
    for (const each of this.#side) {
      if (each.linked && !each.failed && each.work >= this.#tip.work) this.#candidates.add(each);
    }
  }

  /** Makes the best candidate the tip. Returns why `watched` was refused, if it was tried and refused. */
  #activateBest(watched?: BlockNode): Refusal | undefined {
    const before = this.#tip;
    let watchedRefusal: Refusal | undefined;
    for (let best = this.#best(); best !== this.#tip; best = this.#best()) {
      const fork = forkPoint(this.#tip, best);
      if (fork === undefined || fork.height < this.#lowest - 1) {
        this.#candidates.delete(best);
        continue;
      }
      const path: BlockNode[] = [];
      for (let at: BlockNode | undefined = best; at !== undefined && at !== fork; at = at.prev) path.push(at);
      while (this.#tip !== fork) this.#disconnectTip();
      for (let next = path.pop(); next !== undefined; next = path.pop()) {
        const refusal = this.#connect(next);
        if (refusal === undefined) continue;
        if (next === watched) watchedRefusal = refusal;
        this.#fail(next);
        break;
      }
    }
    for (const each of this.#candidates) if (!isBetter(each, this.#tip)) this.#candidates.delete(each);
    this.#forgetOld();
    this.#announce(before);
    return watchedRefusal;
  }

  #best(): BlockNode {
    let best = this.#tip;
    for (const each of this.#candidates) if (isBetter(each, best)) best = each;
    return best;
  }

  #connect(node: BlockNode): Refusal | undefined {
    const { data, prev } = node;
    if (data === undefined || prev === undefined) throw new TypeError(`block ${node.key} cannot be connected`);
    const result = this.coins.connect(data, this.contextAt(prev));
    if ("refusal" in result) return result.refusal;
    node.undo = result.undo;
    this.#bytes += data.size;
    this.#active.set(node.height, node);
    this.#side.delete(node);
    this.#candidates.delete(node);
    this.#tip = node;
    this.events.emit("connected", { node, data });
    return undefined;
  }

  #disconnectTip(): void {
    const node = this.#tip;
    const { data, undo, prev } = node;
    if (data === undefined || undo === undefined || prev === undefined) {
      throw new TypeError(`block ${node.key} cannot be disconnected`);
    }
    this.coins.disconnect(undo);
    node.undo = undefined;
    this.#bytes -= data.size;
    this.#active.delete(node.height);
    this.#side.add(node);
    // Until a better one is found it may be the best again.
    if (!node.failed) this.#candidates.add(node);
    this.#tip = prev;
    this.events.emit("disconnected", { node, data });
  }

  #announced: BlockNode | undefined;

  #announce(before: BlockNode): void {
    if (this.#tip === before || this.#announced === this.#tip) return;
    this.#announced = this.#tip;
    this.events.emit("tip", { node: this.#tip });
  }

  /** What the rules about coins need to know for a block on top of `prev`. */
  contextAt(prev: BlockNode): CoinContext {
    return {
      height: prev.height + 1,
      halvingInterval: this.#options.halvingInterval,
      medianTimePast: medianTimePast(prev),
      medianTimeBefore: (height) => {
        const below = ancestorAt(prev, Math.max(0, height - 1));
        return below === undefined ? 0 : medianTimePast(below);
      },
    };
  }

  /** Keeps memory bounded, see the head of this file. */
  #forgetOld(): void {
    const { height } = this.#tip;
    const { blocksKept, bytesKept } = this.#options;
    const isTooMuch = (): boolean => {
      const kept = height - this.#lowest + 1;
      return kept > blocksKept || (this.#bytes > bytesKept && kept > BLOCKS_ALWAYS_KEPT);
    };
    while (isTooMuch()) {
      const node = this.#active.get(this.#lowest++);
      if (node?.data === undefined) continue;
      this.#bytes -= node.undo === undefined ? 0 : node.data.size;
      node.data = undefined;
      node.undo = undefined;
    }
    const last = this.#active.get(height - HEADERS_KEPT);
    if (last?.prev !== undefined) {
      this.#known.delete(last.prev.key);
      this.#active.delete(last.prev.height);
      last.prev = undefined;
    }
    let count = 0;
    let bytes = 0;
    for (const node of [...this.#side].sort((a, b) => b.height - a.height)) {
      count++;
      bytes += node.data?.size ?? 0;
      if (node.height >= this.#lowest && count <= blocksKept && bytes <= bytesKept) continue;
      this.#side.delete(node);
      this.#candidates.delete(node);
      this.#known.delete(node.key);
    }
  }
}

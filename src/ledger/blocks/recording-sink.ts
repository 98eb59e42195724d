/** A block sink that tells the ledger of each block, after the block is on its way: the ledger comes behind Bitcoin. */
import { toHex } from "../../kernel/bytes.ts";
import type { BlockSink, FoundBlock } from "../../mining/ports.ts";

/** Blocks that are remembered, so that one which is handed over twice is one: a declaring client sends it as a share and as a solution. */
const REMEMBERED = 64;

/** `sink` with `found` called for every block that is handed over. What `found` does must take no time and not throw (`BlockRecords.bitcoinFound`). */
export function recordingSink(sink: BlockSink, found: (block: FoundBlock) => void): BlockSink {
  const seen = new Set<string>();
  return {
    submit(block) {
      const hash = toHex(block.hash);
      if (seen.has(hash)) return;
      seen.add(hash);
      for (const oldest of seen) {
        if (seen.size <= REMEMBERED) break;
        seen.delete(oldest);
      }
      sink.submit(block);
      found(block);
    },
    onAnswer: (listener) => sink.onAnswer(listener),
    drained: (signal) => sink.drained(signal),
  };
}

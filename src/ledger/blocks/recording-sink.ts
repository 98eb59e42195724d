/** A block sink that tells the ledger of each block, after the block is on its way: the ledger comes behind Bitcoin. */
import type { BlockSink, FoundBlock } from "../../mining/ports.ts";

/** `sink` with `found` called for every block that is handed over. What `found` does must take no time and not throw (`BlockRecords.bitcoinFound`). */
export function recordingSink(sink: BlockSink, found: (block: FoundBlock) => void): BlockSink {
  return {
    submit(block) {
      sink.submit(block);
      found(block);
    },
    onAnswer: (listener) => sink.onAnswer(listener),
    drained: (signal) => sink.drained(signal),
  };
}

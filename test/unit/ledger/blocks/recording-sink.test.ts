import { expect, test } from "vitest";
import { recordingSink } from "../../../../src/ledger/blocks/recording-sink.ts";
import type { BlockSink } from "../../../../src/mining/ports.ts";
import { bitcoinBlock } from "../../../support/ledger-blocks.ts";

test("a block is on its way before the ledger hears of it, and everything else is the sink's own", async () => {
  const steps: string[] = [];
  const sink: BlockSink = {
    submit: () => void steps.push("submitted"),
    onAnswer: (listener) => {
      listener(bitcoinBlock(1), { node: "core", verdict: "stale", reason: "" });
      return () => void steps.push("unsubscribed");
    },
    drained: async () => void steps.push("drained"),
  };
  const recording = recordingSink(sink, ({ height }) => void steps.push(`recorded ${height}`));
  recording.submit(bitcoinBlock(2));
  recording.onAnswer((_, { verdict }) => void steps.push(verdict))();
  await recording.drained(new AbortController().signal);
  expect(steps).toEqual(["submitted", "recorded 800002", "stale", "unsubscribed", "drained"]);
});

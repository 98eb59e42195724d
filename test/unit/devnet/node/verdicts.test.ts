/** The devnet's chain gives the answers that a real Bitcoin Core gave to the same blocks. */
import { expect, test } from "vitest";
import { decodeBlock, withCoinbaseWitness } from "../../../../src/devnet/node/block-data.ts";
import { blockConversation } from "../../../support/block-conversation.ts";
import { devnet } from "../../../support/devnet.ts";
import recorded from "../../../vectors/core-block-verdicts.json" with { type: "json" };

test("every good block is taken and every rule broken alone is refused, in Core's words", () => {
  const { node, now } = devnet();
  const verdicts: Record<string, string | null> = {};
  for (const { name, block } of blockConversation(node, now)) {
    verdicts[name] = node.chain.submit(withCoinbaseWitness(decodeBlock(block)));
  }
  expect(verdicts).toEqual(recorded.verdicts);
  // So the conversation reaches every rule that needs no 21 million BTC of real coins.
  expect(new Set(Object.values(verdicts)).size).toBeGreaterThanOrEqual(35);
});

/** What `mine --chains` prints of a chain. */
import { expect, test } from "vitest";
import { chainSentence } from "../../../src/app/commands/mine-chains.ts";

test("a chain in a sentence", () => {
  const chain = { chain: "namecoin", height: 815_000, difficulty: 2 ** 36, inJob: true, found: 3, accepted: 2 };
  expect(chainSentence(chain)).toBe("namecoin: height 815000, difficulty 68700000000, in the job; 3 found, 2 accepted");
  const resting = { ...chain, height: undefined, difficulty: undefined, inJob: false, found: 0, accepted: 0 };
  expect(chainSentence(resting)).toBe("namecoin: no work, not in the job; 0 found, 0 accepted");
});

import { describe, expect, test } from "vitest";
import { workerOf } from "../../../src/mining/user-identity.ts";

describe("whom a named share is credited to", () => {
  test.each([
    ["farm.translator-proxy", "2", "farm.2"],
    ["farm", "rig-1", "farm.rig-1"],
    ["farm", "farm.rig-1", "farm.rig-1"],
    ["farm", "farm", "farm"],
    ["farm", "farmer", "farm.farmer"],
    ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.x", "7", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.7"],
    ["", "rig", "rig"],
    [".x", "rig", "rig"],
  ])("channel %j, worker %j: %j", (channelUser, worker, expected) => {
    expect(workerOf(channelUser, worker)).toBe(expected);
  });

  test("equal worker names of two accounts stay apart", () => {
    expect(workerOf("alice", "1")).not.toBe(workerOf("bob", "1"));
  });
});

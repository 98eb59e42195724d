import { describe, expect, test } from "vitest";
import { plugin, profileOf } from "./index.ts";

const daemons = [{ url: "http://127.0.0.1:65535" }];
const issues = (table: object): string =>
  (plugin.config.safeParse({ daemons, ...table }).error?.issues ?? [])
    .map(({ path, message }) => `${path.join(".")}: ${message}`)
    .join("; ");

describe("the table of an AuxPoW chain", () => {
  test("chain ID and payout are enough; everything else is as Namecoin does it", () => {
    const profile = profileOf(plugin.config.parse({ daemons, chain_id: 117, payout: "u" }));
    expect(profile).toMatchObject({
      chainId: 117,
      strictChainId: true,
      method: "createauxblock",
      target: "bits",
      heightOffset: 0,
      rewardOutput: 0,
      success: "true",
      maturity: 100,
    });
    expect(profile).not.toHaveProperty("extraOutput");
  });

  test("every way of a daemon has its key", () => {
    const table = plugin.config.parse({
      daemons,
      chain_id: 1224,
      payout: "E",
      strict_chain_id: false,
      method: "named",
      target: "big-endian",
      height_offset: 1,
      reward_output: 1,
      decimals: 6,
      success: "null",
      reversed_hashes: true,
      maturity: 7,
      vague_answers: ["adding block failed"],
      no_work_codes: [-1],
      output_key: "coinbasescript",
      output_forbids: "737973",
      network_call: "getmininginfo",
      waits: false,
    });
    expect(profileOf(table)).toEqual({
      name: "auxpow",
      coin: { symbol: "AUX", decimals: 6 },
      chainId: 1224,
      strictChainId: false,
      method: "named",
      target: "big-endian",
      heightOffset: 1,
      rewardOutput: 1,
      success: "null",
      reversedHashes: true,
      maturity: 7,
      vague: ["adding block failed"],
      noWork: [-1],
      extraOutput: { key: "coinbasescript", forbid: Uint8Array.of(0x73, 0x79, 0x73) },
      networkCall: "getmininginfo",
      waits: false,
    });
  });

  test.each([
    [{ payout: "u" }, "chain_id is missing"],
    [{ chain_id: -1, payout: "u" }, "chain_id"],
    [{ chain_id: 70_000, payout: "u" }, "chain_id"],
    [{ chain_id: 1 }, "payout is missing"],
    [{ chain_id: 1, method: "getauxblock", payout: "u" }, "payout has no effect"],
    [{ chain_id: 1, payout: "u", output_key: "script" }, "belong together"],
    [{ chain_id: 1, payout: "u", output_forbids: "7z", output_key: "x" }, "bytes in hex"],
    [{ chain_id: 1, payout: "u", metod: "named" }, "metod"],
  ])("%j is refused", (table, sentence) => {
    expect(issues(table)).toContain(sentence);
  });

  test("getauxblock wants no payout", () => {
    expect(issues({ chain_id: 50, method: "getauxblock" })).toBe("");
  });
});

import { describe, expect, test } from "vitest";
import { coinbaseHalves } from "../../../src/bitcoin/coinbase.ts";
import { concat, fromHex, utf8 } from "../../../src/kernel/bytes.ts";
import { openCoinbase } from "../../../src/merge/open-coinbase.ts";
import { brokenRule, locateOutputs } from "../../../src/merge/output-rules.ts";
import type { AuxRules } from "../../../src/mining/aux.ts";

const script = concat(fromHex("6a0d"), utf8("RSKBLOCK:1234"));
const OTHER = fromHex("6a0101");

/** What is said of `rules` in a coinbase whose outputs have these scripts. */
function judge(rules: Partial<AuxRules>, scripts: readonly Uint8Array[] = [OTHER, script]): string | undefined {
  const { prefix, suffix } = coinbaseHalves({
    txVersion: 2,
    scriptSigPrefix: fromHex("0340d10c14"),
    extranonceSize: 20,
    sequence: 0xffffffff,
    outputs: scripts.map((each) => ({ value: 0n, script: each })),
    lockTime: 0,
  });
  const coinbase = openCoinbase({ coinbasePrefix: prefix, extranonceSize: 20, coinbaseSuffix: suffix });
  const broken = brokenRule(coinbase, locateOutputs(coinbase.bytes), { script, ...rules });
  return broken && `${broken.reason}: ${broken.detail}`;
}

describe("the rules of an output", () => {
  test("the bytes behind it are counted to the last, lock time included", () => {
    expect(judge({ maxBytesAfter: 4 })).toBeUndefined();
    expect(judge({ maxBytesAfter: 3 })).toBe("max_bytes_after: 4 bytes follow its script, of 3 at most");
    expect(judge({ maxBytesAfter: 16 }, [script, OTHER])).toBeUndefined();
    expect(judge({ maxBytesAfter: 15 }, [script, OTHER])).toContain("max_bytes_after");
  });

  test("its script stands once", () => {
    expect(judge({}, [OTHER])).toBe("occurrence: its script stands 0 times among the outputs");
    expect(judge({}, [script, script])).toBe("occurrence: its script stands 2 times among the outputs");
  });

  test("a mark is the first or the last of its kind", () => {
    const mark = utf8("RSKBLOCK:");
    const tagged = concat(fromHex("6a09"), mark);
    expect(judge({ last: mark }, [tagged, script])).toBeUndefined();
    expect(judge({ last: mark }, [script, tagged])).toMatch(/^occurrence: its mark may also stand behind its script/);
    expect(judge({ first: mark }, [script, tagged])).toBeUndefined();
    expect(judge({ first: mark }, [tagged, script])).toMatch(/^occurrence: its mark may also stand before its script/);
  });

  test("forbidden bytes stand in no other output, and may stand elsewhere", () => {
    expect(judge({ forbid: utf8("RSK") })).toBeUndefined();
    expect(judge({ forbid: fromHex("0101") })).toMatch(/^forbidden: the output at byte \d+ holds bytes/);
    expect(judge({ forbid: fromHex("40d10c") })).toBeUndefined();
  });
});

import { describe, expect, test } from "vitest";
import { parseMinerUrl } from "../../../../src/devnet/miner/url.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { decodeAuthorityPublicKey } from "../../../../src/sv2/noise/authority-key.ts";

/** SRI's key pair for tests (stratum-apps key_utils). */
const KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const codeOf = (text: string): string => {
  try {
    parseMinerUrl(text);
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
};

describe("the address of a server", () => {
  test("with its authority's key", () => {
    expect(parseMinerUrl(`stratum2+tcp://pool.example:3333/${KEY}`)).toEqual({
      host: "pool.example",
      port: 3333,
      authorityPublicKey: decodeAuthorityPublicKey(KEY),
    });
  });

  test("without a key, in either scheme, and of IPv6", () => {
    expect(parseMinerUrl("tcp://127.0.0.1:3333")).toEqual({ host: "127.0.0.1", port: 3333 });
    expect(parseMinerUrl("stratum2+tcp://pool.example:1")).toEqual({ host: "pool.example", port: 1 });
    expect(parseMinerUrl("tcp://[::1]:3333")).toMatchObject({ host: "::1", port: 3333 });
  });

  test.each([
    "",
    "pool.example:3333",
    "stratum+tcp://pool.example:3333",
    "tcp://pool.example",
    "tcp://:3333",
    "tcp://a:0",
  ])("%j is refused", (text) => {
    expect(codeOf(text)).toBe("sv2-url-invalid");
  });

  test("a wrong key is told apart from a wrong address", () => {
    expect(codeOf(`tcp://a:1/${KEY.slice(0, -1)}3`)).toBe("authority-key-invalid");
  });
});

/** Pushes, script numbers and signature operations as Bitcoin Core writes and counts them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  opReturn,
  publicKeyHash,
  push,
  pushBytes,
  scriptHash,
  scriptNumber,
  scriptOps,
  sigops,
  witnessProgram,
} from "../../../src/bitcoin/script.ts";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";

describe("push", () => {
  test.each([
    ["", "00"],
    ["01", "51"],
    ["10", "60"],
    ["11", "0111"],
    ["81", "4f"],
    ["00", "0100"],
    ["aa".repeat(75), `4b${"aa".repeat(75)}`],
    ["aa".repeat(76), `4c4c${"aa".repeat(76)}`],
    ["aa".repeat(255), `4cff${"aa".repeat(255)}`],
    ["aa".repeat(256), `4d0001${"aa".repeat(256)}`],
    ["aa".repeat(65536), `4e00000100${"aa".repeat(65536)}`],
  ])("case %#", (data, script) => {
    expect(toHex(push(fromHex(data)))).toBe(script);
  });

  test("of bytes never uses an opcode that stands for a number", () => {
    expect(toHex(pushBytes(Uint8Array.of(1)))).toBe("0101");
    expect(toHex(opReturn(Uint8Array.of(1), fromHex("deadbeef")))).toBe("6a010104deadbeef");
  });

  test("is read back as what was pushed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 600 }), (data) => {
        expect([...scriptOps(push(data))].map((op) => toHex(op.data!))).toEqual([toHex(data)]);
      }),
    );
  });
});

// Bitcoin wiki, "Script", and Core's scriptnum_tests.cpp values.
describe("script numbers", () => {
  test.each([
    [0, ""],
    [1, "01"],
    [-1, "81"],
    [127, "7f"],
    [128, "8000"],
    [-128, "8080"],
    [255, "ff00"],
    [256, "0001"],
    [32767, "ff7f"],
    [32768, "008000"],
    [-255, "ff80"],
    [840_000, "40d10c"],
    [2 ** 31, "0000008000"],
  ])("%i", (n, hex) => expect(toHex(scriptNumber(n))).toBe(hex));

  test("only of whole numbers", () => expect(() => scriptNumber(0.5)).toThrow(TypeError));
});

// Core's sigopcount_tests.cpp: two keys 1-of-2 multisig, and an OP_CHECKSIG in an OP_IF.
describe("signature operations", () => {
  const twoKeys = `51${"14" + "00".repeat(20)}${"14" + "00".repeat(20)}52ae`;

  test.each([
    ["", 0, 0],
    [twoKeys, 20, 2],
    [`${twoKeys}63ac68`, 21, 3],
    ["acad", 2, 2],
    ["af", 20, 20],
    ["60ae", 20, 16],
    // A push hides what it carries, a cut push ends the count.
    ["02acac", 0, 0],
    ["ac05acac", 1, 1],
    ["4c", 0, 0],
    ["4dff", 0, 0],
  ])("in %s", (script, counted, accurate) => {
    expect(sigops(fromHex(script))).toBe(counted);
    expect(sigops(fromHex(script), true)).toBe(accurate);
  });

  test("of any bytes are a number", () => {
    fc.assert(fc.property(fc.uint8Array(), (script) => Number.isInteger(sigops(script)) && sigops(script) >= 0));
  });
});

describe("templates", () => {
  const hash = "ab".repeat(20);

  test("P2PKH, P2SH and witness programs, and nothing that only looks like them", () => {
    expect(toHex(publicKeyHash(fromHex(`76a914${hash}88ac`))!)).toBe(hash);
    expect(toHex(scriptHash(fromHex(`a914${hash}87`))!)).toBe(hash);
    expect(witnessProgram(fromHex(`0014${hash}`))).toMatchObject({ version: 0 });
    expect(witnessProgram(fromHex("6002751e"))).toMatchObject({ version: 16 });
    expect(publicKeyHash(fromHex(`76a914${hash}88ad`))).toBeUndefined();
    expect(scriptHash(fromHex(`a914${hash}88`))).toBeUndefined();
    expect(witnessProgram(fromHex(`4f14${hash}`))).toBeUndefined();
    expect(witnessProgram(fromHex(`0015${hash}`))).toBeUndefined();
    expect(witnessProgram(fromHex("510101"))).toBeUndefined();
    expect(witnessProgram(fromHex(`5129${"00".repeat(41)}`))).toBeUndefined();
  });
});

/** Descriptors: BIP380's checksum vectors and what Bitcoin Core prints for real outputs. */
import { describe, expect, test } from "vitest";
import { descriptorChecksum, scriptOfDescriptor } from "../../../src/bitcoin/descriptor.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import vectors from "../../vectors/bitcoin-descriptors.json" with { type: "json" };

describe("BIP380", () => {
  test.each(vectors.bip380.valid)("$descriptor", ({ descriptor, script }) => {
    expect(toHex(scriptOfDescriptor(descriptor, "mainnet"))).toBe(script);
  });

  test.each(vectors.bip380.invalid)("$descriptor: $reason", ({ descriptor }) => {
    expect(() => scriptOfDescriptor(descriptor, "mainnet")).toThrow(
      expect.objectContaining({ code: "descriptor-invalid" }),
    );
  });
});

describe("Bitcoin Core's own", () => {
  test.each(vectors.core.vectors)("$descriptor", ({ descriptor, script }) => {
    expect(toHex(scriptOfDescriptor(descriptor, "regtest"))).toBe(script);
    const [body = "", checksum] = descriptor.split("#");
    expect(descriptorChecksum(body)).toBe(checksum);
    expect(toHex(scriptOfDescriptor(body, "regtest"))).toBe(script);
  });

  // Core's descriptor_tests.cpp, "Checksums": a payload that uses all three groups of characters.
  test("checksum of a long descriptor", () => {
    const body =
      "sh(multi(2,[00000000/111'/222]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL,xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y/0))";
    expect(descriptorChecksum(body)).toBe("tjg09x5t");
  });
});

describe("what operators write", () => {
  const address = "bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep";
  const script = "001487b728a8512b52f818c1bbd6b12b04a73f98a4c2";

  test.each([address, ` ${address}\n`, `addr(${address})`])("%j pays to its script", (text) => {
    expect(toHex(scriptOfDescriptor(text, "regtest"))).toBe(script);
  });

  test.each([
    ["wpkh(02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5)", "descriptor-invalid"],
    ["raw(xyz)", "descriptor-invalid"],
    ["raw(abc)", "descriptor-invalid"],
    [`${address}#aaaaaaaa`, "descriptor-invalid"],
    ["addr(nonsense)", "address-invalid"],
    ["", "address-invalid"],
    [`raw(${"00".repeat(20_000)})`, "descriptor-invalid"],
  ])("%.60s is refused as %s", (text, code) => {
    expect(() => scriptOfDescriptor(text, "regtest")).toThrow(expect.objectContaining({ code }));
  });
});

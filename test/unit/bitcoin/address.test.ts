/** Addresses: Bitcoin Core's key_io vectors and BIP350's, on every network. */
import { describe, expect, test } from "vitest";
import { addressOfScript, scriptOfAddress } from "../../../src/bitcoin/address.ts";
import { NETWORKS, type NetworkName, networkOfCoreName } from "../../../src/bitcoin/network.ts";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import vectors from "../../vectors/bitcoin-addresses.json" with { type: "json" };

const names = Object.keys(NETWORKS) as NetworkName[];
const flipCase = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));

describe("Bitcoin Core's key_io_valid.json", () => {
  test.each(vectors.keyIo.vectors)("$address", ({ address, script, chain, tryCaseFlip }) => {
    const network = networkOfCoreName(chain)!.name;
    expect(toHex(scriptOfAddress(address, network))).toBe(script);
    expect(addressOfScript(fromHex(script), network)?.toLowerCase()).toBe(address.toLowerCase());
    if (tryCaseFlip) expect(toHex(scriptOfAddress(flipCase(address), network))).toBe(script);
    else expect(() => scriptOfAddress(flipCase(address), network)).toThrow(Fault);
  });
});

describe("Bitcoin Core's key_io_invalid.json", () => {
  test.each(vectors.keyIoInvalid.vectors.map((address) => ({ address })))("$address", ({ address }) => {
    for (const network of names) {
      expect(() => scriptOfAddress(address, network)).toThrow(expect.objectContaining({ code: "address-invalid" }));
    }
  });
});

describe("BIP350", () => {
  test.each(vectors.bip350.valid)("$address", ({ address, script }) => {
    const network = address.toLowerCase().startsWith("bc") ? "mainnet" : "testnet";
    expect(toHex(scriptOfAddress(address, network))).toBe(script);
    expect(addressOfScript(fromHex(script), network)).toBe(address.toLowerCase());
  });

  test.each(vectors.bip350.invalid)("$address: $reason", ({ address }) => {
    for (const network of names) expect(() => scriptOfAddress(address, network)).toThrow(Fault);
  });
});

describe("an address of another network", () => {
  test.each([
    ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "regtest", "mainnet"],
    ["bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep", "mainnet", "regtest"],
    ["mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ", "mainnet", "testnet or testnet4 or signet or regtest"],
    ["tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "regtest", "testnet or testnet4 or signet"],
  ] as const)("%s on %s belongs to %s", (address, network, belongsTo) => {
    expect(() => scriptOfAddress(address, network)).toThrow(
      expect.objectContaining({ code: "address-invalid", data: expect.objectContaining({ belongsTo }) }),
    );
  });
});

test("a text of any length is refused quickly and shortened in the message", () => {
  let error: unknown;
  try {
    scriptOfAddress("1".repeat(1_000_000), "mainnet");
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(Fault);
  expect((error as Fault).message.length).toBeLessThan(400);
});

test("a script that is no template has no address", () => {
  for (const hex of ["", "51", "6a", "0015", `0010${"00".repeat(16)}`]) {
    expect(addressOfScript(fromHex(hex), "mainnet")).toBeUndefined();
  }
});

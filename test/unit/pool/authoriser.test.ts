import { describe, expect, test } from "vitest";
import {
  allowListAuthoriser,
  directPayoutAuthoriser,
  openAuthoriser,
  payoutAddressAuthoriser,
} from "../../../src/pool/authoriser.ts";

const UNKNOWN = { allowed: false, errorCode: "unknown-user" };
const INVALID = { allowed: false, errorCode: "invalid-user-identity" };
const ALLOWED = { allowed: true };

/** Examples of BIP173, BIP350 and Bitcoin Core's base58 tests. */
const ADDRESSES = {
  mainnet: [
    "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62i",
    "3CMNFxN1oHBc4R1EpboAL5yzHGgE611Xou",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
  ],
  testnet: ["mo9ncXisMeAoXwqcV5EWuyncbmCcQN4rVs", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"],
} as const;

describe("openAuthoriser", () => {
  test.each(["", "alice", "sri/solo/whatever", "ü".repeat(100)])("lets %j in", (identity) => {
    expect(openAuthoriser().authorise(identity)).toEqual(ALLOWED);
  });
});

describe("allowListAuthoriser", () => {
  const list = allowListAuthoriser(["alice", "bob.*", "carol.rig.*", "dave.rig1"]);

  test.each(["alice", "bob", "bob.1", "bob.rig.2", "bob.", "carol.rig", "carol.rig.7", "dave.rig1"])(
    "lets %j in",
    (identity) => {
      expect(list.authorise(identity)).toEqual(ALLOWED);
    },
  );

  test.each(["", ".", "alice.1", "Alice", "bobby", "bobby.1", "bob.*".slice(0, 2), "carol", "carol.rig2", "dave", "*"])(
    "does not know %j",
    (identity) => {
      expect(list.authorise(identity)).toEqual(UNKNOWN);
    },
  );

  test("an empty list lets nobody in", () => {
    expect(allowListAuthoriser([]).authorise("alice")).toEqual(UNKNOWN);
  });

  test("the longest identity of dots costs no more than its dots", () => {
    const long = allowListAuthoriser(Array.from({ length: 10_000 }, (_, i) => `user${i}.*`));
    expect(long.authorise(".".repeat(255))).toEqual(UNKNOWN);
    expect(long.authorise("user9999.a")).toEqual(ALLOWED);
  });
});

describe("payoutAddressAuthoriser", () => {
  test.each(ADDRESSES.mainnet)("mainnet address %s, with and without worker", (address) => {
    const mainnet = payoutAddressAuthoriser("mainnet");
    expect(mainnet.authorise(address)).toEqual(ALLOWED);
    expect(mainnet.authorise(`${address}.rig.7`)).toEqual(ALLOWED);
    expect(payoutAddressAuthoriser("testnet").authorise(address)).toEqual(INVALID);
  });

  test.each(ADDRESSES.testnet)("testnet address %s", (address) => {
    expect(payoutAddressAuthoriser("testnet").authorise(`${address}.w`)).toEqual(ALLOWED);
    expect(payoutAddressAuthoriser("mainnet").authorise(address)).toEqual(INVALID);
  });

  test.each([
    "",
    ".worker",
    "alice",
    "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62j",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "worker.1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62i",
    "1".repeat(255),
  ])("refuses %j", (identity) => {
    expect(payoutAddressAuthoriser("mainnet").authorise(identity)).toEqual(INVALID);
  });
});

describe("directPayoutAuthoriser", () => {
  const mainnet = directPayoutAuthoriser("mainnet");
  const [p2pkh = "", , bech32 = ""] = ADDRESSES.mainnet;

  test.each([
    p2pkh,
    `${bech32}.rig.7`,
    `sri/solo/${bech32}`,
    `sri/solo/${p2pkh}/rig.7`,
    `sri/donate/5/${bech32}/rig`,
    // A worker that a share names (0x0002) on a channel of sri/solo/<address>.
    `sri/solo/${bech32}.worker`,
  ])("%s names who is paid", (identity) => {
    expect(mainnet.authorise(identity)).toEqual(ALLOWED);
    expect(directPayoutAuthoriser("testnet").authorise(identity)).toEqual(INVALID);
  });

  test.each(["", "alice", "sri/donate", "sri/donate/rig", "sri/", "sri/solo/alice", `rig.${bech32}`])(
    "%j does not",
    (identity) => {
      expect(mainnet.authorise(identity)).toEqual(INVALID);
    },
  );
});

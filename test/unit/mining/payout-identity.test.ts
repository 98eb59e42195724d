/** Who a user identity pays: the forms of SRI's pool (sv2-apps `payout.rs`, `pool_solo_mining.rs`), on every network. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NETWORKS, type NetworkName } from "../../../src/bitcoin/network.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import { type PayoutIdentity, payoutIdentity } from "../../../src/mining/payout-identity.ts";

/** BIP173's and BIP350's examples, and Core's key_io vectors, with their scripts. */
const P2WPKH = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";
const P2WPKH_SCRIPT = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
const P2WSH = "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7";
const P2WSH_SCRIPT = "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262";
const P2TR = "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c";
const P2TR_SCRIPT = "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433";
/** Of the key of BIP173's examples, and of Bitcoin Core's key_io_valid.json. */
const P2PKH = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";
const P2PKH_SCRIPT = "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac";
const P2SH = "2NC2hEhe28ULKAJkW5MjZ3jtTMJdvXmByvK";
const P2SH_SCRIPT = "a914ce0bba75891ff9ec60148d4bd4a09ee2dc5c933187";
/** Of mainnet. */
const MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const MAINNET_P2PKH = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2";

/** In a line: `pool`, `solo <script>`, `donate <percent> <script>` or `invalid`. */
function short(found: PayoutIdentity): string {
  if (found.kind === "solo") return `solo ${toHex(found.script)}`;
  if (found.kind === "donate") return `donate ${found.percent} ${toHex(found.script)}`;
  return found.kind;
}
const read = (identity: string, network: NetworkName = "testnet4"): string => short(payoutIdentity(identity, network));

describe("all to the pool", () => {
  test.each([
    "",
    "worker.1",
    "cool_miner/worker.1",
    "alice",
    ".alice",
    "/",
    "SRI/solo/x",
    "sri",
    "sri.solo",
    "sriracha/solo",
    "sri/donate",
    "sri/donate/worker.1",
    "sri/donate/50",
    "1000",
    "bc1",
    "tb1.rig",
    `rig.${P2WPKH}`,
    `${P2WPKH}/worker`,
  ])("%j", (identity) => {
    expect(read(identity)).toBe("pool");
  });
});

describe("all to the address", () => {
  test.each([
    [P2WPKH, P2WPKH_SCRIPT],
    [P2WPKH.toUpperCase(), P2WPKH_SCRIPT],
    [`${P2WPKH}.worker`, P2WPKH_SCRIPT],
    [`${P2WPKH}.worker.sub`, P2WPKH_SCRIPT],
    [`${P2WPKH}.`, P2WPKH_SCRIPT],
    [`${P2WPKH}.sri/solo/${P2WSH}`, P2WPKH_SCRIPT],
    [P2WSH, P2WSH_SCRIPT],
    [P2TR, P2TR_SCRIPT],
    [P2PKH, P2PKH_SCRIPT],
    [`${P2PKH}.1`, P2PKH_SCRIPT],
    [P2SH, P2SH_SCRIPT],
    [`sri/solo/${P2WPKH}`, P2WPKH_SCRIPT],
    [`sri/solo/${P2WPKH}/worker.1`, P2WPKH_SCRIPT],
    [`sri/solo/${P2TR}/a/b/c`, P2TR_SCRIPT],
    [`sri/solo/${P2PKH}/`, P2PKH_SCRIPT],
  ])("%s", (identity, script) => {
    expect(read(identity)).toBe(`solo ${script}`);
  });

  test("an address is spelled one way, whatever way it was written", () => {
    expect(payoutIdentity(`${P2WPKH.toUpperCase()}.rig`, "testnet")).toMatchObject({ kind: "solo", address: P2WPKH });
    expect(payoutIdentity(`sri/solo/${P2PKH}`, "testnet")).toMatchObject({ kind: "solo", address: P2PKH });
  });
});

describe("shared", () => {
  test.each([
    [`sri/donate/1/${P2WPKH}`, 1],
    [`sri/donate/50/${P2WPKH}/worker.1`, 50],
    [`sri/donate/99/${P2WPKH}/a/b`, 99],
    [`sri/donate/05/${P2WPKH}`, 5],
  ])("%s", (identity, percent) => {
    expect(read(identity)).toBe(`donate ${percent} ${P2WPKH_SCRIPT}`);
  });
});

describe("refused", () => {
  test.each([
    ["sri/", "neither solo nor donate"],
    ["sri/worker.1", "neither solo nor donate"],
    [`sri/${P2WPKH}`, "neither solo nor donate"],
    ["sri/Solo/x", "neither solo nor donate"],
    ["sri/solo", "no address"],
    ["sri/solo/", "no address"],
    ["sri/solo//worker", "no address"],
    ["sri/solo/tb1qbalieiro/worker.1", "not valid"],
    [`sri/solo/${P2WPKH}.worker`, "not valid"],
    [`sri/solo/${MAINNET}/worker`, "belongs to mainnet and blocks here are of testnet4"],
    [`sri/donate/0/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/100/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/-1/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/+5/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/2.5/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/1e1/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/0x10/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/٥/${P2WPKH}`, "from 1 to 99"],
    [`sri/donate//${P2WPKH}`, "from 1 to 99"],
    [`sri/donate/rig/${P2WPKH}`, "from 1 to 99"],
    ["sri/donate/10/", "no address"],
    ["sri/donate/10/alice/rig", "not valid"],
    [`sri/donate/10/${MAINNET}`, "belongs to mainnet"],
  ])("%s, as in SRI's pool but for the network", (identity, reason) => {
    expect(payoutIdentity(identity, "testnet4")).toEqual({ kind: "invalid", reason: expect.stringContaining(reason) });
  });

  test.each([
    [MAINNET, "belongs to mainnet"],
    [`${MAINNET}.rig`, "belongs to mainnet"],
    [MAINNET_P2PKH, "belongs to mainnet"],
    ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "belongs to regtest"],
    // One character wrong, mixed case, BIP350's wrong checksum for its version, base58 with a wrong checksum.
    [P2WPKH.replace("w508", "w509"), "not valid"],
    [`${P2WPKH.replace("w508", "w509")}.rig`, "not valid"],
    [P2WPKH.replace("w508", "W508"), "not valid"],
    [P2PKH.replace("D", "E"), "not valid"],
    [P2WPKH.slice(0, -1), "not valid"],
  ])("%s, which SRI's pool would pay the pool or nobody for", (identity, reason) => {
    expect(payoutIdentity(identity, "testnet4")).toEqual({ kind: "invalid", reason: expect.stringContaining(reason) });
  });

  test("what is longer than the wire's string", () => {
    expect(read("a".repeat(255))).toBe("pool");
    expect(read("a".repeat(256))).toBe("invalid");
  });
});

test.each(Object.keys(NETWORKS) as NetworkName[])("an address of another network is refused on %s", (network) => {
  const own = { mainnet: MAINNET, regtest: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080" } as Record<string, string>;
  for (const address of [MAINNET, P2WPKH, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]) {
    const expected = address === (own[network] ?? P2WPKH) ? `solo ${P2WPKH_SCRIPT}` : "invalid";
    expect(read(address, network), address).toBe(expected);
    expect(read(`sri/solo/${address}/rig`, network), address).toBe(expected);
  }
});

test("never throws, and pays nobody but the pool or an address that stands in the identity", () => {
  const piece = fc.constantFrom("sri", "solo", "donate", "/", ".", "50", P2WPKH, MAINNET, P2PKH, "x", "\u{1f980}", "1");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.array(piece).map((all) => all.join("")),
      ),
      (identity) => {
        const found = payoutIdentity(identity, "testnet4");
        if (found.kind === "solo" || found.kind === "donate") {
          expect(identity.toLowerCase()).toContain(found.address.toLowerCase());
          expect([P2WPKH_SCRIPT, P2PKH_SCRIPT]).toContain(toHex(found.script));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

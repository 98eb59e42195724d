import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fault } from "../../../src/kernel/fault.ts";
import { contains, isV4, parseIp, parseNetwork, subscriberKey } from "../../../src/pool/ip.ts";

const v4 = fc.ipV4();
const v6 = fc.ipV6();

describe("parseIp", () => {
  test.each([
    ["0.0.0.0", 0xffff_0000_0000n],
    ["203.0.113.7", 0xffff_cb00_7107n],
    ["255.255.255.255", 0xffff_ffff_ffffn],
    ["::", 0n],
    ["::1", 1n],
    ["1::", 1n << 112n],
    ["2001:db8::ff00:42:8329", 0x20010db8_00000000_0000ff00_00428329n],
    ["::ffff:203.0.113.7", 0xffff_cb00_7107n],
    ["64:ff9b::192.0.2.33", 0x0064ff9b_00000000_00000000_c0000221n],
    ["fe80::1%eth0", 0xfe80_0000_0000_0000_0000_0000_0000_0001n],
  ])("%s", (text, value) => {
    expect(parseIp(text)).toBe(value);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.-4",
    " 1.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::12345",
    "::g",
    "1.2.3.4::",
    "::1.2.3",
    "host",
  ])("refuses %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  test("agrees with Node on what is an address", () => {
    const soup = fc.string({ unit: fc.constantFrom(..."0123456789abf:.:".split("")), maxLength: 24 });
    fc.assert(fc.property(fc.oneof(v4, v6, soup), (text) => (parseIp(text) !== undefined) === isIP(text) > 0));
  });
});

describe("parseNetwork", () => {
  test("agrees with Node on who is inside", () => {
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.oneof(v4, v6), fc.nat(128), (base, other, size) => {
        const family = isIP(base) === 4 ? "ipv4" : "ipv6";
        const width = family === "ipv4" ? 32 : 128;
        const bits = size % (width + 1);
        const ip = parseIp(base) ?? 0n;
        const drop = BigInt(width - bits);
        const list = new BlockList();
        list.addSubnet(base, bits, family);
        const network = { base: (ip >> drop) << drop, bits: bits + 128 - width };
        // Node's list calls no IPv6 address a member of an IPv4 network unless it is mapped; neither do we.
        fc.pre(isIP(base) === isIP(other));
        expect(contains(network, parseIp(other) ?? 0n)).toBe(list.check(other, family));
      }),
    );
  });

  test("reads prefixes of both families and single addresses", () => {
    expect(parseNetwork("10.0.0.0/8")).toEqual({ base: parseIp("10.0.0.0"), bits: 104 });
    expect(parseNetwork("2001:db8::/32")).toEqual({ base: parseIp("2001:db8::"), bits: 32 });
    expect(parseNetwork("192.0.2.7")).toEqual({ base: parseIp("192.0.2.7"), bits: 128 });
    expect(parseNetwork("0.0.0.0/0")).toEqual({ base: parseIp("0.0.0.0"), bits: 96 });
  });

  test.each([
    "10.0.0.1/8",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/8/8",
    "10.0.0.0/",
    "10.0.0.0/x",
    "hello",
    "2001:db8::1/64",
  ])("refuses %s", (text) => {
    expect(() => parseNetwork(text)).toThrow(expect.objectContaining({ code: "network-invalid" }) as Fault);
  });
});

describe("subscriberKey", () => {
  test("one IPv4 address is one subscriber, mapped or not", () => {
    const key = (text: string): bigint => subscriberKey(parseIp(text) ?? 0n);
    expect(key("203.0.113.7")).toBe(key("::ffff:203.0.113.7"));
    expect(key("203.0.113.7")).not.toBe(key("203.0.113.8"));
  });

  test("one IPv6 /64 is one subscriber", () => {
    const key = (text: string): bigint => subscriberKey(parseIp(text) ?? 0n);
    expect(key("2001:db8:0:1::1")).toBe(key("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    expect(key("2001:db8:0:1::1")).not.toBe(key("2001:db8:0:2::1"));
  });

  test("no IPv4 address shares a key with an IPv6 network that hosts use", () => {
    fc.assert(
      fc.property(
        v4,
        v6,
        (a, b) =>
          isV4(parseIp(b) ?? 0n) ||
          subscriberKey(parseIp(a) ?? 0n) !== subscriberKey(parseIp(b) ?? 0n) ||
          (parseIp(b) ?? 0n) >> 112n === 0n,
      ),
    );
  });
});

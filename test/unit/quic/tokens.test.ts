/** What a QUIC server can say to somebody of whom it keeps nothing: retries and resets. */
import { describe, expect, test } from "vitest";
import { equal } from "../../../src/kernel/bytes.ts";
import { RetryTokens } from "../../../src/quic/retry-token.ts";
import { ResetTokens } from "../../../src/quic/stateless-reset.ts";
import { StreamIds } from "../../../src/quic/stream-ids.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const random = seededRandom(1);
const FROM = { host: "192.0.2.7", port: 4000 };

describe("a retry's token", () => {
  const clock = new FakeClock(1_700_000_000_000);
  const tokens = new RetryTokens({ clock }, { key: random.bytes(32) });
  const [id, original] = [random.bytes(16), random.bytes(20)];

  test("brings back the client's first ID, from the same address and for the ID that was given", () => {
    const token = tokens.mint(FROM, id, original);
    expect(equal(tokens.read(token, FROM, id) ?? new Uint8Array(0), original)).toBe(true);
    expect(tokens.read(token, { ...FROM, port: 4001 }, id)).toBeUndefined();
    expect(tokens.read(token, { ...FROM, host: "192.0.2.8" }, id)).toBeUndefined();
    expect(tokens.read(token, FROM, random.bytes(16))).toBeUndefined();
  });

  test("of another server, changed anywhere or cut is nothing", () => {
    const token = tokens.mint(FROM, id, original);
    const other = new RetryTokens({ clock }, { key: random.bytes(32) });
    expect(other.read(token, FROM, id)).toBeUndefined();
    for (let i = 0; i < token.length; i++) {
      const changed = Uint8Array.from(token);
      changed[i] = (changed[i] ?? 0) ^ 1;
      // The copy of the ID that the packet has in its header counts, not the token's.
      if (i < 22 || i >= 38) expect(tokens.read(changed, FROM, id)).toBeUndefined();
    }
    for (let length = 0; length < token.length; length++) {
      expect(tokens.read(token.subarray(0, length), FROM, id)).toBeUndefined();
    }
  });

  test("is good for ten seconds", () => {
    const token = tokens.mint(FROM, id, original);
    clock.advance(10_000);
    expect(tokens.read(token, FROM, id)).toBeDefined();
    clock.advance(1);
    expect(tokens.read(token, FROM, id)).toBeUndefined();
  });
});

describe("a stateless reset", () => {
  const resets = new ResetTokens({ random }, { secret: "a private key" });
  const id = random.bytes(16);

  test("ends with the ID's token, which another process with the same key makes too", () => {
    const again = new ResetTokens({ random }, { secret: "a private key" });
    const packet = resets.packet(id, 1200) ?? new Uint8Array(0);
    expect(again.token(id)).toBe(resets.token(id));
    expect(BigInt(`0x${Buffer.from(packet.subarray(-16)).toString("hex")}`)).toBe(resets.token(id));
    expect(new ResetTokens({ random }, { secret: "another" }).token(id)).not.toBe(resets.token(id));
    expect(resets.token(random.bytes(16))).not.toBe(resets.token(id));
  });

  test("looks like a short packet, is shorter than what it answers, and never answers one of its own length for ever", () => {
    for (const length of [22, 30, 43, 44, 1200]) {
      const packet = resets.packet(id, length) ?? new Uint8Array(0);
      expect((packet[0] ?? 0) & 0xc0).toBe(0x40);
      expect(packet.length).toBeLessThan(length);
      expect(packet.length).toBeGreaterThanOrEqual(21);
    }
    expect(resets.packet(id, 21)).toBeUndefined();
  });
});

describe("streams of a peer", () => {
  test("are new once, in whatever order packets come", () => {
    const ids = new StreamIds();
    expect([8, 0, 4, 12].map((id) => ids.isNew(id))).toEqual([true, true, true, true]);
    expect([8, 0, 4, 12].map((id) => ids.isNew(id))).toEqual([false, false, false, false]);
    expect(ids.isNew(24)).toBe(true);
    expect(ids.passedOver).toBe(2);
    expect([16, 20, 16].map((id) => ids.isNew(id))).toEqual([true, true, false]);
    expect(ids.passedOver).toBe(0);
  });
});

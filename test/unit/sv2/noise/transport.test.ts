import { describe, expect, test } from "vitest";
import { concat, equal, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { CipherState, LAST_NONCE } from "../../../../src/sv2/noise/cipher.ts";
import { type NoiseCrypto, nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import { NoiseTransport } from "../../../../src/sv2/noise/transport.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const noble = nobleCrypto();
const random = seededRandom(61);
const k = random.bytes(32);
const side = (crypto: NoiseCrypto = noble, n = 0): NoiseTransport =>
  new NoiseTransport({ cipher: new CipherState({ crypto }, { k: k.slice(), n }) });

function frame(length: number): Uint8Array {
  const header = Uint8Array.of(0x00, 0x80, 0x1b, length & 255, (length >> 8) & 255, length >> 16);
  return concat(
    header,
    Uint8Array.from({ length }, (_, i) => (i * 31) & 255),
  );
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Fault ? `${error.act} ${error.code}` : String(error);
  }
  return "nothing was thrown";
}

describe("frames after the handshake", () => {
  // Payload and ciphertext sizes by the specification's formula (4.6), reckoned by hand.
  test.each([
    [0, 22],
    [1, 22 + 17],
    [24, 62],
    [33, 71],
    [65_518, 22 + 65_534],
    [65_519, 22 + 65_535],
    [65_520, 22 + 65_535 + 17],
    [131_038, 22 + 2 * 65_535],
    [131_039, 22 + 2 * 65_535 + 17],
  ])("a payload of %i bytes is %i on the wire, and comes back", (length, size) => {
    const [a, b] = [side(), side()];
    const plain = frame(length);
    const wire = a.encryptFrame(plain);
    expect(wire).toHaveLength(size);
    expect(a.cipherLength(length)).toBe(size - 22);
    const header = b.decryptHeader(wire.subarray(0, 22));
    expect(toHex(header)).toBe(toHex(plain.subarray(0, 6)));
    if (length > 0) expect(equal(b.decryptPayload(wire.subarray(22)), plain.subarray(6))).toBe(true);
    // Both are at the same nonce afterwards.
    expect(toHex(b.decryptHeader(a.encryptFrame(frame(0))))).toBe(toHex(frame(0)));
  });

  test("the longest payload, 2^24 - 1 bytes: 257 blocks", () => {
    // A cipher that costs nothing shows the cutting: the text in the clear, then its nonce.
    const clear: NoiseCrypto = {
      ...noble,
      encrypt(_, nonce, __, plaintext, into, offset) {
        into.set(plaintext, offset);
        into.set(concat(nonce, new Uint8Array(4)), offset + plaintext.length);
      },
      decrypt(_, nonce, __, ciphertext, into, offset) {
        const length = ciphertext.length - 16;
        into.set(ciphertext.subarray(0, length), offset);
        return equal(ciphertext.subarray(length, length + 12), nonce);
      },
    };
    const length = 2 ** 24 - 1;
    const plain = new Uint8Array(6 + length).fill(7);
    const wire = side(clear).encryptFrame(plain);
    expect(wire).toHaveLength(22 + length + 257 * 16);
    expect(toHex(wire.subarray(wire.length - 16, wire.length - 4))).toBe("000000000101000000000000");
    const b = side(clear);
    b.decryptHeader(wire.subarray(0, 22));
    expect(equal(b.decryptPayload(wire.subarray(22)), plain.subarray(6))).toBe(true);
  });

  test("does not touch what it is given, and keeps no view of it", () => {
    const [a, b] = [side(), side()];
    const plain = frame(40);
    const before = plain.slice();
    const wire = a.encryptFrame(plain);
    expect(plain).toEqual(before);
    const kept = wire.slice();
    b.decryptHeader(wire.subarray(0, 22));
    const payload = b.decryptPayload(wire.subarray(22));
    expect(wire).toEqual(kept);
    wire.fill(0);
    expect(toHex(payload)).toBe(toHex(plain.subarray(6)));
  });

  test("the same frame twice is not the same ciphertext", () => {
    const a = side();
    expect(equal(a.encryptFrame(frame(20)), a.encryptFrame(frame(20)))).toBe(false);
  });

  test("a changed bit in header or payload is noticed", () => {
    for (const at of [0, 5, 6, 21, 22, 50, 60]) {
      const wire = side().encryptFrame(frame(24));
      wire[at] = (wire[at] as number) ^ 0x10;
      const b = side();
      expect(
        codeOf(() => {
          b.decryptHeader(wire.subarray(0, 22));
          b.decryptPayload(wire.subarray(22));
        }),
      ).toBe("drop noise-mac");
    }
  });

  test("blocks in another order, a block left out or repeated are noticed", () => {
    const wire = side().encryptFrame(frame(2 * 65_519));
    const [header, first, second] = [wire.subarray(0, 22), wire.subarray(22, 22 + 65_535), wire.subarray(22 + 65_535)];
    for (const payload of [concat(second, first), second, concat(first, first), first.subarray(0, 65_534)]) {
      const b = side();
      b.decryptHeader(header);
      expect(codeOf(() => b.decryptPayload(payload))).toBe("drop noise-mac");
    }
  });

  test("frames in another order and a repeated frame are noticed", () => {
    const a = side();
    const [one, two] = [a.encryptFrame(frame(0)), a.encryptFrame(frame(0))];
    expect(codeOf(() => side().decryptHeader(two))).toBe("drop noise-mac");
    const b = side();
    b.decryptHeader(one);
    expect(codeOf(() => b.decryptHeader(one))).toBe("drop noise-mac");
  });

  test("a payload too short for a MAC is noticed", () => {
    const b = side();
    expect(codeOf(() => b.decryptPayload(new Uint8Array(15)))).toBe("drop noise-mac");
    expect(codeOf(() => b.decryptPayload(new Uint8Array(65_535 + 3)))).toBe("drop noise-mac");
  });

  test("nonces go beyond 32 bits", () => {
    const [a, b] = [side(noble, 2 ** 32 - 1), side(noble, 2 ** 32 - 1)];
    const wire = a.encryptFrame(frame(5));
    b.decryptHeader(wire.subarray(0, 22));
    expect(toHex(b.decryptPayload(wire.subarray(22)))).toBe(toHex(frame(5).subarray(6)));
    const expected = new Uint8Array(21);
    noble.encrypt(
      k,
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0),
      new Uint8Array(0),
      frame(5).subarray(6),
      expected,
      0,
    );
    expect(toHex(wire.subarray(22))).toBe(toHex(expected));
  });

  test("a key whose nonces are used up is not used again", () => {
    const a = side(noble, LAST_NONCE - 1);
    expect(a.encryptFrame(frame(0))).toHaveLength(22);
    expect(codeOf(() => a.encryptFrame(frame(0)))).toBe("drop noise-nonce-exhausted");
    expect(codeOf(() => side(noble, LAST_NONCE).decryptHeader(new Uint8Array(22)))).toBe("drop noise-nonce-exhausted");
  });

  test("half a frame is a mistake of the caller", () => {
    expect(() => side().encryptFrame(new Uint8Array(5))).toThrow(TypeError);
    expect(() => side().decryptHeader(new Uint8Array(21))).toThrow(TypeError);
  });
});

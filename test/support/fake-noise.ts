/**
 * A stand-in for Noise with its sizes and none of its secrecy, so that tests of the connection see every byte: acts are 64 and
 * 234 constant bytes, a block is the plaintext and a 16-byte "MAC" made of its nonce and its sum.
 */
import { Fault } from "../../src/kernel/fault.ts";
import type { NoiseHandshake, TransportCipher, TransportCiphers } from "../../src/sv2/noise/ports.ts";

const BLOCK = 65519;
const MAC = 16;

function seal(nonce: number, plaintext: Uint8Array): Uint8Array {
  const out = new Uint8Array(plaintext.length + MAC);
  out.set(plaintext);
  const view = new DataView(out.buffer, plaintext.length);
  view.setUint32(0, nonce, true);
  view.setUint32(
    4,
    plaintext.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7),
    true,
  );
  return out;
}

/** One direction. Each side of a connection has one for sending and one for receiving. */
export function fakeCipher(): TransportCipher & { readonly nonce: number } {
  let nonce = 0;
  const open = (block: Uint8Array): Uint8Array => {
    const plaintext = block.slice(0, block.length - MAC);
    const expected = seal(nonce++, plaintext);
    if (!expected.every((byte, i) => byte === block[i])) throw new Fault("bytes-trailing", { remaining: nonce });
    return plaintext;
  };
  return {
    get nonce() {
      return nonce;
    },
    cipherLength(plainLength) {
      return plainLength + Math.ceil(plainLength / BLOCK) * MAC;
    },
    encryptFrame(frame) {
      const blocks = [seal(nonce++, frame.subarray(0, 6))];
      for (let at = 6; at < frame.length; at += BLOCK) blocks.push(seal(nonce++, frame.subarray(at, at + BLOCK)));
      return Uint8Array.from(Buffer.concat(blocks));
    },
    decryptHeader: open,
    decryptPayload(ciphertext) {
      const blocks: Uint8Array[] = [];
      for (let at = 0; at < ciphertext.length; at += BLOCK + MAC)
        blocks.push(open(ciphertext.subarray(at, at + BLOCK + MAC)));
      return Uint8Array.from(Buffer.concat(blocks));
    },
  };
}

const ACT_1 = new Uint8Array(64).fill(1);
const ACT_2 = new Uint8Array(234).fill(2);

/** One side of the handshake: 64 bytes of 1, answered by 234 bytes of 2; anything else is a fault. */
export function fakeHandshake(role: "server" | "client"): NoiseHandshake {
  const expected = role === "server" ? ACT_1 : ACT_2;
  let ciphers: TransportCiphers | undefined;
  return {
    get expects() {
      return ciphers === undefined ? expected.length : 0;
    },
    start: () => (role === "client" ? ACT_1 : undefined),
    read(act) {
      if (act.length !== expected.length || !act.every((byte, i) => byte === expected[i])) {
        throw new Fault("bytes-truncated", { wanted: expected.length });
      }
      ciphers = { encrypt: fakeCipher(), decrypt: fakeCipher() };
      return role === "server" ? ACT_2 : undefined;
    },
    result: () => ciphers,
  };
}

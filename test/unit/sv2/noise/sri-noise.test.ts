import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../../../src/kernel/bytes.ts";
import { Reader } from "../../../../src/kernel/reader.ts";
import { signCertificate } from "../../../../src/sv2/noise/certificate.ts";
import { nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import type { EllswiftKey } from "../../../../src/sv2/noise/curve.ts";
import { NoiseInitiator, NoiseResponder } from "../../../../src/sv2/noise/handshake.ts";
import type { TransportCiphers } from "../../../../src/sv2/noise/ports.ts";
import { ENCRYPTED_HEADER } from "../../../../src/sv2/noise/transport.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import vectors from "../../../vectors/sri-noise.json" with { type: "json" };

interface Blob {
  readonly hex?: string;
  readonly length?: number;
  readonly sha256?: string;
}

const pair = (key: { readonly private: string; readonly ellswift: string }): EllswiftKey => ({
  privateKey: fromHex(key.private),
  ellswift: fromHex(key.ellswift),
});

/** A recorded frame: its bytes, or those of the file's pattern behind a header that announces so many. */
function frameOf(blob: Blob): Uint8Array {
  if (blob.hex !== undefined) return fromHex(blob.hex);
  const length = (blob.length as number) - 6;
  const header = Uint8Array.of(0x00, 0x40, 0x7f, length & 255, (length >> 8) & 255, length >> 16);
  const frame = concat(
    header,
    Uint8Array.from({ length }, (_, i) => (7 * i + length) % 256),
  );
  expect(toHex(sha256(frame))).toBe(blob.sha256);
  return frame;
}

function expectBlob(bytes: Uint8Array, blob: Blob): void {
  if (blob.hex !== undefined) expect(toHex(bytes)).toBe(blob.hex);
  else
    expect({ length: bytes.length, sha256: toHex(sha256(bytes)) }).toEqual({
      length: blob.length,
      sha256: blob.sha256,
    });
}

function decrypt(ciphers: TransportCiphers, ciphertext: Uint8Array): Uint8Array {
  const header = ciphers.decrypt.decryptHeader(ciphertext.subarray(0, ENCRYPTED_HEADER));
  const reader = new Reader(header);
  reader.bytes(3);
  const length = reader.u24();
  expect(ciphertext.length - ENCRYPTED_HEADER).toBe(ciphers.decrypt.cipherLength(length));
  return length === 0 ? header : concat(header, ciphers.decrypt.decryptPayload(ciphertext.subarray(ENCRYPTED_HEADER)));
}

describe.each(vectors.runs)("a conversation of SRI's noise_sv2 and codec_sv2: $name", (run) => {
  const crypto = nobleCrypto();
  const clock = new FakeClock(run.certificate.now * 1000);

  /** Our responder in the place of SRI's, with its keys and the randomness of its signature. */
  function responder(): { readonly act2: Uint8Array; readonly ciphers: TransportCiphers } {
    const s = pair(run.responderStatic);
    const certificate = signCertificate(
      run.certificate,
      crypto.decodeEllswift(s.ellswift),
      fromHex(run.authority.private),
      { bytes: () => fromHex(run.certificate.aux) },
    );
    const handshake = new NoiseResponder({
      crypto,
      identity: { current: () => ({ s, certificate, notValidAfter: run.certificate.notValidAfter }) },
      ephemeral: () => pair(run.responderEphemeral),
    });
    const act2 = handshake.read(fromHex(run.act1));
    return { act2, ciphers: handshake.result() as TransportCiphers };
  }

  /** Our initiator in the place of SRI's. */
  function initiator(): { readonly act1: Uint8Array; readonly ciphers: TransportCiphers } {
    const handshake = new NoiseInitiator(
      { crypto: { ...crypto, generateKey: () => pair(run.initiatorEphemeral) }, clock, random: seededRandom(1) },
      { authorityPublicKey: run.authority.checked ? fromHex(run.authority.xOnly) : undefined },
    );
    const act1 = handshake.start();
    expect(handshake.expects).toBe(234);
    handshake.read(fromHex(run.act2));
    const { validFrom, notValidAfter, version } = run.certificate;
    expect(handshake.certificate).toMatchObject({ version, validFrom, notValidAfter });
    return { act1, ciphers: handshake.result() as TransportCiphers };
  }

  test("our responder writes SRI's act 2, certificate and signature included", () => {
    expect(toHex(responder().act2)).toBe(run.act2);
  });

  test("our initiator writes SRI's act 1 and accepts SRI's act 2", () => {
    expect(toHex(initiator().act1)).toBe(run.act1);
  });

  test("both roles encrypt every frame to SRI's bytes and decrypt SRI's bytes to the frame", () => {
    const [ours, theirs] = [responder().ciphers, initiator().ciphers];
    for (const { from, frame, ciphertext } of run.transport as readonly {
      readonly from: string;
      readonly frame: Blob;
      readonly ciphertext: Blob;
    }[]) {
      const plain = frameOf(frame);
      const [sender, receiver] = from === "responder" ? [ours, theirs] : [theirs, ours];
      const encrypted = sender.encrypt.encryptFrame(plain);
      expectBlob(encrypted, ciphertext);
      expect(toHex(sha256(decrypt(receiver, encrypted)))).toBe(toHex(sha256(plain)));
    }
  });
});

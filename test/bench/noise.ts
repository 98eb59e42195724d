/**
 * Handshakes and frames: what runs, beside what was tried and lost (noble, OpenSSL). Measured outside of this file, as they
 * are no dependencies, one multiplication of a given point in a quiet moment of the same machine: tiny-secp256k1 2.2.4
 * (WebAssembly of libsecp256k1) 173 µs, @bitauth/libauth 3.0.0 (the same) 121 µs, neither decoding ElligatorSwift nor in
 * constant time; here a handshake's two, decoding included, take 137 µs.
 */
import { createECDH, ECDH, randomBytes } from "node:crypto";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { concat } from "../../src/kernel/bytes.ts";
import { opensslAead, opensslHash, wasmCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeCertificate, signCertificate, verifyCertificate } from "../../src/sv2/noise/certificate.ts";
import { CipherState } from "../../src/sv2/noise/cipher.ts";
import { type NoiseCrypto, nobleCrypto } from "../../src/sv2/noise/crypto.ts";
import { decodeEllswift, FIELD_ORDER, SQRT_MINUS_3 } from "../../src/sv2/noise/ellswift.ts";
import { NoiseInitiator, NoiseResponder } from "../../src/sv2/noise/handshake.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { ENCRYPTED_HEADER, NoiseTransport } from "../../src/sv2/noise/transport.ts";
import { type Bench, repeated } from "./bench.ts";

const random = { bytes: (size: number): Uint8Array => Uint8Array.from(randomBytes(size)) };
const clock = { nowMs: () => Date.now() };
const noTimers = { monotonicMs: () => 0, after: () => ({ cancel() {} }), every: () => ({ cancel() {} }) };

const wasm = wasmCrypto();
const noble = nobleCrypto();

/** Loser: OpenSSL's generic secp256k1 for the products, noble for the encoding. */
const openssl: NoiseCrypto = {
  ...noble,
  ...opensslHash,
  ...opensslAead,
  sharedX(privateKeys, theirs) {
    const point = concat(Uint8Array.of(2), opensslDecode(theirs));
    return privateKeys.map((privateKey) => {
      const ecdh = createECDH("secp256k1");
      ecdh.setPrivateKey(privateKey);
      return ecdh.computeSecret(point);
    });
  },
};

const Fp = secp256k1.Point.Fp;
const HALF = Fp.inv(2n);

/** Loser: BIP324's decoding with one inversion over bigint, and OpenSSL to say which x coordinate is on the curve. */
export function opensslDecode(ellswift: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`) % FIELD_ORDER;
  const u = number(ellswift.subarray(0, 32)) || 1n;
  const t = number(ellswift.subarray(32)) || 1n;
  const g = Fp.add(Fp.mul(Fp.sqr(u), u), 7n);
  const plus = Fp.add(g, Fp.sqr(t));
  const d = Fp.mul(3n, Fp.sqr(Fp.mul(t, u)));
  const inverse = Fp.inv(Fp.mul(d, plus));
  const x3 = Fp.sub(u, Fp.mul(Fp.mul(Fp.sqr(plus), plus), inverse));
  const ratio = Fp.mul(Fp.mul(SQRT_MINUS_3, u), Fp.mul(Fp.sub(g, Fp.sqr(t)), Fp.mul(inverse, d)));
  const x2 = Fp.mul(Fp.neg(Fp.add(ratio, u)), HALF);
  for (const x of [x3, x2]) {
    const bytes = Fp.toBytes(x);
    try {
      ECDH.convertKey(concat(Uint8Array.of(2), bytes), "secp256k1");
      return bytes;
    } catch {}
  }
  return Fp.toBytes(Fp.mul(Fp.sub(ratio, u), HALF));
}

const authoritySecretKey = random.bytes(32);
const authorityPublicKey = schnorr.getPublicKey(authoritySecretKey);
const SRI_STEP_1 = "SRI noise_sv2 responder step 1, BENCHES.md: 178 µs";

function handshakes(name: string, crypto: NoiseCrypto, times: number): Bench[] {
  const identity = new StaticIdentity({ crypto, clock: { ...clock, ...noTimers }, random }, { authoritySecretKey });
  const acts = Array.from({ length: 32 }, () => random.bytes(64));
  const kept = crypto.generateKey(random);
  const prepared = () => ({ privateKey: kept.privateKey.slice(), ellswift: kept.ellswift });
  const made = () => crypto.generateKey(random);
  const respond = (ephemeral: typeof made) => (n: number) =>
    new NoiseResponder({ crypto, identity, ephemeral }).read(acts[n % 32] as Uint8Array);
  const whole = (key: Uint8Array | undefined) => () => {
    const client = new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey: key });
    client.read(new NoiseResponder({ crypto, identity, ephemeral: made }).read(client.start()));
  };
  return [
    repeated(`handshake: ${name}, responder with a prepared key`, times, respond(prepared), SRI_STEP_1),
    repeated(`handshake: ${name}, responder that makes its key`, times, respond(made), SRI_STEP_1),
    repeated(`handshake: ${name}, both sides, certificate unchecked`, times, whole(undefined)),
    repeated(`handshake: ${name}, both sides, certificate checked`, 1, whole(authorityPublicKey), "SRI whole: 317 µs"),
  ];
}

function curves(name: string, crypto: NoiseCrypto, times: number): Bench[] {
  const points = Array.from({ length: 32 }, () => random.bytes(64));
  const keys = [crypto.generateKey(random).privateKey, crypto.generateKey(random).privateKey];
  const point = (n: number): Uint8Array => points[n % 32] as Uint8Array;
  return [
    repeated(`curve: ${name}, two secrets with one peer`, times, (n) => crypto.sharedX(keys, point(n))),
    repeated(`curve: ${name}, one secret`, times, (n) => crypto.sharedX(keys.slice(1), point(n))),
    repeated(`curve: ${name}, new key`, times, () => crypto.generateKey(random)),
    repeated(`curve: ${name}, decode ElligatorSwift`, times, (n) => crypto.decodeEllswift(point(n))),
  ];
}

function aeads(name: string, crypto: Pick<NoiseCrypto, "encrypt">, sizes: readonly number[]): Bench[] {
  const [key, nonce, none] = [random.bytes(32), new Uint8Array(12), new Uint8Array(0)];
  return sizes.map((size) => {
    const [text, out] = [random.bytes(size), new Uint8Array(size + 16)];
    const times = Math.max(1, Math.floor(100_000 / (size + 100)));
    return repeated(`aead: ${name}, ${size} B`, times, () => crypto.encrypt(key, nonce, none, text, out, 0));
  });
}

function hashes(name: string, crypto: Pick<NoiseCrypto, "sha256" | "hmacSha256">): Bench[] {
  const [a, b, key] = [random.bytes(32), random.bytes(64), random.bytes(32)];
  return [
    repeated(`hash: ${name}, SHA-256 of 96 B`, 200, () => crypto.sha256(a, b)),
    repeated(`hash: ${name}, HMAC of 32 B`, 200, () => crypto.hmacSha256(key, a)),
  ];
}

/** SRI codec_sv2, BENCHES.md: encoding a message with Noise; and the transport round trip by size. */
const SRI_FRAME: Readonly<Record<number, string>> = {
  24: "SRI codec_sv2 noise encode, BENCHES.md: 2.54 µs",
  1024: "SRI noise_sv2 round trip of 1 KB, BENCHES.md: 7.3 µs",
  4096: "SRI noise_sv2 round trip of 4 KB, BENCHES.md: 16.4 µs",
};

function frames(crypto: NoiseCrypto): Bench[] {
  return [24, 563, 1024, 4096, 65_519].flatMap((size) => {
    const k = random.bytes(32);
    const side = (): NoiseTransport => new NoiseTransport({ cipher: new CipherState({ crypto }, { k: k.slice() }) });
    const frame = random.bytes(6 + size);
    const sender = side();
    const times = Math.max(1, Math.floor(100_000 / (size + 500)));
    return [
      repeated(`frame: encrypt, payload ${size} B`, times, () => sender.encryptFrame(frame), SRI_FRAME[size]),
      {
        name: `frame: encrypt and decrypt, payload ${size} B`,
        run() {
          const [a, b] = [side(), side()];
          for (let n = 0; n < times; n++) {
            const wire = a.encryptFrame(frame);
            b.decryptHeader(wire.subarray(0, ENCRYPTED_HEADER));
            b.decryptPayload(wire.subarray(ENCRYPTED_HEADER));
          }
          return times;
        },
      },
    ];
  });
}

function certificates(): Bench[] {
  const staticKey = schnorr.getPublicKey(random.bytes(32));
  const now = Math.floor(clock.nowMs() / 1000);
  const validity = { validFrom: now - 3600, notValidAfter: now + 3600 };
  const sign = (): Uint8Array => signCertificate(validity, staticKey, authoritySecretKey, random);
  const certificate = decodeCertificate(sign());
  return [
    repeated("certificate: sign, once in weeks", 1, sign),
    repeated("certificate: verify, initiator only", 1, () =>
      verifyCertificate(certificate, staticKey, authorityPublicKey, now * 1000),
    ),
  ];
}

/** All benches of the Noise layer. */
export const noiseBenches: Bench[] = [
  ...handshakes("WebAssembly", wasm, 5),
  ...handshakes("OpenSSL and noble", openssl, 1),
  ...handshakes("noble", noble, 1),
  ...curves("WebAssembly", wasm, 5),
  ...curves("OpenSSL and noble", openssl, 1),
  ...curves("noble", noble, 1),
  repeated("curve: bigint and OpenSSL, decode ElligatorSwift", 1, () => opensslDecode(random.bytes(64))),
  repeated("curve: bigint, decode ElligatorSwift", 1, () => decodeEllswift(random.bytes(64))),
  ...frames(wasm),
  ...aeads("WebAssembly up to 2 KiB, then OpenSSL", wasm, [6, 24, 256, 1024, 2048, 4096, 65_519]),
  ...aeads("OpenSSL", opensslAead, [6, 24, 256, 1024, 2048, 4096, 65_519]),
  ...aeads("noble", noble, [24, 1024, 65_519]),
  ...hashes("WebAssembly", wasm),
  ...hashes("OpenSSL", opensslHash),
  ...hashes("noble", noble),
  ...certificates(),
];

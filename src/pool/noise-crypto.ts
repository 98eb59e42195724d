/**
 * The Noise layer's cryptography as the program runs it: curve and short messages in WebAssembly (`sv2/noise/wasm`), hash
 * and long messages in OpenSSL. What is quicker for what is measured by `test/bench/noise.ts`; the losers stay there.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { type Log, silentLog } from "../kernel/log.ts";
import { MAC_SIZE, type NoiseCrypto, nobleCrypto } from "../sv2/noise/crypto.ts";
import { WasmAead } from "../sv2/noise/wasm/aead.ts";
import { WasmCurve } from "../sv2/noise/wasm/secp256k1.ts";
import { WasmSha256 } from "../sv2/noise/wasm/sha256.ts";

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: MAC_SIZE } as const;

/**
 * Text up to this size is encrypted in WebAssembly: 0.4 µs against OpenSSL's 3 µs for a share, 3.1 against 3.9 for 2 KiB,
 * 6 against 5 for 4 KiB (bench `aead`).
 */
const WASM_AEAD_MAX = 2048;

type Aead = Pick<NoiseCrypto, "encrypt" | "decrypt">;

/** ChaCha20-Poly1305 by OpenSSL. */
export const opensslAead: Aead = {
  encrypt(key, nonce, ad, plaintext, into, offset) {
    const cipher = createCipheriv(ALGORITHM, key, nonce, OPTIONS);
    if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.length });
    into.set(cipher.update(plaintext), offset);
    cipher.final();
    into.set(cipher.getAuthTag(), offset + plaintext.length);
  },
  decrypt(key, nonce, ad, ciphertext, into, offset) {
    const length = ciphertext.length - MAC_SIZE;
    const decipher = createDecipheriv(ALGORITHM, key, nonce, OPTIONS);
    if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length });
    decipher.setAuthTag(ciphertext.subarray(length));
    const plaintext = decipher.update(ciphertext.subarray(0, length));
    try {
      decipher.final();
    } catch {
      return false; // OpenSSL says "unable to authenticate data" by throwing
    }
    into.set(plaintext, offset);
    return true;
  },
};

/** Short messages by `short`, long ones by OpenSSL. */
function aeadBySize(short: Aead): Aead {
  return {
    encrypt(key, nonce, ad, plaintext, into, offset) {
      (plaintext.length <= WASM_AEAD_MAX ? short : opensslAead).encrypt(key, nonce, ad, plaintext, into, offset);
    },
    decrypt(key, nonce, ad, ciphertext, into, offset) {
      const aead = ciphertext.length <= WASM_AEAD_MAX + MAC_SIZE ? short : opensslAead;
      return aead.decrypt(key, nonce, ad, ciphertext, into, offset);
    },
  };
}

/** Hash by OpenSSL. */
export const opensslHash: Pick<NoiseCrypto, "sha256" | "hmacSha256"> = {
  sha256: (...parts) => digest(createHash("sha256"), parts),
  hmacSha256: (key, ...parts) => digest(createHmac("sha256", key), parts),
};

function digest(
  hash: { update(data: Uint8Array): unknown; digest(): Uint8Array },
  parts: readonly Uint8Array[],
): Uint8Array {
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * The quickest implementation there is on this machine. Where WebAssembly is switched off (`node --jitless`) it is noble's
 * curve and OpenSSL: right, but with 150 handshakes a second, and the log says so.
 */
export function nodeCrypto(deps: { readonly log: Log } = { log: silentLog }): NoiseCrypto {
  try {
    return wasmCrypto();
  } catch (error) {
    deps.log.warn("WebAssembly does not work here: handshakes take 30 times longer", { error });
    return { ...nobleCrypto(), ...opensslHash, ...opensslAead };
  }
}

/** Curve, hash and short messages in WebAssembly, long messages in OpenSSL. Throws where there is no WebAssembly. */
export function wasmCrypto(): NoiseCrypto {
  const curve = new WasmCurve();
  const hash = new WasmSha256();
  return {
    ...aeadBySize(new WasmAead()),
    sha256: (...parts) => hash.sha256(parts),
    hmacSha256: (key, ...parts) => hash.hmacSha256(key, parts),
    generateKey: (random) => curve.generateKey(random),
    sharedX: (privateKeys, theirs) => curve.sharedX(privateKeys, theirs),
    decodeEllswift: (ellswift) => curve.decodeEllswift(ellswift),
  };
}

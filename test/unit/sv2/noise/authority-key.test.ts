import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../../src/kernel/bytes.ts";
import { Fault, describe as inWords } from "../../../../src/kernel/fault.ts";
import {
  authorityPublicKey,
  decodeAuthorityPublicKey,
  decodeAuthoritySecretKey,
  encodeAuthorityPublicKey,
  encodeAuthoritySecretKey,
  generateAuthoritySecretKey,
} from "../../../../src/sv2/noise/authority-key.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import vectors from "../../../vectors/noise-authority-keys.json" with { type: "json" };

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("authority keys as text", () => {
  test.each(vectors.public)("the specification's key $text", ({ text, key }) => {
    expect(toHex(decodeAuthorityPublicKey(text))).toBe(key);
    expect(encodeAuthorityPublicKey(decodeAuthorityPublicKey(text))).toBe(text);
  });

  test.each(vectors.pairs)("SRI's pair of $public", (pair) => {
    const secretKey = decodeAuthoritySecretKey(pair.secret);
    expect(encodeAuthorityPublicKey(authorityPublicKey(secretKey))).toBe(pair.public);
    expect(encodeAuthoritySecretKey(secretKey)).toBe(pair.secret);
  });

  test.each(vectors.badPublic)("$text is refused: $why", ({ text }) => {
    const fault = faultOf(() => decodeAuthorityPublicKey(text));
    expect([fault.code, fault.act]).toEqual(["authority-key-invalid", "halt"]);
  });

  test("a number that is no point of the curve is refused", () => {
    const text = encodeAuthorityPublicKey(new Uint8Array(32).fill(0xff));
    expect(faultOf(() => decodeAuthorityPublicKey(text)).message).toContain("no point of secp256k1");
  });

  test("secret and public keys are not taken for each other", () => {
    const [pair] = vectors.pairs;
    expect(faultOf(() => decodeAuthorityPublicKey(pair?.secret ?? "")).code).toBe("authority-key-invalid");
    expect(faultOf(() => decodeAuthoritySecretKey(pair?.public ?? "")).code).toBe("authority-key-invalid");
  });

  test("no fault about a secret key quotes it", () => {
    const secret = vectors.pairs[0]?.secret ?? "";
    const tries = [`${secret}1`, secret.slice(1), secret.replace("z", "0"), secret.repeat(3), ` ${secret}`];
    tries.push(encodeAuthoritySecretKey(new Uint8Array(32)), encodeAuthoritySecretKey(new Uint8Array(31).fill(7)));
    for (const text of tries) {
      const fault = faultOf(() => decodeAuthoritySecretKey(text));
      for (let at = 0; at + 6 <= text.length; at++) expect(inWords(fault)).not.toContain(text.slice(at, at + 6));
    }
  });

  test("any text is answered with a key or a fault", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(faultOf(() => decodeAuthorityPublicKey(text)).code).toBe("authority-key-invalid");
        expect(faultOf(() => decodeAuthoritySecretKey(text)).code).toBe("authority-key-invalid");
      }),
    );
  });

  test("a generated key is one", () => {
    const secretKey = generateAuthoritySecretKey(seededRandom(41));
    const text = encodeAuthorityPublicKey(authorityPublicKey(secretKey));
    expect(text).toMatch(/^9[1-9A-HJ-NP-Za-km-z]{50}$/);
    expect(toHex(decodeAuthorityPublicKey(text))).toBe(toHex(authorityPublicKey(secretKey)));
  });
});

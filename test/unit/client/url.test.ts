import { describe, expect, test } from "vitest";
import { parseServerUrl, printServerUrl, type ServerAddress } from "../../../src/client/url.ts";
import { fromHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { decodeAuthorityPublicKey } from "../../../src/sv2/noise/authority-key.ts";
import vectors from "../../vectors/noise-authority-keys.json" with { type: "json" };

/** SRI's key pair for tests (stratum-apps key_utils). */
const KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const SHA256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const codeOf = (text: string): string => {
  try {
    parseServerUrl(text);
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
};

describe("the address of a server", () => {
  test("the specification's example", () => {
    const url = parseServerUrl(vectors.url);
    expect(url).toMatchObject({ transport: "tcp", host: "thepool.com", port: 34254, noise: true });
    expect(printServerUrl(url)).toBe(vectors.url);
  });

  test.each<[string, ServerAddress]>([
    [
      `stratum2+tcp://pool.example:3333/${KEY}`,
      {
        transport: "tcp",
        host: "pool.example",
        port: 3333,
        noise: true,
        authorityPublicKey: decodeAuthorityPublicKey(KEY),
      },
    ],
    ["tcp://127.0.0.1:3333", { transport: "tcp", host: "127.0.0.1", port: 3333, noise: true }],
    ["stratum2+tcp://[::1]:1/", { transport: "tcp", host: "::1", port: 1, noise: true }],
    ["stratum2+tls://pool.example:1?noise=on", { transport: "tls", host: "pool.example", port: 1, noise: true }],
    [
      `stratum2+quic://pool.example:1/?noise=off&cert-sha256=${SHA256}`,
      { transport: "quic", host: "pool.example", port: 1, noise: false, certSha256: fromHex(SHA256) },
    ],
  ])("%s", (text, expected) => {
    expect(parseServerUrl(text)).toEqual(expected);
    expect(parseServerUrl(printServerUrl(expected))).toEqual(expected);
  });

  test.each([
    "",
    "thepool.com:34254",
    "stratum+tcp://thepool.com:34254",
    "stratum2+udp://thepool.com:34254",
    "tls://thepool.com:34254",
    "stratum2+tcp://thepool.com",
    "tcp://:3333",
    "stratum2+tcp://thepool.com:0",
    "stratum2+tcp://thepool.com:65536",
    "stratum2+tcp://user@thepool.com:34254",
    "stratum2+tcp://a b:34254",
    "stratum2+tcp://thepool.com:34254/key/more",
    "stratum2+tcp://thepool.com:34254?noise=off",
    `stratum2+tcp://thepool.com:34254?cert-sha256=${SHA256}`,
    "stratum2+tls://thepool.com:34254?noise=maybe",
    "stratum2+tls://thepool.com:34254?cert-sha256=00",
    "stratum2+tls://thepool.com:34254?ca=file",
  ])("%j is refused", (text) => {
    expect(codeOf(text)).toBe("sv2-url-invalid");
  });

  test("a wrong key is told apart from a wrong address", () => {
    expect(codeOf(`tcp://a:1/${KEY.slice(0, -1)}3`)).toBe("authority-key-invalid");
    expect(codeOf(`${vectors.url}x`)).toBe("authority-key-invalid");
  });
});

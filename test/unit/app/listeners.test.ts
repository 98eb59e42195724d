/** The listeners beside TCP: what the configuration may say of them, how miners are pointed at them, and the certificate made for them. */
import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/app/config/load.ts";
import { certificateOf, tlsOf } from "../../../src/app/listener-settings.ts";
import { listenerUrl } from "../../../src/app/miner-url.ts";
import { makeSelfSigned, ownHosts } from "../../../src/app/self-signed.ts";
import { settingsOf } from "../../../src/app/settings.ts";
import { parseServerUrl } from "../../../src/client/url.ts";
import type { Files } from "../../../src/daemon/files.ts";
import { describe as inWords } from "../../../src/kernel/fault.ts";
import { readCertificate } from "../../../src/pool/transports/certificate.ts";
import { authorityPublicKey, encodeAuthorityPublicKey } from "../../../src/sv2/noise/authority-key.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const REST =
  '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n[[bitcoind]]\nurl = "http://127.0.0.1:8332"\ncookie_file = "c"\n';
const KEY = encodeAuthorityPublicKey(authorityPublicKey(new Uint8Array(32).fill(3)));

function settings(tls: string): ReturnType<typeof settingsOf> {
  return settingsOf({ config: parseConfig(`${REST}${tls}`, "config.toml"), file: "config.toml", folder: "/etc/pool" });
}

describe("[tls]", () => {
  test("without an address there is no listener", () => {
    expect(tlsOf(settings(""))).toBeUndefined();
    expect(tlsOf(settings("[tls]\nnoise = false\n"))).toBeUndefined();
  });

  test("with an address alone a certificate is made in data_dir, and Noise runs inside", () => {
    const read = settings('[tls]\nlisten_addr = "[::]:3343"\n');
    expect(tlsOf(read)).toEqual({ listen: { host: "::", port: 3343 }, noise: true });
    expect(certificateOf(read)).toEqual({
      selfSigned: true,
      paths: { chain: "/etc/pool/data/tls-cert.pem", key: "/etc/pool/data/tls-key.pem", clientCa: undefined },
    });
  });

  test("the operator's own files start at the configuration's folder", () => {
    const read = settings(
      '[tls]\nlisten_addr = "0.0.0.0:1"\ncertificate_file = "a.pem"\nkey_file = "/b.pem"\nclient_ca_file = "c.pem"\nnoise = false\n',
    );
    expect(tlsOf(read)).toMatchObject({ noise: false });
    expect(certificateOf(read)).toEqual({
      selfSigned: false,
      paths: { chain: "/etc/pool/a.pem", key: "/b.pem", clientCa: "/etc/pool/c.pem" },
    });
  });

  test.each([
    ["certificate_file", "tls.key_file"],
    ["key_file", "tls.certificate_file"],
  ])("%s alone is refused, and the missing key named", (given, missing) => {
    try {
      settings(`[tls]\n${given} = "x.pem"\n`);
      expect.unreachable();
    } catch (fault) {
      expect(fault).toMatchObject({ code: "config-invalid", data: { key: missing } });
      expect(inWords(fault)).toContain("both or none");
    }
  });
});

describe("URLs for miners", () => {
  test("name the authority key where Noise runs inside, else the fingerprint where nothing else vouches", () => {
    const certSha256 = new Uint8Array(32).fill(0xab);
    const listening = "192.0.2.1:3333";
    expect(listenerUrl({ transport: "tcp", listening, noise: true, certSha256: undefined }, KEY)).toBe(
      `stratum2+tcp://192.0.2.1:3333/${KEY}`,
    );
    expect(
      listenerUrl({ transport: "tls", listening: "[2001:db8::1]:3343", noise: true, certSha256: undefined }, KEY),
    ).toBe(`stratum2+tls://[2001:db8::1]:3343/${KEY}`);
    const pinned = listenerUrl({ transport: "tls", listening, noise: false, certSha256 }, KEY);
    expect(pinned).toBe(`stratum2+tls://192.0.2.1:3333?noise=off&cert-sha256=${"ab".repeat(32)}`);
    expect(parseServerUrl(pinned)).toMatchObject({ transport: "tls", noise: false, certSha256 });
    expect(listenerUrl({ transport: "tls", listening, noise: false, certSha256: undefined }, KEY)).toBe(
      "stratum2+tls://192.0.2.1:3333?noise=off",
    );
  });

  test("name an address of this machine where all are listened on", () => {
    const url = listenerUrl({ transport: "tls", listening: "0.0.0.0:3343", noise: true, certSha256: undefined }, KEY);
    expect(ownHosts([])).toEqual(expect.arrayContaining(["localhost", "127.0.0.1", "::1"]));
    expect([...ownHosts([]), "0.0.0.0"]).toContain(parseServerUrl(url).host);
  });
});

describe("the self-signed certificate", () => {
  const PATHS = { chain: "/data/tls-cert.pem", key: "/data/tls-key.pem" };

  /** A folder in memory; `fails` names the step that does not work. */
  function folder(fails?: "write" | "read") {
    const texts = new Map<string, string>();
    const failure = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    const files: Files = {
      async read(path) {
        const text = texts.get(path);
        if (fails === "read") throw failure;
        if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
        return text;
      },
      async writeSynced(path, text) {
        if (fails === "write") throw failure;
        texts.set(path, text);
      },
      async rename(from, to) {
        texts.set(to, texts.get(from) ?? "");
        texts.delete(from);
      },
      async publish(from, to) {
        if (texts.has(to)) throw Object.assign(new Error("file exists"), { code: "EEXIST" });
        await files.rename(from, to);
      },
      async syncFolder() {},
      async makeFolder() {},
      async list() {
        return [...texts.keys()];
      },
      async remove(path) {
        texts.delete(path);
      },
      join: (at, name) => `${at}/${name}`,
    };
    return { texts, files };
  }

  const make = (files: Files, hosts: readonly string[] = ["pool.example", "192.0.2.7", "2001:db8::7"], seed = 5) =>
    makeSelfSigned(
      { clock: new FakeClock(Date.UTC(2026, 0, 1)), random: seededRandom(seed), files },
      { paths: PATHS, hosts },
    );

  test("is good for ten years, for all names of the machine, and for a server alone", async () => {
    const { texts, files } = folder();
    expect(await make(files)).toBe(true);
    expect([...texts.keys()].sort()).toEqual([PATHS.chain, PATHS.key]);
    const pem = { chain: texts.get(PATHS.chain) ?? "", key: texts.get(PATHS.key) ?? "" };
    const { names, notBeforeMs, notAfterMs } = readCertificate(pem);
    expect(names).toEqual(["DNS:pool.example", "IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:7"]);
    expect(new Date(notBeforeMs).toISOString()).toBe("2025-12-31T00:00:00.000Z");
    expect(new Date(notAfterMs).getUTCFullYear()).toBe(2035);
    const certificate = new X509Certificate(pem.chain);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  test("is made once: another start keeps it", async () => {
    const { texts, files } = folder();
    await make(files);
    const before = new Map(texts);
    expect(await make(files, ["other.example"])).toBe(false);
    expect(texts).toEqual(before);
  });

  test("of two starts at once is one pair, whoever is faster where", async () => {
    for (let round = 0; round < 8; round++) {
      const { texts, files } = folder();
      const slow: Files = {
        ...files,
        async writeSynced(path, text) {
          await new Promise((resolve) => setTimeout(resolve, round));
          await files.writeSynced(path, text);
        },
      };
      const made = await Promise.all([make(files), make(slow, ["localhost"], 6)]);
      expect(made.filter((own) => own)).toHaveLength(1);
      expect([...texts.keys()].sort()).toEqual([PATHS.chain, PATHS.key]);
      readCertificate({ chain: texts.get(PATHS.chain) ?? "", key: texts.get(PATHS.key) ?? "" });
    }
  });

  test("is made anew where its certificate was taken away, but never in place of one that lost its key", async () => {
    const { texts, files } = folder();
    await make(files);
    const before = texts.get(PATHS.chain);
    texts.delete(PATHS.chain);
    expect(await make(files)).toBe(true);
    expect(texts.get(PATHS.chain)).not.toBe(before);
    texts.delete(PATHS.key);
    await expect(make(files)).rejects.toMatchObject({ code: "tls-file-failed", data: { path: PATHS.key } });
  });

  test("that cannot be written or looked for is a fault that names the file", async () => {
    await expect(make(folder("write").files)).rejects.toMatchObject({ code: "tls-file-failed" });
    await expect(make(folder("read").files)).rejects.toMatchObject({ code: "tls-file-failed" });
  });
});

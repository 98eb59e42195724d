import { beforeAll, describe, expect, test } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import { type CertificatePem, readCertificate } from "../../../src/pool/transports/certificate.ts";
import { CertificateFiles, type CertificatePaths } from "../../../src/pool/transports/certificate-files.ts";
import { pinOf, selfSigned, TestAuthority, type TestPem } from "../../support/certificates.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const never = new AbortController().signal;
const PATHS = { chain: "/tls/chain.pem", key: "/tls/key.pem" };
const DAY_MS = 86_400_000;

let authority: TestAuthority;
let first: TestPem;
let second: TestPem;
beforeAll(async () => {
  authority = await TestAuthority.make();
  [first, second] = await Promise.all([authority.issue(), authority.issue()]);
});

/** Certificate files in memory. */
function onDisk(
  pem: TestPem,
  more: { readonly clientCa?: string; readonly make?: (paths: CertificatePaths) => void } = {},
) {
  const clock = new FakeClock(Date.now());
  const log = recordingLog();
  const texts = new Map([
    [PATHS.chain, pem.chain],
    [PATHS.key, pem.key],
    ...(more.clientCa === undefined ? [] : [["/tls/ca.pem", more.clientCa] as const]),
  ]);
  const modes = { key: 0o100600 };
  const { make } = more;
  const files = new CertificateFiles(
    {
      clock,
      log,
      async read(path) {
        const text = texts.get(path);
        if (text === undefined) throw new Error(`ENOENT: ${path}`);
        return { text, mode: path === PATHS.key ? modes.key : 0o100644 };
      },
      ...(make === undefined ? {} : { make: async (paths: CertificatePaths) => make(paths) }),
    },
    { paths: more.clientCa === undefined ? PATHS : { ...PATHS, clientCa: "/tls/ca.pem" } },
  );
  const taken: string[] = [];
  files.onChange(({ sha256 }) => void taken.push(toHex(sha256)));
  const write = ({ chain, key }: Partial<TestPem>): void => {
    if (chain !== undefined) texts.set(PATHS.chain, chain);
    if (key !== undefined) texts.set(PATHS.key, key);
  };
  const warnings = (): string[] =>
    log.lines.filter(({ level }) => level === "warn" || level === "error").map(({ message }) => message);
  return { clock, log, texts, modes, files, taken, write, warnings };
}

describe("a certificate", () => {
  const invalid = (pem: CertificatePem): unknown => {
    try {
      return readCertificate(pem);
    } catch (fault) {
      return fault;
    }
  };

  test("has the fingerprint, the end and the names that clients see", () => {
    const { names, notAfterMs, notBeforeMs, sha256 } = readCertificate(first);
    expect(names).toEqual(["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"]);
    expect(Math.round((notAfterMs - notBeforeMs) / DAY_MS)).toBe(366);
    expect(sha256).toHaveLength(32);
  });

  test.each<[string, () => CertificatePem, string]>([
    ["is of another key", () => ({ ...first, key: second.key }), "not the key of the first"],
    ["is cut off", () => ({ ...first, chain: first.chain.slice(0, 300) }), "in the middle"],
    ["is empty", () => ({ ...first, chain: "" }), "no certificate"],
    [
      "is damaged",
      () => ({ ...first, chain: first.chain.replace("\nMII", "\nBII") }),
      "something that is no certificate",
    ],
    ["has half a chain", () => ({ ...first, chain: first.chain + authority.pem.slice(0, 200) }), "in the middle"],
    ["has half a key", () => ({ ...first, key: first.key.slice(0, 100) }), "no private key, or half"],
    [
      "has an encrypted key",
      () => ({ ...first, key: first.key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") }),
      "encrypted",
    ],
    ["has an authority for clients that is none", () => ({ ...first, clientCa: "nothing" }), "client_ca_file"],
  ])("is refused where it %s, in words", (_, pem, words) => {
    expect(invalid(pem())).toMatchObject({ code: "tls-certificate-invalid", message: expect.stringContaining(words) });
  });

  test("the words on a bad key quote nothing of it", () => {
    const secret = first.key.split("\n")[1] ?? expect.unreachable();
    const fault = invalid({ ...first, key: first.key.slice(0, 120) });
    expect(String(fault) + String((fault as Error).cause)).not.toContain(secret.slice(0, 20));
  });
});

describe("CertificateFiles", () => {
  test("tells at the start when the certificate ends and what clients pin", async () => {
    const { files, log } = onDisk(first);
    await files.start(never);
    const line = log.lines.find(({ message }) => message.includes(`cert-sha256=${toHex(pinOf(first))}`));
    expect(line?.message).toContain(new Date(files.current().notAfterMs).toISOString().slice(0, 10));
    await files.stop();
  });

  test("takes a changed certificate over within seconds, and tells", async () => {
    const { files, clock, taken, write } = onDisk(first);
    await files.start(never);
    write(second);
    await files.look();
    expect(taken).toEqual([toHex(pinOf(second))]);
    clock.advance(60_000);
    await files.look();
    expect(taken).toHaveLength(1);
    expect(toHex(files.current().sha256)).toBe(toHex(pinOf(second)));
    await files.stop();
    expect(clock.pending).toBe(0);
  });

  test("looks by its own clock", async () => {
    const { files, clock, taken, write } = onDisk(first);
    await files.start(never);
    write(second);
    clock.advance(4_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toEqual([]);
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toHaveLength(1);
    await files.stop();
  });

  test("keeps the one before while the new files are half written, says so once, and takes them when they are whole", async () => {
    const { files, taken, write, warnings } = onDisk(first);
    await files.start(never);
    write({ chain: second.chain.slice(0, 200) });
    await files.look();
    await files.look();
    write({ chain: second.chain });
    await files.look();
    expect(taken).toEqual([]);
    expect(files.current().chain).toBe(first.chain);
    expect(warnings()).toHaveLength(2);
    expect(warnings()[0]).toContain("in the middle of a certificate");
    expect(warnings()[1]).toContain("not the key of the first certificate");
    write({ key: second.key });
    await files.look();
    expect(taken).toEqual([toHex(pinOf(second))]);
  });

  test("keeps the one before while a file is away", async () => {
    const { files, texts, warnings } = onDisk(first);
    await files.start(never);
    texts.delete(PATHS.key);
    await files.look();
    expect(warnings()).toHaveLength(1);
    expect(files.current().chain).toBe(first.chain);
  });

  test("refuses at the start what it cannot use", async () => {
    const missing = onDisk(first);
    missing.texts.delete(PATHS.chain);
    await expect(missing.files.start(never)).rejects.toMatchObject({ code: "tls-file-failed" });
    const foreign = onDisk({ ...first, key: second.key });
    await expect(foreign.files.start(never)).rejects.toMatchObject({ code: "tls-certificate-invalid" });
    expect(foreign.clock.pending).toBe(0);
  });

  test("a key that everybody may read is refused; a group may read it", async () => {
    const open = onDisk(first);
    open.modes.key = 0o100644;
    await expect(open.files.start(never)).rejects.toMatchObject({
      code: "tls-key-permissions",
      data: { path: PATHS.key, mode: "644" },
    });
    const group = onDisk(first);
    group.modes.key = 0o100640;
    await group.files.start(never);
    await group.files.stop();
  });

  test("takes over a change of the authorities for clients alone", async () => {
    const { files, texts, taken } = onDisk(first, { clientCa: authority.pem });
    await files.start(never);
    const other = (await TestAuthority.make("another")).pem;
    texts.set("/tls/ca.pem", other);
    await files.look();
    expect(taken).toHaveLength(1);
    expect(files.current().clientCa).toBe(other);
  });

  test("warns once a day in the last two weeks, and of one that has ended or is not in force yet", async () => {
    const { files, clock, warnings } = onDisk(await selfSigned({ days: [-1, 15] }));
    await files.start(never);
    expect(warnings()).toEqual([]);
    for (let hour = 0; hour < 72; hour++) {
      clock.advance(3_600_000);
      await files.look();
    }
    expect(warnings()).toEqual([14, 13, 12].map((days) => `the TLS certificate ends in ${days} days: renew it`));
    clock.advance(14 * DAY_MS);
    await files.look();
    expect(warnings().at(-1)).toContain("has ended");
    const early = onDisk(await selfSigned({ days: [3, 90] }));
    await early.files.start(never);
    expect(early.warnings()[0]).toContain("not in force yet");
  });

  test("makes the files first where it may", async () => {
    const made = onDisk({ chain: "", key: "" }, { make: () => made.write(first) });
    await made.files.start(never);
    expect(made.files.current().chain).toBe(first.chain);
  });

  test("has nothing to give before it was started", () => {
    expect(() => onDisk(first).files.current()).toThrow(TypeError);
  });
});

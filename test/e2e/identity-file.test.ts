import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toHex } from "../../src/kernel/bytes.ts";
import { Fault, describe as inWords } from "../../src/kernel/fault.ts";
import { createAuthorityKeyFile, loadAuthorityKey, readAuthorityKeyFile } from "../../src/pool/identity-file.ts";
import { decodeAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { seededRandom } from "../support/seeded-random.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "authority-key-"));
  path = join(folder, "data", "authority.key");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function faultOf(run: () => Promise<unknown>): Promise<Fault> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("the authority key file", () => {
  test("is made on the first start for its owner only, and read on the next", async () => {
    const first = await loadAuthorityKey(path, seededRandom(1));
    expect(first.created).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, "data"))).toEqual(["authority.key"]);
    const text = readFileSync(path, "utf8");
    expect(text.endsWith("\n")).toBe(true);
    expect(toHex(decodeAuthoritySecretKey(text.trim()))).toBe(toHex(first.secretKey));

    const second = await loadAuthorityKey(path, seededRandom(2));
    expect(second.created).toBe(false);
    expect(toHex(second.secretKey)).toBe(toHex(first.secretKey));
  });

  test("takes a key that SRI's tools wrote, with or without a line end", async () => {
    const secret = "zmBEmPhqo3A92FkiLVvyCz6htc3e53ph3ZbD4ASqGaLjwnFLi";
    const file = join(folder, "sri.key");
    for (const text of [secret, `${secret}\n`, `  ${secret}\r\n`]) {
      writeFileSync(file, text, { mode: 0o600 });
      expect(toHex((await readAuthorityKeyFile(file)) as Uint8Array)).toBe(toHex(decodeAuthoritySecretKey(secret)));
    }
  });

  test.each(["644", "640", "604", "620", "601"])("of mode %s is refused, and the help says chmod 600", async (mode) => {
    await loadAuthorityKey(path, seededRandom(1));
    const text = readFileSync(path, "utf8").trim();
    chmodSync(path, Number.parseInt(mode, 8));
    const fault = await faultOf(() => loadAuthorityKey(path, seededRandom(1)));
    expect([fault.code, fault.act]).toEqual(["key-file-permissions", "halt"]);
    expect(fault.help).toContain("chmod 600");
    expect(inWords(fault)).not.toContain(text.slice(0, 8));
  });

  test("a stricter mode is fine", async () => {
    const { secretKey } = await loadAuthorityKey(path, seededRandom(1));
    chmodSync(path, 0o400);
    expect(toHex((await loadAuthorityKey(path, seededRandom(2))).secretKey)).toBe(toHex(secretKey));
  });

  test.each(["", "hello", "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2m", "x".repeat(100_000)])(
    "with other content is refused and left as it is",
    async (content) => {
      const file = join(folder, "bad.key");
      writeFileSync(file, content, { mode: 0o600 });
      const fault = await faultOf(() => loadAuthorityKey(file, seededRandom(1)));
      expect([fault.code, fault.act]).toEqual(["key-file-invalid", "halt"]);
      if (content.length > 8) expect(inWords(fault)).not.toContain(content.slice(0, 8));
      expect(readFileSync(file, "utf8")).toBe(content);
    },
  );

  test("is never overwritten", async () => {
    const { secretKey } = await loadAuthorityKey(path, seededRandom(1));
    const fault = await faultOf(() => createAuthorityKeyFile(path, seededRandom(2)));
    expect(fault.code).toBe("key-file-exists");
    expect(toHex((await readAuthorityKeyFile(path)) as Uint8Array)).toBe(toHex(secretKey));
    expect(readdirSync(join(folder, "data"))).toEqual(["authority.key"]);
  });

  test("two starts at once end up with one key", async () => {
    const both = await Promise.all([loadAuthorityKey(path, seededRandom(1)), loadAuthorityKey(path, seededRandom(2))]);
    expect(toHex(both[0].secretKey)).toBe(toHex(both[1].secretKey));
    expect(both.filter(({ created }) => created)).toHaveLength(1);
    expect(readdirSync(join(folder, "data"))).toEqual(["authority.key"]);
  });

  test("in a place that cannot be written is a fault with the system's error", async () => {
    writeFileSync(join(folder, "file"), "");
    for (const bad of [join(folder, "file", "authority.key"), folder]) {
      const fault = await faultOf(() => loadAuthorityKey(bad, seededRandom(1)));
      expect(fault.code).toBe("key-file-failed");
      expect(inWords(fault)).toMatch(/ENOTDIR|EISDIR/);
    }
    expect(await readAuthorityKeyFile(join(folder, "missing"))).toBeUndefined();
    expect(existsSync(join(folder, "missing"))).toBe(false);
  });
});

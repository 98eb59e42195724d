/** Our certificate as a client, on the disk: what is taken, that a renewed one counts at once, and what is said of a bad one. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { identityFiles } from "../../../src/app/client-identity.ts";
import { selfSigned } from "../../support/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-identity-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const paths = { chain: join(folder, "client.pem"), key: join(folder, "client-key.pem") };
const read = identityFiles(paths);

test("is read anew for each connection", async () => {
  for (const pem of [await selfSigned(), await selfSigned()]) {
    writeFileSync(paths.chain, pem.chain);
    writeFileSync(paths.key, pem.key, { mode: 0o600 });
    expect(await read()).toEqual(pem);
  }
});

test("is refused, with the file and the reason, when it is not whole, not a pair, or open to everybody", async () => {
  const pem = await selfSigned();
  const refused = async (chain: string, key: string, path: string, reason: string): Promise<void> => {
    writeFileSync(paths.chain, chain);
    writeFileSync(paths.key, key, { mode: 0o600 });
    const fault: unknown = await read().catch((error: unknown) => error);
    expect(fault).toMatchObject({
      code: "client-certificate-failed",
      data: { path, reason: expect.stringContaining(reason) },
    });
  };
  await refused("nothing", pem.key, paths.chain, "no certificate");
  await refused(pem.chain, pem.key.slice(0, 80), paths.key, "no private key");
  await refused(pem.chain, (await selfSigned()).key, paths.key, "not the key of");
  chmodSync(paths.key, 0o644);
  await expect(read()).rejects.toMatchObject({ data: { reason: expect.stringContaining("read by everybody") } });
  rmSync(paths.key);
  await expect(read()).rejects.toMatchObject({ data: { path: paths.key, reason: "it cannot be read" } });
});

/** What `doctor` finds about the certificate of a TLS listener, on a real disk. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkTls } from "../../src/app/commands/doctor-tls.ts";
import { parseConfig } from "../../src/app/config/load.ts";
import { makeSelfSigned } from "../../src/app/self-signed.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { toHex } from "../../src/kernel/bytes.ts";
import { pinOf, selfSigned, type TestPem } from "../support/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-doctor-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OWN = 'listen_addr = "127.0.0.1:1"\ncertificate_file = "chain.pem"\nkey_file = "key.pem"\n';
const check = (tls: string) => checkTls({ config: parseConfig(`[tls]\n${tls}`, "c.toml"), file: "c.toml", folder });

function write({ chain, key }: TestPem, mode = 0o600): void {
  rmSync(join(folder, "key.pem"), { force: true });
  writeFileSync(join(folder, "chain.pem"), chain);
  writeFileSync(join(folder, "key.pem"), key, { mode });
}

test("nothing without a listener; a certificate that is still to be made is in order", async () => {
  expect(await check("")).toEqual([]);
  expect(await check('listen_addr = "127.0.0.1:1"\n')).toEqual([
    expect.objectContaining({ result: "ok", detail: expect.stringContaining("the first start makes it") }),
  ]);
  const paths = { chain: join(folder, "data", "tls-cert.pem"), key: join(folder, "data", "tls-key.pem") };
  await makeSelfSigned(
    { clock: systemClock, random: systemRandom(), files: diskFiles },
    { paths, hosts: ["a.example"] },
  );
  expect(await check('listen_addr = "127.0.0.1:1"\n')).toEqual([
    expect.objectContaining({ result: "ok", detail: expect.stringContaining("for DNS:a.example, until 20") }),
  ]);
});

test.each([
  [[-1, 365], "ok", "until"],
  [[-1, 5], "warning", "ends soon"],
  [[-9, -1], "failed", "not in force now"],
  [[2, 9], "failed", "not in force now"],
] as const)("a certificate of the days %j is %s, with what clients pin", async (days, result, words) => {
  const pem = await selfSigned({ days });
  write(pem);
  const [finding] = await check(OWN);
  expect(finding).toMatchObject({ result, detail: expect.stringContaining(words) });
  expect(finding?.detail).toContain(toHex(pinOf(pem)));
});

test("what the start refuses is refused here", async () => {
  write(await selfSigned(), 0o644);
  await expect(check(OWN)).rejects.toMatchObject({ code: "tls-key-permissions" });
  rmSync(join(folder, "key.pem"));
  await expect(check(OWN)).rejects.toMatchObject({ code: "tls-file-failed" });
});

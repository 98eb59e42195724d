/** The built program below a server that wants client certificates: `mine` shows its own, and pool mode and `doctor` do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { TestAuthority } from "../support/certificates.ts";
import { program } from "../support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-client-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("mine, pool mode and doctor get in with the certificate, and nobody without", async () => {
  const authority = await TestAuthority.make();
  const own = await authority.issue({ usage: ["client"] });
  writeFileSync(join(folder, "ca.pem"), authority.pem);
  writeFileSync(join(folder, "own.pem"), own.chain);
  writeFileSync(join(folder, "own-key.pem"), own.key, { mode: 0o600 });
  const head = '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n';
  writeFileSync(
    join(folder, "above.toml"),
    `${head}[vardiff]\nshares_per_minute = 240\n[tls]\nlisten_addr = "127.0.0.1:0"\nclient_ca_file = "ca.pem"\n`,
  );
  const above = program(["start", "--devnet", "-c", "above.toml", "--json"], { cwd: folder });
  const ready = JSON.parse(await above.line((line) => line.includes('"listening"')));
  const url: string = ready.listeners.find((one: { transport: string }) => one.transport === "tls").url;

  const shown = ["--client-cert", "own.pem", "--client-key", "own-key.pem"];
  const stranger = program(["mine", url, "--shares", "1"], { cwd: folder });
  expect(await stranger.ended).not.toBe(0);
  const half = program(["mine", url, ...shown.slice(2)], { cwd: folder });
  expect(await half.ended).not.toBe(0);
  expect(half.err.join("\n")).toContain("need each other");
  const miner = program(["mine", url, "--shares", "1", ...shown], { cwd: folder });
  expect(await miner.ended, miner.err.join("\n")).toBe(0);

  const upstream = '[upstream]\nuser = "farm"\nclient_certificate_file = "own.pem"\nclient_key_file = "own-key.pem"\n';
  writeFileSync(join(folder, "below.toml"), `${head}data_dir = "below"\n${upstream}[[pools]]\nurl = "${url}"\n`);
  const doctor = program(["doctor", "-c", "below.toml"], { cwd: folder });
  await doctor.ended;
  expect(doctor.out.join("\n")).toContain("its first job");
  const below = program(["start", "-c", "below.toml", "--json"], { cwd: folder });
  const { url: belowUrl } = JSON.parse(await below.line((line) => line.includes('"listening"')));
  const under = program(["mine", belowUrl, "--shares", "1"], { cwd: folder });
  expect(await under.ended, [...under.err, ...below.err].join("\n")).toBe(0);
  for (const server of [below, above]) {
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  }
});

/** The built program with a TLS listener: `start` makes a certificate, `mine` reaches it by the URL that `start` printed. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeSelfSigned } from "../../src/app/self-signed.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { selfSigned, TestAuthority } from "../support/certificates.ts";
import { type Program, program } from "../support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Shares come soon. */
const HEAD = '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n[vardiff]\nshares_per_minute = 240\n';

interface Ready {
  readonly listening: string;
  readonly url: string;
  readonly listeners: readonly { readonly transport: string; readonly listening: string; readonly url: string }[];
}

/** A server on the embedded node with these lines for [tls]. */
async function server(name: string, tls: string): Promise<{ server: Program; ready: Ready; tlsUrl: string }> {
  const config = join(folder, `${name}.toml`);
  writeFileSync(config, `${HEAD}[tls]\nlisten_addr = "127.0.0.1:0"\n${tls}`);
  const started = program(["start", "--devnet", "-c", config, "--json"], { cwd: folder });
  const ready: Ready = JSON.parse(await started.line((line) => line.includes('"listening"')));
  const tlsUrl = ready.listeners.find(({ transport }) => transport === "tls")?.url;
  return { server: started, ready, tlsUrl: tlsUrl ?? expect.unreachable() };
}

async function mine(url: string): Promise<{ code: number; out: string; err: string }> {
  const miner = program(["mine", url, "--shares", "1", "--json"], { cwd: folder });
  const code = await miner.ended;
  return { code, out: miner.out.join("\n"), err: miner.err.join("\n") };
}

test("start prints both URLs, TCP first, and mine works on both", async () => {
  const { server: started, ready, tlsUrl } = await server("noise", "");
  expect(ready.listeners.map(({ transport }) => transport)).toEqual(["tcp", "tls"]);
  expect(ready.listening).toBe(ready.listeners[0]?.listening);
  expect(ready.url).toMatch(/^stratum2\+tcp:/);
  expect(tlsUrl).toMatch(/^stratum2\+tls:\/\/127\.0\.0\.1:\d+\/9[1-9A-HJ-NP-Za-km-z]+$/);
  for (const url of [ready.url, tlsUrl]) {
    const { code, out, err } = await mine(url);
    expect(code, err).toBe(0);
    expect(out).toContain('"connected"');
  }
  started.kill("SIGTERM");
  expect(await started.ended, started.err.join("\n")).toBe(0);
  expect(started.err.join("\n")).toContain("cert-sha256=");
});

test("without Noise the URL pins the certificate that was made; any other pin is refused", async () => {
  const { server: started, tlsUrl } = await server("plain", "noise = false\n");
  expect(tlsUrl).toMatch(/\?noise=off&cert-sha256=[0-9a-f]{64}$/);
  const pinned = await mine(tlsUrl);
  expect(pinned.code, pinned.err).toBe(0);
  const wrong = await mine(tlsUrl.replace(/[0-9a-f]{64}$/, "ab".repeat(32)));
  expect(wrong.code).not.toBe(0);
  expect(wrong.err).toContain("another one than the address names");
  const unchecked = await mine(tlsUrl.replace(/&cert-sha256=.*/, ""));
  expect(unchecked.err).toContain("self-signed");
  started.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});

test("the operator's certificate is shown, and the next one within seconds", async () => {
  const authority = await TestAuthority.make();
  const [first, second] = [await authority.issue(), await authority.issue()];
  const write = ({ chain, key }: typeof first): void => {
    writeFileSync(join(folder, "chain.pem"), chain);
    writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 });
  };
  write(first);
  const { server: started, tlsUrl } = await server(
    "own",
    'certificate_file = "chain.pem"\nkey_file = "key.pem"\nnoise = false\n',
  );
  expect(tlsUrl, "authorities vouch for it").toMatch(/\?noise=off$/);
  write(second);
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (!started.err.some((line) => line.includes("a new TLS certificate is in force"))) return;
      clearInterval(timer);
      resolve();
    }, 50);
  });
  const pins = started.err.flatMap((line) => /cert-sha256=([0-9a-f]{64})/.exec(line)?.[1] ?? []);
  expect(new Set(pins).size).toBe(2);
  const pinned = await mine(`${tlsUrl}&cert-sha256=${pins.at(-1)}`);
  expect(pinned.code, pinned.err).toBe(0);
  started.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});

test("a key that everybody may read, or of another certificate, ends the start with what to do", async () => {
  const pem = await selfSigned();
  const config = join(folder, "bad.toml");
  const tls = '[tls]\nlisten_addr = "127.0.0.1:0"\ncertificate_file = "bad.pem"\nkey_file = "bad-key.pem"\n';
  writeFileSync(config, `${HEAD}${tls}`);
  writeFileSync(join(folder, "bad.pem"), pem.chain);
  writeFileSync(join(folder, "bad-key.pem"), pem.key, { mode: 0o644 });
  const open = program(["start", "--devnet", "-c", config], { cwd: folder });
  expect(await open.ended).not.toBe(0);
  expect(open.err.join("\n")).toContain("can be read by everybody");
  expect(open.err.join("\n")).toContain("chmod 600");
  rmSync(join(folder, "bad-key.pem"));
  writeFileSync(join(folder, "bad-key.pem"), (await selfSigned()).key, { mode: 0o600 });
  const foreign = program(["start", "--devnet", "-c", config], { cwd: folder });
  expect(await foreign.ended).not.toBe(0);
  expect(foreign.err.join("\n")).toContain("not the key of the first certificate");
});

test("what is made stays: the files are this user's alone and the next start shows the same", async () => {
  // The embedded node's folder goes with it, so the program's own part is asked here.
  const paths = { chain: join(folder, "state", "tls-cert.pem"), key: join(folder, "state", "tls-key.pem") };
  const deps = { clock: systemClock, random: systemRandom(), files: diskFiles };
  expect(await makeSelfSigned(deps, { paths, hosts: ["localhost"] })).toBe(true);
  const before = readFileSync(paths.chain, "utf8");
  expect(await makeSelfSigned(deps, { paths, hosts: ["localhost"] })).toBe(false);
  expect(readFileSync(paths.chain, "utf8")).toBe(before);
  for (const path of [paths.chain, paths.key]) expect(statSync(path).mode & 0o777).toBe(0o600);
});

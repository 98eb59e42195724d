import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { MAIN, type Program, program, run } from "../support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function devnetServer(): Promise<{ server: Program; listening: string; authorityPublicKey: string }> {
  const server = program(["start", "--devnet", "--listen", "127.0.0.1:0", "--json"], { cwd: folder });
  const ready = JSON.parse(await server.line((line) => line.includes('"listening"')));
  return { server, listening: ready.listening, authorityPublicKey: ready.authorityPublicKey };
}

describe("demo", () => {
  test("--once --json ends when each of the three chains accepted a block, and sums up in its last line", async () => {
    const demo = program(["demo", "--once", "--json"], { cwd: folder });
    expect(await demo.ended, demo.err.join("\n")).toBe(0);
    const lines = demo.out.map((line) => JSON.parse(line));
    const last = lines.at(-1);
    expect(last.event).toBe("summary");
    expect(last.bitcoin.blocksAccepted).toBeGreaterThanOrEqual(1);
    expect(last.bitcoin.blocksRejected).toBe(0);
    for (const chain of ["namecoin", "rsk"]) {
      expect(last.chains[chain].blocksAccepted).toBeGreaterThanOrEqual(1);
      expect(last.chains[chain].blocksFound).toBeGreaterThanOrEqual(last.chains[chain].blocksAccepted);
      expect(last.chains[chain].blocksRejected).toBe(0);
      const accepted = lines.filter(({ event, chain: of }) => event === "auxBlockAccepted" && of === chain);
      expect(accepted).toHaveLength(last.chains[chain].blocksAccepted);
      expect(lines.some(({ event, chain: of }) => event === "chain" && of === chain)).toBe(true);
    }
    expect(last.shares.accepted).toBeGreaterThanOrEqual(1);
    expect(last.shares.rejected).toBeLessThanOrEqual(1);
    expect(last.elapsedMs).toBeGreaterThan(0);
    expect(lines.some(({ event }) => event === "blockAccepted")).toBe(true);
    // A header that is a Bitcoin block meets the easier targets of the others too. On each chain it wins the work of its job, unless an earlier
    // header did, whose block the daemon has while the next job is not out yet: on a slow machine there may be such a one on every chain.
    const { jobId } = lines.find(({ event }) => event === "blockFound");
    const { hash, foundMs } = lines.find(({ event }) => event === "blockAccepted");
    const { works } = lines.find((line) => line.event === "job" && line.jobId === jobId);
    expect(works.map(({ chain }: { chain: string }) => chain).sort()).toEqual(["namecoin", "rsk"]);
    for (const { chain, work, height } of works) {
      // Another template of the same height is the same block of Namecoin; RSK pays for both.
      const finds = lines
        .filter((line) => line.event === "auxBlockFound" && line.chain === chain)
        .filter((line) => line.work === work || (chain === "namecoin" && line.height === height));
      const isWon = finds.some((line) => line.header === hash || line.foundMs <= foundMs);
      expect(isWon, `${chain} ${work} of job ${jobId}, which header ${hash} solved at ${foundMs}`).toBe(true);
    }
  }, 180_000);

  test("goes on until it is told to end; one header wins a Bitcoin block and one of another chain", async () => {
    const demo = program(["demo", "--json"], { cwd: folder });
    const [bitcoin, aux] = [new Set<string>(), new Set<string>()];
    await demo.line((line) => {
      const { event, hash, header } = JSON.parse(line);
      if (event === "blockAccepted") bitcoin.add(hash);
      if (event === "auxBlockFound") aux.add(header);
      return [...bitcoin].some((each) => aux.has(each));
    });
    demo.kill("SIGTERM");
    expect(await demo.ended, demo.err.join("\n")).toBe(0);
    expect(JSON.parse(demo.out.at(-1) ?? "")).toMatchObject({ event: "summary", bitcoin: { blocksRejected: 0 } });
  }, 180_000);
});

describe("start --devnet and mine", () => {
  test("a standard and an extended miner mine through an encrypted socket, and the server stops cleanly", async () => {
    const { server, listening, authorityPublicKey } = await devnetServer();
    expect(listening).toMatch(/^127\.0\.0\.1:\d+$/);
    const url = `stratum2+tcp://${listening}/${authorityPublicKey}`;
    for (const kind of [[], ["--extended", "--worker", "rig1"]]) {
      const miner = program(["mine", url, "--shares", "3", "--json", "--user", "alice.1", ...kind], { cwd: folder });
      expect(await miner.ended, miner.err.join("\n")).toBe(0);
      const last = JSON.parse(miner.out.at(-1) ?? "");
      expect(last.shares.accepted).toBeGreaterThanOrEqual(3);
      // A share that crosses a new block on its way is late, as it should be; nothing else may be refused.
      const told = miner.out.map((line) => JSON.parse(line) as { event: string; errorCode?: string });
      const refused = told.filter(({ event }) => event === "shareRejected").map(({ errorCode }) => errorCode);
      expect(refused.filter((code) => code !== "stale-share")).toEqual([]);
      expect(last.shares.rejected).toBe(refused.length);
    }
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  });

  test("its miner's blocks are Namecoin's and RSK's too, as a configuration allows, which can be read again", async () => {
    const file = join(folder, "devnet.toml");
    const write = (more: string): void =>
      writeFileSync(file, `[stratum_v2]\ndata_dir = "devnet-data"\n[vardiff]\nshares_per_minute = 120\n${more}`);
    write('[chains.namecoin]\nenabled = false\npayout = "not for the devnet"\n');
    const server = program(["start", "--devnet", "-c", file, "--listen", "127.0.0.1:0", "--json"], { cwd: folder });
    const { url } = JSON.parse(await server.line((line) => line.includes('"listening"')));
    const miner = program(["mine", url, "--json"], { cwd: folder });
    const isLogged = (text: RegExp): boolean => server.err.some((line) => text.test(line));
    await expect.poll(() => isLogged(/rsk block .* was accepted/), { timeout: 60_000 }).toBe(true);
    expect(isLogged(/namecoin block/)).toBe(false);
    write("");
    server.kill("SIGHUP");
    await expect.poll(() => isLogged(/namecoin block .* was accepted/), { timeout: 60_000 }).toBe(true);
    miner.kill("SIGINT");
    await miner.ended;
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
    expect(server.err.filter((line) => /"level":(50|"error")/.test(line))).toEqual([]);
  }, 180_000);

  test("a miner that expects another authority key does not mine", async () => {
    const { server, listening } = await devnetServer();
    const other = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
    const miner = program(["mine", `stratum2+tcp://${listening}/${other}`, "--shares", "1"], { cwd: folder });
    expect(await miner.ended).toBe(1);
    expect(miner.err.join("\n")).toContain("not signed by the expected authority");
    expect(miner.err.join("\n")).toContain("what to do: The authority key in the address belongs to another pool");
    server.kill("SIGINT");
    expect(await server.ended).toBe(0);
  });

  test.each([
    ["an address that is none", ["--listen", "nowhere"], "", /error: that is no address to listen on/],
    ["a tag that does not fit", [], `[bitcoin]\npool_tag = "${"₿".repeat(30)}"\n`, /bitcoin\.pool_tag.*coinbase/],
  ])("with --devnet too, %s ends the program with code 2", async (_what, words, toml, said) => {
    const file = join(folder, "mistaken.toml");
    writeFileSync(file, toml);
    const server = program(["start", "--devnet", "-c", file, ...words], { cwd: folder });
    expect(await server.ended).toBe(2);
    expect(server.err.join("\n")).toMatch(said);
  });

  test.skipIf(!existsSync("/dev/full"))("a log without room on its disk costs no block", async () => {
    const words = ["start", "--devnet", "--listen", "127.0.0.1:0", "--json"];
    const server = run("/bin/sh", ["-c", `exec "$0" "$@" 2>/dev/full`, process.execPath, MAIN, ...words], {
      cwd: folder,
    });
    const { url } = JSON.parse(await server.line((line) => line.includes('"listening"')));
    const miner = program(["mine", url, "--json"], { cwd: folder });
    await miner.line((line) => line.includes('"newBlock"') && !line.includes('"jobId":1,'));
    miner.kill("SIGINT");
    expect(await miner.ended).toBe(0);
    server.kill("SIGINT");
    expect(await server.ended).toBe(0);
  });

  test("a taken port is an error that says so", async () => {
    const { server, listening } = await devnetServer();
    const second = program(["start", "--devnet", "--listen", listening], { cwd: folder });
    expect(await second.ended).toBe(1);
    expect(second.err.join("\n")).toMatch(/what to do: .*(port|address)/i);
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  });
});

describe("keygen", () => {
  test("writes a key that only its owner can read, and never over an existing one", async () => {
    const file = join(folder, "keys", "authority.key");
    const first = program(["keygen", file, "--json"]);
    expect(await first.ended, first.err.join("\n")).toBe(0);
    const printed = JSON.parse(first.out[0] ?? "");
    expect(printed.authorityPublicKey).toMatch(/^9[1-9A-HJ-NP-Za-km-z]{50,51}$/);
    expect(printed.authoritySecretKey).toBeUndefined();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = readFileSync(file, "utf8");
    const second = program(["keygen", file]);
    expect(await second.ended).toBe(1);
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(second.err.join("\n")).toContain("there is an authority key file already");
  });
});

describe("doctor", () => {
  test("names cause and fix of each failure and ends with its own code", async () => {
    const config = join(folder, "doctor.toml");
    writeFileSync(
      config,
      '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n[bitcoin]\nnetwork = "regtest"\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n[[bitcoind]]\nurl = "http://127.0.0.1:1"\nuser = "u"\npassword = "hush-hush"\n',
    );
    const doctor = program(["doctor", "-c", config]);
    expect(await doctor.ended).toBe(3);
    const text = doctor.out.join("\n");
    expect(text).toMatch(/mainnet/);
    expect(text).toMatch(/ok +ledger: \S*\/data\/ledger\.sqlite /);
    expect(text).toContain("nothing listens at the address");
    expect(text).toMatch(/fix:/);
    expect(text).not.toContain("hush-hush");
  });

  test.each([
    ['policy = "open"', "ok", "the address in the finder's user identity"],
    ['policy = "payout_address"', "ok", "whoever names an address may mine"],
    [
      'policy = "allow_list"\nallow = ["alice.*", "bob"]',
      "warning",
      "nobody in access.allow names an address, so every block pays bitcoin.payout",
    ],
    [
      'policy = "allow_list"\nallow = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.*", "bob"]',
      "warning",
      "1 of access.allow cannot be paid and are refused, e.g. bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.*",
    ],
    [
      'policy = "allow_list"\nallow = ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.*"]',
      "ok",
      "1 of access.allow name an address that blocks pay",
    ],
  ])("where blocks pay identities, says what becomes of those that may mine: %s", async (access, result, detail) => {
    const config = join(folder, "identities.toml");
    const head =
      '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n[bitcoin]\nnetwork = "regtest"\ncoinbase_pays = "identity"\n';
    const node = '[[bitcoind]]\nurl = "http://127.0.0.1:1"\nuser = "u"\npassword = "p"\n';
    writeFileSync(
      config,
      `${head}payout = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"\n${node}[access]\n${access}\n`,
    );
    const doctor = program(["doctor", "-c", config, "--json"]);
    await doctor.ended;
    const { findings } = JSON.parse(doctor.out.at(-1) ?? "");
    expect(findings).toContainEqual(
      expect.objectContaining({ check: "identities", result, detail: expect.stringContaining(detail) }),
    );
  });

  test("a bad key in the file is told like everywhere", async () => {
    const config = join(folder, "bad.toml");
    writeFileSync(config, '[stratum_v2]\nlisten_adr = "127.0.0.1:0"\n');
    const doctor = program(["doctor", "-c", config]);
    expect(await doctor.ended).toBe(2);
    expect(doctor.err.join("\n")).toContain('did you mean "listen_addr"?');
  });
});

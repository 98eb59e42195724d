import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCli } from "../../../src/app/cli.ts";
import { payout } from "../../../src/app/commands/payout.ts";
import { loadConfig } from "../../../src/app/config/load.ts";
import { ledgerOf } from "../../../src/app/ledger-of.ts";
import { booksOf, owe } from "../../support/payout-world.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const REGTEST = '[bitcoin]\nnetwork = "regtest"\n[stratum_v2]\ndata_dir = "."\n';

/** A folder with a configuration and a ledger that owes two workers, one with its address as its name. */
async function pool(text = REGTEST) {
  const folder = mkdtempSync(join(tmpdir(), "payout-command-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "config.toml");
  writeFileSync(config, text);
  const ledger = await ledgerOf(loadConfig(config), { create: true });
  onTestFinished(() => ledger.close());
  await owe(ledger, "bitcoin", { [`${ADDRESS}.1`]: 250_000n, alice: 99_999n });
  const cli = async (...args: string[]) => {
    const terminal = recordingTerminal();
    const code = await runCli([...args, "-c", config, "--chain", "bitcoin"], terminal);
    return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
  };
  const words = {
    config,
    chain: "bitcoin",
    execute: true,
    resume: false,
    force: false,
    format: "table",
    yes: false,
  } as const;
  return { folder, ledger, cli, words };
}

test("shows Bitcoin's plan with an address that a worker has as its name, and writes it into a file", async () => {
  const { folder, cli } = await pool();
  const shown = await cli("payout");
  expect(shown.out).toMatch(new RegExp(`^pay +${ADDRESS}\\.1 +0\\.00250000 BTC +${ADDRESS}$`, "m"));
  expect(shown.out).toMatch(/^no address +alice +0\.00099999 BTC$/m);
  expect(shown.err).toContain("no wallet is configured for this chain");
  const mistyped = await cli("payout-address", "set", "alice", ADDRESS.replace("w508", "w509"));
  expect(mistyped).toMatchObject({
    code: 1,
    err: expect.stringContaining("this cannot be a payout address of that chain"),
  });
  await cli("payout-address", "set", "alice", ADDRESS, "--least", "0.005");
  expect((await cli("payout-address", "list")).out).toBe(`alice  ${ADDRESS}  from 0.00500000 BTC on`);
  const file = join(folder, "plan.csv");
  expect((await cli("payout", "--format", "csv", "--out", file)).out).toBe("");
  expect(readFileSync(file, "utf8")).toContain(
    `bitcoin,below the minimum,worker,${ADDRESS}.1,${ADDRESS},0.00250000,BTC,250000,349999 of 500000 base units,`,
  );
});

test("pays nobody without a wallet, or when the wallet does not answer", async () => {
  const without = await pool();
  expect(await without.cli("payout", "--execute", "--yes")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no wallet is configured[\s\S]*RSK, Elastos, Hathor/),
  });
  expect(await without.cli("payout", "--resume")).toMatchObject({ code: 1 });
  // Nothing listens there.
  const { ledger, cli } = await pool(`${REGTEST}[rewards.bitcoin]\nwallet_url = "http://127.0.0.1:1"\n`);
  const shown = await cli("payout");
  expect(shown).toMatchObject({ code: 0, out: expect.stringContaining("1 payment of 0.00250000 BTC") });
  expect(shown.err).toContain("the wallet was not asked about the addresses");
  expect(await cli("payout", "--execute", "--yes")).toMatchObject({ code: 1 });
  expect((await booksOf(ledger, "bitcoin")).all).toEqual([]);
});

test("asks whoever sits there, and pays nobody without a yes", async () => {
  const asked: string[] = [];
  const wallet = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { id, method } = JSON.parse(text);
    asked.push(method);
    response.end(JSON.stringify({ id, result: { isvalid: true, address: ADDRESS, scriptPubKey: "51" } }));
  });
  await new Promise<void>((resolve) => wallet.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    wallet.closeAllConnections();
    wallet.close();
  });
  const { port } = wallet.address() as AddressInfo;
  const { ledger, words } = await pool(`${REGTEST}[rewards.bitcoin]\nwallet_url = "http://127.0.0.1:${port}"\n`);
  const answered = async (answer: boolean | undefined) => {
    const terminal = recordingTerminal();
    const questions: string[] = [];
    const confirm = async (question: string) => {
      questions.push(question);
      return answer;
    };
    const code = await payout(words, terminal, { confirm });
    expect(questions).toEqual(["Pay 0.00250000 BTC in 1 payment?"]);
    return { code, err: terminal.errLines.join("\n") };
  };
  expect(await answered(false)).toEqual({ code: 0, err: "nothing was paid" });
  expect(await answered(undefined)).toMatchObject({ code: 2, err: expect.stringContaining("give --yes") });
  expect((await booksOf(ledger, "bitcoin")).all).toEqual([]);
  expect(new Set(asked)).toEqual(new Set(["validateaddress"]));
});

test("keeps the merge-mining fee back unless it is named or distributed, and names who it comes from", async () => {
  const fee = `[stratum_v2.merge_mining_fee]\nenabled = true\ncommons_address = "${ADDRESS}"\ncontributor_id = "my-pool"\n`;
  const { ledger, cli, folder } = await pool(REGTEST + fee);
  await owe(ledger, "bitcoin", { "beneficiary:commons": 400_000n, "beneficiary:core": 400_000n, operator: 9n }, "fee");
  const kept = await cli("payout");
  expect(kept.out).toMatch(
    new RegExp(
      `^kept +beneficiary:commons +0\\.00400000 BTC +${ADDRESS} +until the operator pays it himself +my-pool$`,
      "m",
    ),
  );
  expect(kept.out).toMatch(/^no address +beneficiary:core /m);
  expect(kept.out).toMatch(/^no address +operator /m);
  expect(kept.out).toContain("bitcoin: 1 payment of 0.00250000 BTC");
  const named = await cli("payout", "--only", "beneficiary:commons", "--format", "csv");
  expect(named.out.split("\n").slice(1)).toEqual([
    expect.stringMatching(`^bitcoin,pay,beneficiary,commons,${ADDRESS},0.00400000,BTC,400000,,my-pool`),
  ]);
  // Paid by hand, it is off the books.
  const file = join(folder, "commons.json");
  await cli("payout", "--only", "beneficiary:commons", "--format", "json", "--out", file);
  expect((await cli("payout", "--mark-paid", file, "--txid", "ab")).code).toBe(0);
  expect((await booksOf(ledger, "bitcoin")).balances).not.toHaveProperty(["beneficiary:commons"]);

  await owe(ledger, "bitcoin", { "beneficiary:commons": 300_000n }, "more");
  writeFileSync(join(folder, "config.toml"), `${REGTEST}${fee}auto_distribute = true\n`);
  const { payments } = JSON.parse((await cli("payout", "--format", "json")).out);
  expect(payments).toMatchObject([
    { address: ADDRESS, units: "550000", accounts: [{ kind: "worker" }, { name: "commons", contributor: "my-pool" }] },
  ]);
});

test.each([
  [["--execute", "--resume"], 2, /exclude each other/],
  [["--dry-run", "--execute"], 2, /cannot be used with/],
  [["--only", "alice", "--resume"], 2, /cannot be used with/],
  [["--cancel", "x"], 2, /expected a payout's number/],
  [["--cancel", "7"], 1, /there is no such payout of this chain/],
  [["--mark-paid", "nowhere.json", "--txid", "0x1"], 1, /this file is no payout plan of that chain/],
  [["--mark-paid", "nowhere.json"], 2, /--mark-paid needs the transactions/],
  [["--format", "xml"], 2, /Allowed choices are table, csv, json/],
] as const)("%j ends with code %i", async (args, code, says) => {
  const { cli } = await pool();
  const ended = await cli("payout", ...args);
  expect(ended.err).toMatch(says);
  expect(ended.code).toBe(code);
});

test("a minimum with more decimals than the coin, a chain that is not configured and a ledger that is not there are told", async () => {
  const { cli, folder } = await pool(`${REGTEST}[rewards.bitcoin]\nmin_payment = "0.000000001"\n`);
  expect(await cli("payout")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/rewards\.bitcoin\.min_payment.*no amount of that coin/),
  });
  const config = join(folder, "config.toml");
  const terminal = recordingTerminal();
  expect(await runCli(["payout", "-c", config, "--chain", "doge"], terminal)).toBe(1);
  expect(terminal.errLines.join("\n")).toMatch(
    /no chain of that name is configured .*chain doge, configuration .*config\.toml/,
  );
  writeFileSync(config, `${REGTEST}[ledger]\ndatabase = "other.sqlite"\n`);
  expect(await cli("payout")).toMatchObject({
    code: 1,
    err: expect.stringContaining("the ledger's file cannot be opened"),
  });
});

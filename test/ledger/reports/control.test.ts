/** The reports over the control API, as `curl` gets them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../../src/app/config/load.ts";
import { difficultiesOf, requestOf, serverReports, textReports } from "../../../src/app/reports/server-reports.ts";
import { systemClock } from "../../../src/app/system.ts";
import { targetOfDifficulty } from "../../../src/bitcoin/target.ts";
import { diskFiles } from "../../../src/daemon/files.ts";
import { ControlServer } from "../../../src/host/control-server.ts";
import { REPORTS } from "../../../src/host/report-routes.ts";
import { migrate } from "../../../src/ledger/store/open.ts";
import { askSocket } from "../../support/chain-server.ts";
import { fileLedger, scratchFolder } from "../../support/ledger-files.ts";
import { addBlock, addCredits, addTransaction } from "../../support/ledger-rows.ts";
import { recordingLog } from "../../support/recording-log.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

async function api() {
  const folder = scratchFolder();
  writeFileSync(join(folder, "config.toml"), "[chains.namecoin]\nenabled = false\n");
  writeFileSync(join(folder, "token"), TOKEN);
  const refuse = async () => {
    throw new Error("not in this test");
  };
  const reports = serverReports({
    loaded: () => loadConfig(join(folder, "config.toml")),
    clock: systemClock,
    work: () => [],
    job: () => ({ bitcoinTarget: targetOfDifficulty(2) }),
  });
  const report = textReports(reports);
  const payoutAddresses = { payoutAddresses: refuse, setPayoutAddress: refuse, removePayoutAddress: refuse };
  const port = {
    ...payoutAddresses,
    status: refuse,
    plugins: refuse,
    enable: refuse,
    disable: refuse,
    restart: refuse,
    reload: refuse,
  };
  const server = new ControlServer(
    { log: recordingLog(), files: diskFiles, port: { ...port, chains: () => [], report } },
    { kind: "tcp", address: { host: "127.0.0.1", port: 0 }, tokenFile: join(folder, "token") },
  );
  await server.start(new AbortController().signal);
  onTestFinished(() => server.stop());
  const headers = { authorization: `Bearer ${TOKEN}` };
  // biome-ignore lint/suspicious/noExplicitAny: what came is compared as a whole.
  const get = (path: string) => askSocket<any>(server.address ?? "", "GET", path, { headers });
  const make = async () => {
    mkdirSync(join(folder, "data"));
    const store = fileLedger(join(folder, "data/ledger.sqlite"));
    await migrate(store, { lookOnly: false });
    return store;
  };
  return { get, make };
}

describe("reports over the control API", () => {
  test("before there is a ledger each says so", async () => {
    const { get } = await api();
    for (const { name } of REPORTS) {
      expect(await get(`/v1/${name}`)).toMatchObject({ status: 503, body: { error: { code: "report-no-ledger" } } });
    }
  });

  test("each answers with amounts in base units as text, and the coins that they are of, while the server has the ledger open", async () => {
    const { get, make } = await api();
    const { db } = await make();
    const now = Date.now();
    const amount = 2n ** 70n;
    const blockId = await addBlock(db, {
      state: "distributed",
      actual: amount,
      foundMs: now - 5000,
      finder: "a b&c=d",
    });
    await addTransaction(db, { kind: "distribution", blockId, amounts: { reward: -amount, "worker a b&c=d": amount } });
    await addCredits(db, [
      { startMs: now - 4000, endMs: now - 1000, worker: "a b&c=d", work: 4_295_000_000n, shares: 3 },
    ]);
    const coins = { bitcoin: { symbol: "BTC", decimals: 8 }, namecoin: { symbol: "NMC", decimals: 8 } };
    expect(await get("/v1/rewards?chain=namecoin")).toMatchObject({
      status: 200,
      body: { coins, chains: [{ chain: "namecoin", found: 1, workersOwed: String(amount) }] },
    });
    expect(await get(`/v1/rewards?worker=${encodeURIComponent("a b&c=d")}`)).toMatchObject({
      body: { workers: [{ chain: "namecoin", worker: "a b&c=d", owed: String(amount) }] },
    });
    expect(await get("/v1/rewards?workers=true&limit=1")).toMatchObject({ body: { workers: [{ worker: "a b&c=d" }] } });
    expect(await get("/v1/blocks?since=1h&limit=5")).toMatchObject({
      body: { coins, blocks: [{ actual: String(amount) }] },
    });
    expect(await get("/v1/blocks?block=namecoin-hash1")).toMatchObject({
      body: { histories: [{ splits: [{ parts: 2 }] }] },
    });
    expect(await get("/v1/workers")).toMatchObject({
      body: { total: 1, workers: [{ shares: 3, work: "4295000000" }] },
    });
    // The job's difficulty, not that of a block: 2 * 2^32 hashes and a little.
    const { body } = await get("/v1/effort");
    expect(body.chains[0]).toMatchObject({ chain: "bitcoin", difficulty: "8590065666", workSince: "4295000000" });
    expect(body.chains[0].effort).toBeCloseTo(0.5, 4);
  });

  test.each([
    ["/v1/rewards?chain=nmc", 404, "report-chain-unknown"],
    ["/v1/workers?pool=main", 404, "report-pool-unknown"],
    ["/v1/blocks?block=00", 404, "report-block-unknown"],
    ["/v1/blocks?limit=1001", 400, "report-query"],
    ["/v1/blocks?limit=-1", 400, "report-query"],
    ["/v1/blocks?limit=1e3", 400, "report-query"],
    ["/v1/blocks?state=won", 400, "report-query"],
    ["/v1/blocks?worker=a&worker=b", 400, "report-query"],
    ["/v1/effort?limit=5", 400, "report-query"],
    ["/v1/workers?accounts=yes", 400, "report-query"],
    ["/v1/rewards?since=tomorrow", 400, "report-query"],
    ["/v1/rewards/", 404, "control-request"],
  ])("%s is answered with %s", async (path, status, code) => {
    const { get, make } = await api();
    await make();
    expect(await get(path)).toMatchObject({ status, body: { error: { code } } });
  });
});

describe("what a server knows itself", () => {
  test("parameters become a request, and nothing else does", () => {
    expect(
      requestOf("workers", new URLSearchParams("chain=rsk&pool=main&since=7d&accounts=false&limit=7&after=3")),
    ).toMatchObject({
      chain: "rsk",
      pool: "main",
      since: "7d",
      accounts: false,
      limit: 7,
      after: 3,
      worker: undefined,
    });
  });

  test("difficulties come from the job and the chains' work; a tag without a target has none", () => {
    const at = (chain: string, difficulty: number) => ({ chain, work: { difficulty } });
    const work = [at("namecoin", 3), at("tag", Number.POSITIVE_INFINITY), { chain: "rsk", work: undefined }];
    const job = { bitcoinTarget: 2n ** 255n - 1n };
    expect(difficultiesOf(work as never, job)).toEqual(
      new Map([
        ["bitcoin", 2n],
        ["namecoin", 3n * 2n ** 32n],
      ]),
    );
    expect(difficultiesOf([], undefined).size).toBe(0);
  });
});

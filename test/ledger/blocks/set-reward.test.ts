/** A reward that no daemon tells, said by the operator. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runCli } from "../../../src/app/cli.ts";
import { loadConfig } from "../../../src/app/config/load.ts";
import { ledgerOf } from "../../../src/app/ledger-of.ts";
import { setReward } from "../../../src/ledger/blocks/set-reward.ts";
import { MAX_REWARD } from "../../../src/ledger/store/amount.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";
import { BooksWorld } from "../books/books-world.ts";

describe.each(LEDGERS)("on $name", ({ open }) => {
  test("is divided like any other, once, and has a line in the block's history", async () => {
    const world = new BooksWorld(await open());
    const id = await world.block({ actual: undefined, finder: "anna.1" });
    await world.distribution().pass();
    expect(world.steps).toEqual([]);
    const { transaction } = directAccess(world.store);
    const word = { chain: "namecoin", block: "hash 1", reward: 10n ** 20n + 1n, atMs: 50_000 };
    expect(await transaction((db) => setReward(db, word))).toEqual({ key: "namecoin:1", height: 1 });
    await world.distribution().pass();
    expect(world.steps).toMatchObject([{ step: "distribute", blockId: id, amount: 10n ** 20n + 1n, isDone: true }]);
    const events = await world.store.db.selectFrom("block_events").select(["state", "note"]).orderBy("id").execute();
    expect(events[0]).toEqual({ state: "mature", note: "the operator says that it pays 100000000000000000001" });
    await expect(transaction((db) => setReward(db, word))).rejects.toMatchObject({ code: "ledger-reward-known" });
  });

  test("is refused for a block that is not mature, whose chain told it, or that nobody knows", async () => {
    const world = new BooksWorld(await open());
    await world.block({ actual: undefined, state: "confirmed" });
    await world.block({ actual: 5n });
    const { transaction } = directAccess(world.store);
    const set = (block: string, chain = "namecoin") =>
      transaction((db) => setReward(db, { chain, block, reward: 1n, atMs: 1 }));
    await expect(set("namecoin:1")).rejects.toMatchObject({
      code: "ledger-reward-known",
      data: { state: "confirmed" },
    });
    await expect(set("namecoin:2")).rejects.toMatchObject({ code: "ledger-reward-known" });
    await expect(set("namecoin:3")).rejects.toMatchObject({ code: "report-block-unknown" });
    await expect(set("namecoin:1", "rsk")).rejects.toMatchObject({ code: "report-block-unknown" });
  });

  test("is refused when no coin pays as much", async () => {
    const world = new BooksWorld(await open());
    await world.block({ actual: undefined });
    const { transaction } = directAccess(world.store);
    const set = (reward: bigint) =>
      transaction((db) => setReward(db, { chain: "namecoin", block: "hash 1", reward, atMs: 1 }));
    await expect(set(MAX_REWARD + 1n)).rejects.toMatchObject({ code: "payout-amount" });
    expect(await set(MAX_REWARD)).toMatchObject({ height: 1 });
  });
});

test("the command takes coins, and says what is wrong with anything else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "set-reward-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "config.toml");
  writeFileSync(config, '[bitcoin]\nnetwork = "regtest"\n[stratum_v2]\ndata_dir = "."\n');
  const ledger = await ledgerOf(loadConfig(config), { create: true });
  onTestFinished(() => ledger.close());
  await ledger.run(async (db) => {
    const world = new BooksWorld({ kind: "sqlite", db, close: async () => {} });
    await world.block({ chain: "bitcoin", actual: undefined });
  });
  const cli = async (...words: string[]) => {
    const terminal = recordingTerminal();
    const code = await runCli(["ledger", "set-reward", ...words, "-c", config, "--chain", "bitcoin"], terminal);
    return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
  };
  expect(await cli("hash 1", "3.125.0")).toMatchObject({ code: 1, err: expect.stringContaining("3.125.0") });
  expect(await cli("hash 9", "3.125")).toMatchObject({ code: 1, err: expect.stringContaining("no block") });
  expect(await cli("hash 1", "3.125")).toEqual({
    code: 0,
    out: "bitcoin block 1 pays 3.12500000 BTC; the server divides it within seconds",
    err: "",
  });
  expect(await cli("hash 1", "3.125")).toMatchObject({ code: 1, err: expect.stringContaining("Only a mature block") });
});

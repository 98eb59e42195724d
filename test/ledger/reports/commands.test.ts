/** The commands as an operator types them, on a ledger in a file, with identities that try to harm who reads them. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli } from "../../../src/app/cli.ts";
import { EXIT } from "../../../src/app/exit-codes.ts";
import { migrate } from "../../../src/ledger/store/open.ts";
import type { LedgerDb } from "../../../src/ledger/store/schema.ts";
import { fileLedger, scratchFolder } from "../../support/ledger-files.ts";
import { addBlock, addCredits, addTransaction } from "../../support/ledger-rows.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";

const CONFIG = `[chains.namecoin]
enabled = false
[chains.rsk]
enabled = false
[chains.small]
plugin = "auxpow"
enabled = false
chain_id = 5
decimals = 2
[chains.broken]
plugin = "nowhere"
enabled = false
`;

/** A folder with a configuration and, with `fill`, a ledger. Returns how commands are run on it. */
async function pool(fill?: (db: LedgerDb) => Promise<void>) {
  const folder = scratchFolder();
  const config = join(folder, "config.toml");
  writeFileSync(config, CONFIG);
  const file = join(folder, "data", "ledger.sqlite");
  if (fill !== undefined) {
    mkdirSync(join(folder, "data"));
    const store = fileLedger(file);
    await migrate(store, { lookOnly: false });
    await fill(store.db);
    await store.close();
  }
  const run = async (...argv: string[]) => {
    const terminal = recordingTerminal();
    const code = await runCli([...argv, "-c", config], terminal);
    return { code, out: terminal.outLines, err: terminal.errLines };
  };
  return { folder, file, run };
}

const HOSTILE = [
  "\u001b]0;owned\u0007\u001b[2J",
  '=HYPERLINK("http://x","y")',
  "@SUM(A1),b",
  "+1\r\n-2",
  "\u202e\u200bgpj.exe",
  "\u009b31m",
  "😀 矿工".repeat(17).slice(0, 60),
  "x".repeat(255),
];
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come out.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/;

describe("without a ledger", () => {
  test.each(["rewards", "blocks", "workers", "effort", "ledger check"])(
    "%s says that there is none yet, and makes none",
    async (name) => {
      const { run, folder } = await pool();
      const { code, out, err } = await run(...name.split(" "));
      expect({ code, out }).toEqual({ code: EXIT.failed.code, out: [] });
      expect(err[0]).toContain("error: there is no ledger yet (file ");
      expect(err[1]).toContain("The server makes it at its first start");
      expect(readdirSync(folder)).toEqual(["config.toml"]);
    },
  );
});

describe("an empty ledger", () => {
  test.each([
    ["rewards", "nothing was found yet, and nobody is owed anything"],
    ["rewards --workers", "no worker has an account in the books yet, or none of that name"],
    ["blocks", "no block was found, or none that this was asked for"],
    ["workers", "no share came in this time, or none that this was asked for"],
    ["effort", "no share was credited yet"],
    ["ledger check", "ok      database: every page and index is whole"],
  ])("%s", async (words, line) => {
    const { run } = await pool(async () => undefined);
    const { code, out, err } = await run(...words.split(" "));
    expect({ code, err }).toEqual({ code: 0, err: [] });
    expect(out[0]).toBe(line);
  });

  test.each([
    [["rewards", "--chain", "nmc"], "no chain of that name|knows a chain of that name \\(chain nmc\\)"],
    [["blocks", "--since", "last week"], "a value that cannot be used \\(since last week\\)"],
    [["blocks", "--state", "won"], "a value that cannot be used \\(state won, states found submitting"],
    [["blocks", "--limit", "1001"], "a value that cannot be used \\(limit 1001"],
    [["workers", "--json", "--csv"], "cannot be used with"],
    [["workers", "--pool", "main"], "nobody has worked for a pool of that name \\(pool main\\)"],
    [["workers", "--pool", "main", "--chain", "bitcoin"], "cannot be used with"],
  ])("%j is a usage error that says what is wrong", async (argv, message) => {
    const { run } = await pool(async () => undefined);
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: EXIT.usage.code, out: [] });
    expect(err.join("\n")).toMatch(new RegExp(message));
  });

  test("a block that is not there is told as such", async () => {
    const { run } = await pool(async () => undefined);
    const { code, err } = await run("blocks", "00ff");
    expect(code).toBe(EXIT.failed.code);
    expect(err[0]).toBe("error: the ledger has no block with that key or hash (block 00ff)");
  });

  test("chains of the configuration are known, also those that nothing was found of", async () => {
    const { run } = await pool(async () => undefined);
    for (const chain of ["bitcoin", "namecoin", "broken"]) {
      expect((await run("rewards", "--chain", chain)).code, chain).toBe(0);
    }
  });
});

describe("a ledger of another version", () => {
  test("a newer one is refused with what to do", async () => {
    const { run } = await pool(async (db) => {
      const steps = db as unknown as import("kysely").Kysely<{ ledger_migration: { name: string; timestamp: string } }>;
      await steps.insertInto("ledger_migration").values({ name: "9999-later", timestamp: "2030" }).execute();
    });
    const { code, err } = await run("rewards");
    expect(code).toBe(EXIT.failed.code);
    expect(err.join("\n")).toMatch(
      /written by a newer version of this program \(steps 9999-later\)\n.*Run the version that wrote it/,
    );
  });
});

describe("a ledger that is no ledger, or damaged", () => {
  test("other bytes are said to be damaged; check ends with 3", async () => {
    const { run, file, folder } = await pool();
    mkdirSync(join(folder, "data"));
    writeFileSync(file, "this is not a database, and it is longer than a header of one would be ".repeat(50));
    const { code, err } = await run("blocks");
    expect(code).toBe(EXIT.failed.code);
    expect(err[0]).toContain("the ledger's database is damaged");
    const check = await run("ledger", "check", "--json");
    expect(check.code).toBe(EXIT.problems.code);
    expect(JSON.parse(check.out[0] ?? "")).toMatchObject({ ok: false, findings: [{ check: "database" }] });
  });

  test("rows that name rows which are not there, and a file that lost its end, are found by check", async () => {
    const { run, file } = await pool(async (db) => {
      const { sql } = await import("kysely");
      await sql`pragma foreign_keys = off`.execute(db);
      await db.insertInto("block_events").values({ block_id: 7777, at_ms: 1, state: "found", note: "" }).execute();
      for (let i = 1; i <= 300; i++) await addBlock(db, { height: i, note: "x".repeat(400) });
    });
    const lost = await run("ledger", "check");
    expect(lost.code).toBe(EXIT.problems.code);
    expect(lost.out.slice(0, 2)).toEqual([
      "failed  database",
      "        a row of block_events (1) names a row of blocks that is not there",
    ]);
    truncateSync(file, Math.floor(readFileSync(file).length / 2 / 4096) * 4096);
    const cut = await run("ledger", "check");
    expect(cut.code).toBe(EXIT.problems.code);
    expect(cut.out[0]).toBe("failed  database");
  });
});

describe("books", () => {
  const fill = (amount: bigint) => async (db: LedgerDb) => {
    const blockId = await addBlock(db, { state: "distributed", actual: 1000n });
    const amounts = { reward: -1000n, "worker a": amount };
    await addTransaction(db, { key: `distribution:${blockId}:1`, kind: "distribution", blockId, amounts });
  };

  test("that balance are said to; check ends with 0", async () => {
    const { run } = await pool(fill(1000n));
    const { code, out } = await run("ledger", "check");
    expect({ code, out }).toEqual({
      code: 0,
      out: [
        "ok      database: every page and index is whole",
        "ok      books: 1 transactions sum up to 0 and agree with 1 blocks",
      ],
    });
  });

  test("say of whom more was paid out than he is owed, and of the operator that he bore fees", async () => {
    const owing = (amounts: Readonly<Record<string, bigint>>) => async (db: LedgerDb) => {
      const all = Object.values(amounts).reduce((sum, one) => sum + one, 0n);
      await addTransaction(db, { key: "payout:1", kind: "payout", amounts: { ...amounts, payout: -all } });
    };
    const told = async (amounts: Readonly<Record<string, bigint>>) => {
      const { run } = await pool(owing(amounts));
      const { code, out } = await run("ledger", "check");
      expect(code).toBe(0);
      return out[1]?.replace(/^.*0 blocks/, "");
    };
    const fees = "; the operator's account is below 0 by fees of payouts, or what was taken back";
    const debts = "; 1 accounts owe what was paid out and taken back since";
    expect(await told({ operator: -5n })).toBe(fees);
    expect(await told({ "worker a": -5n })).toBe(debts);
    expect(await told({ "worker a": -5n, operator: -5n, "worker b": 5n })).toBe(debts + fees);
  });

  test("that do not are told with the transaction; check ends with 3", async () => {
    const { run } = await pool(fill(999n));
    const { code, out } = await run("ledger", "check", "--json");
    expect(code).toBe(EXIT.problems.code);
    const { ok, findings } = JSON.parse(out[0] ?? "");
    expect(ok).toBe(false);
    expect(findings[1]).toMatchObject({ check: "books" });
    expect(findings[1].flaws[0]).toBe("the postings of distribution:1:1 (namecoin) sum up to -1, not to 0");
  });
});

describe("identities of strangers", () => {
  async function hostile() {
    return await pool(async (db) => {
      const now = Date.now();
      await addCredits(
        db,
        HOSTILE.map((worker, i) => ({ startMs: now - 60_000, endMs: now - 1, worker, work: BigInt(10 ** (i + 6)) })),
      );
      const amounts = Object.fromEntries(HOSTILE.map((worker, i) => [`worker ${worker}`, BigInt(i + 1)]));
      const blockId = await addBlock(db, {
        finder: HOSTILE[0] ?? "",
        note: "\u001b[31mno",
        hash: "nmc",
        state: "mature",
      });
      await addTransaction(db, { kind: "distribution", blockId, amounts: { reward: -36n, ...amounts } });
      await db
        .insertInto("block_events")
        .values({ block_id: blockId, at_ms: 1, state: "found", note: "\u001b[2J" })
        .execute();
      for (const [i, finder] of HOSTILE.entries()) await addBlock(db, { height: i + 2, finder });
    });
  }

  test.each(["rewards", "rewards --workers", "blocks", "blocks nmc", "workers", "workers --accounts", "effort"])(
    "%s prints nothing unseen in any form, and JSON has every identity as it is",
    async (words) => {
      const { run } = await hostile();
      for (const form of [[], ["--json"], ["--csv"]]) {
        const { code, out, err } = await run(...words.split(" "), ...form);
        expect({ code, err }).toEqual({ code: 0, err: [] });
        const text = out.map((line) => line.replace(/\r$/, "")).join("");
        expect(text).not.toMatch(UNSEEN);
        expect(out.length).toBeGreaterThan(0);
        if (form[0] === "--json") JSON.parse(out.join("\n"));
        if (form[0] === "--csv") for (const line of out) expect(line).toMatch(/\r$/);
      }
    },
  );

  test("JSON gives back what miners called themselves; CSV runs none of it as a formula", async () => {
    const { run } = await hostile();
    const json = JSON.parse((await run("workers", "--json")).out.join(""));
    expect(json.workers.map(({ name }: { name: string }) => name)).toEqual([...HOSTILE].reverse());
    const { out } = await run("workers", "--csv");
    const first = out.slice(1).map((line) => line.split(",")[0]);
    expect(first.filter((cell) => /^"?[=+\-@]/.test(cell ?? ""))).toEqual([]);
    expect(first).toContain(`"'=HYPERLINK(""http://x""`);
    expect(first).toContain("'+1\\u{d}\\u{a}-2");
  });
});

describe("what people read", () => {
  const FOUND = Date.UTC(2026, 7, 30, 12);
  const fill = async (db: LedgerDb) => {
    const blockId = await addBlock(db, {
      chain: "rsk",
      height: 7,
      hash: "0xab",
      header: "00cd",
      finder: "farm.rig1",
      foundMs: FOUND,
      state: "distributed",
      uncle: true,
      expected: 3n * 10n ** 16n,
      actual: 29_999_999_999_999_999n,
    });
    await addBlock(db, {
      chain: "namecoin",
      height: 5,
      header: "00cd",
      foundMs: FOUND + 1000,
      state: "accepted",
      expected: 625_000_000n,
    });
    await addBlock(db, { chain: "small", height: 6, foundMs: FOUND + 2000, state: "mature", actual: 12_345n });
    await addBlock(db, { chain: "gone", height: 9, foundMs: FOUND + 3000, state: "mature", actual: 12_345n });
    await addTransaction(db, {
      chain: "rsk",
      kind: "distribution",
      blockId,
      atMs: FOUND + 5000,
      amounts: {
        reward: -29_999_999_999_999_999n,
        "worker farm.rig1": 29_699_999_999_999_999n,
        operator: 3n * 10n ** 14n,
      },
    });
  };

  test("rewards", async () => {
    const { run } = await pool(fill);
    const { out, err } = await run("rewards");
    expect(out).toEqual([
      "gone: 1 block found (1 mature)",
      "                   units",
      "  expected             0",
      "  mature           12345",
      "  owed to workers      0",
      "namecoin: 1 block found (1 accepted)",
      "                          NMC",
      "  expected         6.25000000",
      "  waiting          6.25000000",
      "  owed to workers  0.00000000",
      "rsk: 1 block found (1 distributed; taken as uncle: 1)",
      "                                      RBTC",
      "  expected            0.030000000000000000",
      "  distributed         0.029999999999999999",
      "  split               0.029999999999999999",
      "  earned by workers   0.029699999999999999",
      "  earned by operator  0.000300000000000000",
      "  owed to workers     0.029699999999999999",
      "  owed to operator    0.000300000000000000",
      "small: 1 block found (1 mature)",
      "                      AUX",
      "  expected           0.00",
      "  mature           123.45",
      "  owed to workers    0.00",
    ]);
    expect(err).toEqual([
      "gone: its plugin is not there, so its amounts are in base units, whatever its coin's decimals are",
    ]);
    const worker = await run("rewards", "--worker", "farm.rig1");
    expect(worker.out).toEqual([
      "chain  worker                        earned                       owed",
      "rsk    farm.rig1  0.029699999999999999 RBTC  0.029699999999999999 RBTC",
    ]);
    const { out: csv } = await run("rewards", "--chain", "small", "--csv");
    expect(csv.slice(0, 2)).toEqual(["chain,what,name,blocks,amount,unit\r", "small,blocks found,,1,,\r"]);
    expect(csv).toContain("small,mature,,,123.45,AUX\r");
    const json = JSON.parse((await run("rewards", "--chain", "rsk", "--json")).out[0] ?? "");
    expect(json.coins.rsk).toEqual({ symbol: "RBTC", decimals: 18 });
    expect(json.chains[0]).toMatchObject({
      chain: "rsk",
      split: "29999999999999999",
      workersOwed: "29699999999999999",
    });
  });

  test("blocks", async () => {
    const { run } = await pool(fill);
    const { out } = await run("blocks", "--chain", "rsk");
    expect(out).toEqual([
      "found (UTC)          chain  height  state                                  reward  finder     also won  block",
      "2026-08-30 12:00:00  rsk         7  distributed, uncle  0.029999999999999999 RBTC  farm.rig1  namecoin  0xab",
    ]);
    const page = await run("blocks", "--limit", "1");
    expect(page.out).toEqual([
      "found (UTC)          chain  height  state        reward  finder     block",
      "2026-08-30 12:00:03  gone        9  mature  12345 units  farm.rig1  gone-hash9",
      "older ones: --after 4",
    ]);
    expect((await run("blocks", "--limit", "1", "--after", "4")).out[1]).toContain("small");
    expect((await run("blocks", "0xab")).out).toEqual([
      "rsk 7: distributed (uncle)",
      "  key             rsk:0xab:00cd",
      "  block           0xab",
      "  Bitcoin header  00cd",
      "  also won        namecoin",
      "  finder          farm.rig1",
      "  reward          0.029999999999999999 RBTC",
      "  confirmations   0",
      "  2026-08-30 12:00:05  distribution, 3 parts:",
      "    account   name                           amount",
      "    reward               -0.029999999999999999 RBTC",
      "    worker    farm.rig1   0.029699999999999999 RBTC",
      "    operator              0.000300000000000000 RBTC",
    ]);
    expect((await run("blocks", "00cd")).out.filter((line) => /^\S/.test(line))).toEqual([
      "rsk 7: distributed (uncle)",
      "namecoin 5: accepted",
    ]);
  });

  test("workers and effort", async () => {
    const { run } = await pool(async (db) => {
      const now = Date.now();
      await addCredits(db, [
        { startMs: now - 7_200_000, endMs: now - 3_600_000, work: 6n * 10n ** 15n, shares: 60 },
        { startMs: now - 3_600_000, endMs: now - 60_000, work: 3n * 10n ** 15n, shares: 30, worker: "b" },
      ]);
      await addBlock(db, {
        foundMs: now - 3_600_000,
        state: "accepted",
        difficulty: 2n * 10n ** 15n,
        expected: 625_000_000n,
      });
      await addTransaction(db, { kind: "distribution", amounts: { reward: -5n, "worker b": 5n } });
    });
    const { out } = await run("workers");
    expect(out[0]).toMatch(/^name +shares +10 min +1 h +24 h +last share +owed$/);
    expect(out[1]).toMatch(/^farm\.rig1 +60 +- +- +69\.4 GH\/s +1 h 0 min ago$/);
    expect(out[2]).toMatch(/^b +30 +\d+ GH\/s +\d+ GH\/s +34\.7 GH\/s +1 min ago +0\.00000005 NMC$/);
    expect(out[3]).toMatch(/^2 with shares since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, those with most work first$/);
    const effort = await run("effort", "--chain", "namecoin");
    // 3 of 2 since the block; 6 of 2 before it: 4.5 expected, 1 found. e^-4.5 (1 + 4.5) = 6.11 %.
    expect(effort.out[0]).toMatch(/^namecoin: effort 150\.0 %, last block 1 h 0 min ago \(.* UTC\)$/);
    expect(effort.out.slice(1).map((line) => line.replace(/since \S+ \S+:/, "since:"))).toEqual([
      "  since: 1 found, 4.50 expected by work",
      "  luck 22.2 %, mean effort 450.0 %, the chance of so few or fewer is 6.11 %",
      "  reward: expected by work about 28.12500000 NMC, of blocks found 6.25000000 NMC, actual 0.00000000 NMC",
    ]);
  });

  test("who worked for which pool, for all forms and for one pool alone", async () => {
    const { run } = await pool(async (db) => {
      const slice = { startMs: Date.now() - 3_600_000, endMs: Date.now() - 60_000 };
      await addCredits(db, [
        { ...slice, worker: "a.1", work: 1_000_000n, shares: 10 },
        { ...slice, worker: "a.1", work: 2_000_000n, shares: 20, pool: "main" },
        { ...slice, worker: "a.1", work: 5_000_000n, shares: 50, pool: "spa\u001b[2Jre" },
        { ...slice, worker: "b", work: 500_000n, shares: 5 },
      ]);
    });
    const { out } = await run("workers");
    expect(out[0]).toMatch(/^name +shares +10 min +1 h +24 h +for pools +last share$/);
    expect(out[1]).toMatch(/^a\.1 +80 .* main 25\.0 %, spa\\u\{1b\}\[2Jre 62\.5 % +1 min ago$/);
    expect(out[2]).toMatch(/^b +5 +.* +1 min ago$/);
    expect(out[2]).not.toContain("%");
    const csv = (await run("workers", "--csv")).out.map((line) => line.split(",").slice(0, 5).join(","));
    expect(csv).toEqual([
      "name,workers,shares,work (hashes),of it for pools (hashes)",
      "a.1,1,80,8000000,7000000",
      "b,1,5,500000,0",
    ]);
    const one = JSON.parse((await run("workers", "--pool", "main", "--json")).out.join(""));
    expect(one).toMatchObject({
      total: 1,
      workers: [{ name: "a.1", work: "2000000", pools: [{ pool: "main", shares: 20, work: "2000000" }] }],
    });
    expect((await run("effort")).out[0]).toMatch(/^bitcoin: /);
    expect(JSON.parse((await run("effort", "--json")).out.join("")).chains[0]).toMatchObject({ workSince: "1500000" });
  });

  test("a ledger that may only be read is enough, beside a server or without one", async () => {
    const { run, file } = await pool(fill);
    chmodSync(file, 0o400);
    expect((await run("blocks", "--json")).code).toBe(0);
    chmodSync(file, 0o600);
    const server = fileLedger(file);
    await addBlock(server.db, { height: 77 });
    expect((await run("blocks", "--limit", "1000", "--csv")).out.some((line) => line.includes(",77,"))).toBe(true);
  });
});

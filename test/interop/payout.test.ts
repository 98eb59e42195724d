/**
 * `payout` on a real namecoind with its wallet (NAMECOIND, a binary): killed with -9 around every call that matters, run again, and what arrived is
 * asked of the daemon.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { migrate, sqliteStore } from "../../src/ledger/store/open.ts";
import { openSqlite } from "../../src/ledger/store/sqlite-session.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";
import { booksOf, owe } from "../support/payout-world.ts";
import { program } from "../support/program.ts";
import { type HoldingProxy, holdingProxy, NamecoinWallet } from "./namecoin-wallet.ts";

const binary = process.env.NAMECOIND;
if (binary === undefined) console.warn("SKIPPED: set NAMECOIND to pay out through a real wallet");

describe.skipIf(binary === undefined)("payout on namecoind", () => {
  let daemon: NamecoinWallet;
  let proxy: HoldingProxy;
  let poolAddress: string;

  beforeAll(async () => {
    daemon = await NamecoinWallet.start(binary as string);
    proxy = await holdingProxy(daemon.port);
    for (const wallet of ["pool", "payees", "poor"]) await daemon.call("", "createwallet", wallet);
    poolAddress = await daemon.address("pool");
    await daemon.mine(130, poolAddress);
  });

  afterAll(async () => {
    proxy?.close();
    await daemon?.remove();
  });

  /** A pool that owes three workers, each with a fresh address. */
  async function pool(options: { wallet?: string; keys?: string; owed?: Record<string, bigint> } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "payout-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const write = (port: number): void =>
      writeFileSync(
        join(folder, "config.toml"),
        `[stratum_v2]
data_dir = "."
[chains.namecoin]
payout = "${poolAddress}"
[rewards.namecoin]
wallet_url = "http://127.0.0.1:${port}"
wallet = "${options.wallet ?? "pool"}"
wallet_user = "user"
wallet_password = "password"
${options.keys ?? ""}
`,
      );
    write(proxy.port);
    const store = sqliteStore(async () =>
      openSqlite({ path: join(folder, "ledger.sqlite"), access: "share", create: true, busyMs: 5000 }),
    );
    await migrate(store, { lookOnly: false });
    onTestFinished(() => store.close());
    const ledger = storeAccess(store);
    const owed = options.owed ?? { "farm.1": 100_000_001n, alice: 250_000_000n, bob: 12_345_678n };
    await owe(ledger, "namecoin", owed);
    const command = (...args: string[]) =>
      program([...args, "-c", "config.toml", "--chain", "namecoin"], { cwd: folder });
    const done = async (...args: string[]) => {
      const running = command(...args);
      return { code: await running.ended, out: running.out.join("\n"), err: running.err.join("\n") };
    };
    const addresses: Record<string, string> = {};
    for (const payee of ["farm", "alice", "bob"]) {
      addresses[payee] = await daemon.address("payees");
      const { code, err } = await done("payout-address", "set", payee, addresses[payee]);
      expect(err).toBe("");
      expect(code).toBe(0);
    }
    const received = async () =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(addresses).map(async ([payee, address]) => [
            payee,
            (Number(await daemon.call("payees", "getreceivedbyaddress", address, 1)) as number).toFixed(8),
          ]),
        ),
      );
    const mine = async (blocks = 1) => await daemon.mine(blocks, poolAddress);
    return { folder, ledger, command, done, received, mine, addresses, books: () => booksOf(ledger, "namecoin") };
  }

  const ALL = { farm: "1.00000001", alice: "2.50000000", bob: "0.12345678" };
  const NONE = { farm: "0.00000000", alice: "0.00000000", bob: "0.00000000" };

  test("shows the plan, pays nothing without --execute, pays exactly and follows to six confirmations", async () => {
    const { done, received, mine, books } = await pool();
    const plan = await done("payout");
    expect(plan.code).toBe(0);
    expect(plan.out).toMatch(/pay\s+alice\s+2\.50000000 NMC/);
    expect(plan.out).toContain("namecoin: 3 payments of 3.62345679 NMC (362345679 base units), 0 accounts left out");
    expect(plan.err).toContain("nothing was paid");
    const asked = await done("payout", "--execute");
    expect(asked.code).toBe(2);
    expect(asked.err).toContain("give --yes");
    expect((await books()).all).toEqual([]);

    const paid = await done("payout", "--execute", "--yes");
    expect(paid.err).toMatch(/payout 1: sent as [0-9a-f]{64}/);
    expect(paid.code).toBe(0);
    expect((await done("payout", "--resume")).err).toMatch(/payout 1: waiting for a block\nnot final yet: 1\./);
    await mine();
    expect(await received()).toEqual(ALL);
    await mine(5);
    expect((await done("payout", "--resume")).err).toMatch(/payout 1: confirmed\nno payout is under way any more/);
    const { balances, sum, byKind, all } = await books();
    expect(sum).toBe(0n);
    expect(all).toMatchObject([{ state: "confirmed" }]);
    expect(byKind.payout).toBe(362_345_679n);
    expect(balances).toEqual({ operator: -(all[0]?.fee ?? 0n) });
    // The fee that the books have is the one that the wallet paid.
    const { fee } = (await daemon.call("pool", "gettransaction", all[0]?.txid)) as { fee: number };
    expect(BigInt(Math.round(fee * -1e8))).toBe(all[0]?.fee);
  });

  test.each([
    ["createrawtransaction", "before"],
    ["fundrawtransaction", "after"],
    ["signrawtransactionwithwallet", "before"],
    ["signrawtransactionwithwallet", "after"],
    ["testmempoolaccept", "after"],
    ["lockunspent", "before"],
    ["lockunspent", "after"],
    ["sendrawtransaction", "before"],
    ["sendrawtransaction", "after"],
  ] as const)("killed with -9 at %s (%s it has its effect) and run again, it pays once", async (method, when) => {
    const { command, done, received, mine, books } = await pool();
    const held = proxy.holdUp(method, when);
    const killed = command("payout", "--execute", "--yes");
    await held;
    killed.kill("SIGKILL");
    expect(await killed.ended).toBe(-1);
    expect((await books()).all).toHaveLength(1);
    const again = await done("payout", "--execute", "--yes");
    expect(again.code).toBe(0);
    await mine(6);
    expect((await done("payout", "--execute", "--yes")).err).toContain("nothing is to be paid");
    expect(await received()).toEqual(ALL);
    const { sum, underWay, byKind, all } = await books();
    expect({ sum, underWay, payout: byKind.payout }).toEqual({ sum: 0n, underWay: [], payout: 362_345_679n });
    expect(all.filter(({ state }) => state === "confirmed")).toHaveLength(1);
    expect(await daemon.call("pool", "listlockunspent")).toEqual([]);
  });

  test("two processes at once pay once", async () => {
    const { command, done, received, mine, books } = await pool();
    const both = [1, 2, 3].map(() => command("payout", "--execute", "--yes"));
    await Promise.all(both.map(({ ended }) => ended));
    await done("payout", "--execute", "--yes");
    await mine();
    expect(await received()).toEqual(ALL);
    const { sum, underWay, byKind } = await books();
    expect({ sum, underWay, payout: byKind.payout }).toEqual({ sum: 0n, underWay: [], payout: 362_345_679n });
  });

  test("workers bear the fee in equal parts", async () => {
    const { done, received, mine, books } = await pool({ keys: 'payout_fee_from = "workers"' });
    expect((await done("payout", "--execute", "--yes")).code).toBe(0);
    await mine();
    const { balances, byKind, all } = await books();
    const fee = all[0]?.fee ?? 0n;
    expect(fee > 0n).toBe(true);
    const got = Object.values(await received()).map((coins) => BigInt(String(coins).replace(".", "")));
    expect(got.reduce((sum, units) => sum + units, 0n)).toBe(362_345_679n - fee);
    expect(byKind).toMatchObject({ payout: 362_345_679n - fee, network_fee: fee });
    expect(balances).toEqual({});
  });

  test("an address of no chain costs its payee nothing and the others nothing", async () => {
    const { done, received, mine } = await pool({
      owed: { "farm.1": 100_000_001n, alice: 250_000_000n, bob: 12_345_678n, eve: 5_000_000n },
    });
    await done("payout-address", "set", "eve", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT9");
    const paid = await done("payout", "--execute", "--yes");
    expect(paid.out).toMatch(
      /address refused\s+eve\s+0\.05000000 NMC .* the daemon says that it is no address of its chain/,
    );
    expect(paid.code).toBe(0);
    await mine();
    expect(await received()).toEqual(ALL);
  });

  test("a locked wallet, too few coins and coins that are too young are said in words, and nothing is left under way", async () => {
    await daemon.call("", "createwallet", "safe", false, false, "passphrase");
    const locked = await pool({ wallet: "safe" });
    const refused = await locked.done("payout", "--execute", "--yes");
    expect(refused.err).toContain("the wallet is encrypted and locked");
    expect(refused.err).toContain("walletpassphrase");
    expect(refused.code).toBe(1);

    const poor = await pool({ wallet: "poor" });
    await daemon.mine(1, await daemon.address("poor"));
    const broke = await poor.done("payout", "--execute", "--yes");
    expect(broke.err).toMatch(
      /too few coins that can be spent now .*needed 3\.62345679 NMC and the fee, spendable 0\.00000000.* immature \d+\./,
    );
    expect(broke.code).toBe(1);

    const missing = await pool({ wallet: "nothere" });
    const none = await missing.done("payout", "--execute", "--yes");
    expect(none.err).toContain("the daemon has no such wallet open");
    for (const { books, received } of [locked, poor, missing]) {
      expect((await books()).underWay).toEqual([]);
      expect((await books()).byKind.payout).toBeUndefined();
      expect(await received()).toEqual(NONE);
    }
  });

  test("a payout whose coins were spent otherwise is cancelled once that is proven, and its payees are paid by the next one", async () => {
    const { command, done, received, mine, books } = await pool();
    const held = proxy.holdUp("sendrawtransaction", "before");
    const killed = command("payout", "--execute", "--yes");
    await held;
    killed.kill("SIGKILL");
    await killed.ended;
    const raw = (await books()).underWay[0]?.rawTransaction;
    const { vin } = (await daemon.call("", "decoderawtransaction", raw)) as { vin: { txid: string; vout: number }[] };
    expect((await done("payout", "--cancel", "1")).err).toContain("nothing proves");
    const inputs = vin.map(({ txid, vout }) => ({ txid, vout }));
    await daemon.call("pool", "lockunspent", true, inputs);
    const spent = await daemon.call("pool", "createrawtransaction", inputs, [{ [poolAddress]: "49.9" }]);
    const { hex } = (await daemon.call("pool", "signrawtransactionwithwallet", spent)) as { hex: string };
    await daemon.call("", "sendrawtransaction", hex, 0);
    await mine();
    const stuck = await done("payout", "--execute", "--yes");
    expect(stuck.err).toMatch(/coins of a signed payout were spent by another transaction .*spentBy [0-9a-f]{64}/);
    expect(stuck.code).toBe(1);
    expect((await done("payout", "--cancel", "1")).err).toMatch(/nothing proves .*confirmations 1, enough 6/);
    await mine(5);
    const cancelled = await done("payout", "--cancel", "1");
    expect(cancelled.out).toMatch(/payout 1: cancelled \(cancelled: [0-9a-f]{64} spent its coins\)/);
    expect((await books()).byKind).toMatchObject({ payout: 0n, network_fee: 0n, worker: 362_345_679n });
    expect((await done("payout", "--execute", "--yes")).code).toBe(0);
    await mine();
    expect(await received()).toEqual(ALL);
  });

  test("a payout that the operator sent again with another fee stays the payout", async () => {
    const { done, received, mine, books } = await pool();
    await done("payout", "--execute", "--yes");
    const before = (await books()).all[0];
    const bumped = (await daemon.call("pool", "bumpfee", before?.txid)) as { txid: string };
    await mine();
    expect((await done("payout", "--cancel", "1")).err).toContain("paid the same payees");
    await mine(5);
    expect((await done("payout", "--execute", "--yes")).err).toContain("nothing is to be paid");
    const { all, sum, balances } = await books();
    expect(all).toMatchObject([{ state: "confirmed", txid: bumped.txid }]);
    expect(all[0]?.fee).toBeGreaterThan(before?.fee ?? 0n);
    expect(balances).toEqual({ operator: -(all[0]?.fee ?? 0n) });
    expect(sum).toBe(0n);
    expect(await received()).toEqual(ALL);
  });

  test("a plan that was paid by hand is taken into the books once", async () => {
    const { folder, done, books } = await pool();
    expect((await done("payout", "--format", "json", "--out", "plan.json")).code).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")).total).toEqual({
      coins: "3.62345679",
      units: "362345679",
    });
    const marked = await done("payout", "--mark-paid", "plan.json", "--txid", "0xabc");
    expect(marked.out).toContain("3 accounts of namecoin marked as paid");
    const again = await done("payout", "--mark-paid", "plan.json", "--txid", "0xabc");
    expect(again.err).toContain("this plan was marked as paid before");
    expect(again.code).toBe(1);
    const { balances, byKind, sum } = await books();
    expect({ balances, payout: byKind.payout, sum }).toEqual({ balances: {}, payout: 362_345_679n, sum: 0n });
  });
});

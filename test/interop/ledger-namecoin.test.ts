/**
 * The ledger on a real namecoind (NAMECOIND, a binary): rewards from the find to the worker's wallet. What the daemon's own blocks pay is what
 * arrives, to the last unit, over a daemon that is killed with -9 and blocks that it takes back.
 */
import { describe, expect, test } from "vitest";
import { pause } from "../support/until.ts";
import { LedgerWorld, type RealBlock, SOMEBODY, type ToldBlock } from "./ledger-world.ts";

const binary = process.env.NAMECOIND;
if (binary === undefined) console.warn("SKIPPED: set NAMECOIND to follow rewards on a real Namecoin daemon");

/** Subsidies of regtest, which begin at 50 and are halved every 150 blocks: what is no multiple of this has fees in it. */
const SUBSIDY_STEP = 625_000_000n;

const sum = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((all, one) => all + one, 0n);
const rewardsOf = (blocks: readonly RealBlock[]) =>
  Object.fromEntries(blocks.map(({ hash, reward }) => [hash, reward]));
/** What the ledger says that blocks in these states pay. */
const paysOf = (blocks: readonly ToldBlock[], ...states: readonly string[]) =>
  Object.fromEntries(
    blocks
      .filter(({ state }) => states.includes(state))
      .map(({ blockHash, actual }) => [blockHash, actual === null ? undefined : BigInt(actual)]),
  );
const all = (blocks: readonly ToldBlock[], hashes: readonly RealBlock[], state: string): boolean =>
  hashes.every(({ hash }) => blocks.some((block) => block.blockHash === hash && block.state === state));

describe.skipIf(binary === undefined)("the ledger on namecoind", () => {
  test("a reward arrives at its workers as the daemon's coinbases paid it, over kills of the daemon and of the server", async () => {
    const pool = await LedgerWorld.open(
      binary as string,
      'scheme = "pplns"\nwindow = 1000\nfee_percent = 2.5\nmin_payment = "0.00001"',
    );
    const { daemon } = pool;
    const own = await daemon.address("payees");
    const identities = ["farm.a", "farm.b", "alice", `${own}.rig`];
    const miners = await pool.mine(identities);
    await pool.mined(3);
    for (let tries = 0; !(await pool.ours()).some(({ transactions }) => transactions > 1); tries++) {
      if (tries > 60) throw new Error("no block of ours took a transaction in");
      await daemon.call("pool", "sendtoaddress", SOMEBODY, 1);
      await pause(1000);
    }

    const before = await pool.ours();
    const height = Number(await daemon.call("", "getblockcount"));
    await daemon.kill();
    const answered = sum(miners.accepted().map(BigInt));
    await pause(2000);
    const whileAway = sum(miners.accepted().map(BigInt)) - answered;
    expect(whileAway > 0n).toBe(true);
    await daemon.restart(["pool", "payees"], height);
    expect((await pool.ours()).slice(0, before.length)).toEqual(before);
    await pool.mined(before.length + 3);
    await miners.stop();

    // One more of somebody else's: the last one of ours may be on its way.
    await pause(1000);
    await daemon.mine(1, SOMEBODY);
    const ours = await pool.ours();
    const confirmed = await pool.until("all are confirmed", (blocks) => all(blocks, ours, "confirmed"));
    expect(paysOf(confirmed, "confirmed")).toEqual(rewardsOf(ours));
    expect(ours.filter(({ reward }) => reward % SUBSIDY_STEP !== 0n).length).toBeGreaterThan(0);
    for (const { reward, transactions } of ours) expect(reward % SUBSIDY_STEP !== 0n).toBe(transactions > 1);
    expect(await pool.rewards()).toEqual(new Map());
    expect(await pool.done("payout", "--chain", "namecoin")).toContain("0 payments");

    // The ledger goes on where a killed server left it.
    expect(await pool.world.end("SIGKILL")).toBe(-1);
    await pool.world.start();
    // 100 confirmations make a coinbase mature: the oldest alone has them then.
    const depth =
      Number(await daemon.call("", "getblockcount")) - Math.min(...confirmed.map((each) => each.height)) + 1;
    await daemon.mine(99 - depth, SOMEBODY);
    await pause(3000);
    expect(paysOf(await pool.blocks(), "distributed", "mature")).toEqual({});
    await daemon.mine(1, SOMEBODY);
    const early = await pool.until("one is distributed", (blocks) =>
      blocks.some(({ state }) => state === "distributed"),
    );
    expect(Object.keys(paysOf(early, "distributed", "mature"))).toEqual([ours[0]?.hash]);
    await daemon.mine(20, SOMEBODY);
    const settled = await pool.until("all are distributed", (blocks) => all(blocks, ours, "distributed"));
    expect(paysOf(settled, "distributed")).toEqual(rewardsOf(ours));
    const others = settled.filter(({ state }) => state !== "distributed");
    expect(others.filter(({ state }) => !["stale", "orphaned", "rejected"].includes(state))).toEqual([]);

    for (const { hash } of ours) {
      const { states, books } = await pool.history(hash);
      expect(states.slice(0, 2)).toEqual(["found", "submitting"]);
      // A daemon that was killed with the answer on its lips calls the block stale after its start, and has it all the same.
      expect(["accepted", "stale"]).toContain(states[2]);
      // In between, one that makes its chain anew may not have it for a moment.
      expect(states.slice(-3)).toEqual(["confirmed", "mature", "distributed"]);
      expect(books).toEqual(["distribution"]);
    }

    const whole = sum(ours.map(({ reward }) => reward));
    const addresses = { farm: await daemon.address("payees"), alice: await daemon.address("payees") };
    const operator = await daemon.address("payees");
    for (const [payee, address] of Object.entries({ ...addresses, operator })) {
      await pool.done("payout-address", "set", payee, address, "--chain", "namecoin");
    }
    const owed = new Map<string, bigint>();
    for (const identity of identities) owed.set(identity, await pool.owed(identity));
    for (const [identity, amount] of owed) expect(amount > 0n, identity).toBe(true);
    const plan = JSON.parse(await pool.done("payout", "--chain", "namecoin", "--format", "json"));
    expect(BigInt(plan.total.units)).toBe(whole);
    expect(JSON.stringify(plan.payments)).toContain('"name":"commons"');

    await pool.done("payout", "--chain", "namecoin", "--execute", "--yes");
    await daemon.mine(1, SOMEBODY);
    const arrived = async () => ({
      farm: await pool.received(addresses.farm),
      alice: await pool.received(addresses.alice),
      own: await pool.received(own),
      operator: await pool.received(operator),
      commons: await pool.received(pool.commons),
    });
    const first = await arrived();
    expect(first).toMatchObject({
      farm: (owed.get("farm.a") ?? 0n) + (owed.get("farm.b") ?? 0n),
      alice: owed.get("alice"),
      own: owed.get(`${own}.rig`),
    });
    // Each block's 1 % and 2.5 %, give or take the unit that a largest remainder moves.
    expect(Math.abs(Number(first.commons - whole / 100n))).toBeLessThanOrEqual(ours.length);
    expect(Math.abs(Number(first.operator - (whole * 25n) / 1000n))).toBeLessThanOrEqual(ours.length);
    expect(sum(Object.values(first))).toBe(whole);

    const again = await pool.command("payout", "--chain", "namecoin", "--execute", "--yes");
    expect(again.err).toContain("nothing is to be paid");
    expect(again.code).toBe(0);
    await daemon.mine(6, SOMEBODY);
    expect((await pool.command("payout", "--chain", "namecoin", "--execute", "--yes")).err).toContain(
      "payout 1: confirmed",
    );
    await daemon.mine(1, SOMEBODY);
    expect(await arrived()).toEqual(first);
    for (const [identity, { paid, owed: left }] of await pool.rewards()) {
      expect([paid, left], identity).toEqual([owed.get(identity), 0n]);
    }
    expect(await pool.done("ledger", "check")).toMatch(/ok +books/);
    expect(await pool.world.end()).toBe(0);
    console.info(
      `${ours.length} blocks of ours paid ${whole} base units, ${ours.filter(({ transactions }) => transactions > 1).length} with fees; ` +
        `${others.length} others came too late; ${whileAway} shares were answered while the daemon was away; arrived: ${JSON.stringify(first, (_, value) => (typeof value === "bigint" ? String(value) : value))}`,
    );
  });

  test.each(["mature", "confirmed"] as const)(
    "blocks that the daemon takes back pay nobody, and pay again when they come back (distributed when %s)",
    async (distributeAt) => {
      const pool = await LedgerWorld.open(
        binary as string,
        `window = 1000\nmin_payment = "0.00001"\ndistribute_at = "${distributeAt}"`,
      );
      const { daemon } = pool;
      const miners = await pool.mine(["alice", "bob"]);
      await pool.mined(4);
      await miners.stop();
      await pause(1000);
      await daemon.mine(3, SOMEBODY);
      const ours = await pool.ours();
      await pool.until("all are confirmed", (blocks) => all(blocks, ours, "confirmed"));
      const [kept, ...lost] = ours as [RealBlock, ...RealBlock[]];
      const commons = (blocks: readonly RealBlock[]) => sum(blocks.map(({ reward }) => reward / 100n));
      const workers = async () => [...(await pool.rewards()).values()];
      const near = (amount: bigint, blocks: readonly RealBlock[]): void => {
        const whole = sum(blocks.map(({ reward }) => reward));
        expect(Math.abs(Number(amount - (whole - commons(blocks))))).toBeLessThanOrEqual(blocks.length);
      };
      // What is divided follows a moment after what the chain said.
      await pause(2000);
      if (distributeAt === "mature") expect(await workers()).toEqual([]);
      else near(sum((await workers()).map(({ owed }) => owed)), ours);
      const earned = await workers();

      await daemon.call("", "invalidateblock", lost[0]?.hash);
      await daemon.mine(2, SOMEBODY);
      expect(await pool.ours()).toEqual([kept]);
      const orphaned = await pool.until("they are orphaned", (blocks) => all(blocks, lost, "orphaned"));
      expect(Object.keys(paysOf(orphaned, "confirmed"))).toEqual([kept.hash]);
      if (distributeAt === "mature") expect(await workers()).toEqual([]);
      else {
        near(sum((await workers()).map(({ reversed }) => reversed)), lost);
        near(sum((await workers()).map(({ owed }) => owed)), [kept]);
      }
      expect(await pool.done("ledger", "check")).toMatch(/ok +books/);

      await daemon.call("", "reconsiderblock", lost[0]?.hash);
      expect(await pool.ours()).toEqual(ours);
      await pool.until("they are back", (blocks) => all(blocks, ours, "confirmed"));
      await pause(2000);
      expect((await workers()).map(({ owed }) => owed)).toEqual(earned.map(({ owed }) => owed));
      await daemon.mine(101, SOMEBODY);
      const settled = await pool.until("all are distributed", (blocks) => all(blocks, ours, "distributed"));
      expect(paysOf(settled, "distributed")).toEqual(rewardsOf(ours));
      near(sum((await workers()).map(({ owed }) => owed)), ours);
      for (const { hash } of lost) {
        const { states, books } = await pool.history(hash);
        expect(states.slice(3)).toEqual(["confirmed", "orphaned", "confirmed", "mature", "distributed"]);
        expect(books).toEqual(
          distributeAt === "mature" ? ["distribution"] : ["distribution", "reversal", "distribution"],
        );
      }
      expect(await pool.done("ledger", "check")).toMatch(/ok +books/);
    },
  );
});

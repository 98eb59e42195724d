/** Daemons of an AuxPoW chain over real sockets: failover, notices, the way of a submission, and what is left after the end. */
import { afterEach, expect, test } from "vitest";
import { plugin } from "../../plugins/namecoin/index.ts";
import { systemClock } from "../../src/app/system.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { RpcRefusal, RpcStage } from "../../src/kit/rpc-stage.ts";
import type { Host, Proof } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { NAMECOIN_ADDRESS, solve } from "../support/namecoin.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { pause, until } from "../support/until.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A namecoind with one template. */
async function daemon(n: number): Promise<RpcStage> {
  const hash = String(n).repeat(64);
  const stage = await RpcStage.open(
    {
      createauxblock: () => ({
        hash,
        chainid: 1,
        previousblockhash: "0".repeat(64),
        coinbasevalue: 5_000_000_000,
        bits: "207fffff",
        height: 100,
      }),
      submitauxblock: ([sent]) => {
        if (sent !== hash) throw new RpcRefusal(-8, "block hash unknown");
        return true;
      },
    },
    { login: { user: "pool", password: "a password" } },
  );
  ends.push(() => stage.close());
  return stage;
}

/** A host that keeps what it is told. */
function watchingHost() {
  const stop = new AbortController();
  const offers: (AuxWork | undefined)[] = [];
  const troubles: (string | undefined)[] = [];
  const host: Host = {
    chain: "namecoin",
    folder: "/",
    signal: stop.signal,
    log: silentLog,
    clock: systemClock,
    meter: { count() {}, gauge() {}, daemon() {} },
    offer: (work) => void offers.push(work),
    trouble: (sentence) => void troubles.push(sentence),
  };
  return { host, offers, troubles, stop };
}

/** A proof of which the daemon sees only the CAuxPow. */
function proofOf(work: AuxWork, auxpow: Uint8Array | undefined): Proof {
  return {
    work,
    header: new Uint8Array(80),
    headerHash: new Uint8Array(32),
    coinbase: new Uint8Array(80),
    merkleBranch: [],
    transactionCount: 1,
    auxpow,
  };
}

test("a chain outlives its preferred daemon, and its solution finds the way back to it", async () => {
  const [first, second] = [await daemon(1), await daemon(2)];
  const { host, offers, stop } = watchingHost();
  const login = { user: "pool", password: "a password" };
  const table = plugin.config.parse({
    payout: "N1",
    poll_s: 0.1,
    daemons: [
      { name: "first", url: first.url, ...login },
      { name: "second", url: second.url, ...login },
    ],
  });
  const chain = plugin.open(table, host);
  ends.push(() => chain.stop());
  await chain.start();
  await until("work of the first daemon", () => offers.at(-1)?.details.daemon === "first");
  const work = offers.at(-1) as AuxWork;

  await first.down();
  await until("work of the second daemon", () => offers.at(-1)?.details.daemon === "second");
  const proof = proofOf(work, Uint8Array.of(1, 2, 3));
  await expect(chain.submit(proof, stop.signal)).rejects.toThrow(/nothing listens/);

  await first.up();
  expect(await chain.submit(proof, stop.signal)).toEqual({ verdict: "accepted", reason: "" });
  expect(first.calls.at(-1)).toEqual({ method: "submitauxblock", params: ["1".repeat(64), "010203"] });

  await chain.stop();
  await until("all connections closed", () => first.connections + second.connections === 0);
});

test("namecoin on the embedded namecoind: a block by ZMQ, a solution, its confirmations, a reorganisation, a restart", async () => {
  const namecoind = new NamecoinDaemon(
    { clock: systemClock, random: seededRandom(7), log: silentLog },
    { zmqPort: 0, initialBlocks: 20 },
  );
  await namecoind.start(new AbortController().signal);
  ends.push(() => namecoind.stop());
  const { host, offers, troubles, stop } = watchingHost();
  const { url, user, password, zmqAddress: zmq_hashblock } = namecoind;
  const table = plugin.config.parse({
    payout: NAMECOIN_ADDRESS,
    network: "regtest",
    poll_s: 60,
    daemons: [{ name: "nmc", url, user, password, zmq_hashblock }],
  });
  const chain = plugin.open(table, host);
  ends.push(() => chain.stop());
  await chain.start();
  await until("work", () => offers.at(-1) !== undefined);
  await pause(200);
  const before = offers.at(-1) as AuxWork;

  namecoind.mineForeignBlock();
  await until(
    "work on the new block, long before the next poll",
    () => offers.at(-1)?.height === before.height + 1,
    3000,
  );

  const work = offers.at(-1) as AuxWork;
  const proof = proofOf(work, fromHex(solve(work.id)));
  expect(await chain.submit(proofOf(work, fromHex(solve(before.id))), stop.signal)).toMatchObject({
    verdict: "rejected",
  });
  expect(await chain.submit(proof, stop.signal)).toEqual({ verdict: "accepted", reason: "" });
  await until("work on our own block", () => offers.at(-1)?.parent === work.id, 3000);
  const block = { work, blockHash: work.id, height: work.height };
  namecoind.mineForeignBlock();
  expect(await chain.status(block, stop.signal)).toEqual({
    state: "confirmed",
    confirmations: 2,
    reward: 5_000_000_000n,
  });
  expect(await chain.submit(proof, stop.signal)).toMatchObject({ verdict: "duplicate" });
  expect(await chain.submit(proofOf(before, proof.auxpow), stop.signal)).toMatchObject({ verdict: "stale" });

  namecoind.reorg(2);
  expect(await chain.status(block, stop.signal)).toMatchObject({ state: "orphaned", confirmations: 0 });
  const lost = { work, blockHash: "11".repeat(32), height: work.height };
  expect(await chain.status(lost, stop.signal)).toMatchObject({ state: "unknown" });

  await namecoind.crash();
  await expect(chain.submit(proof, stop.signal)).rejects.toThrow();
  await namecoind.restart();
  await until("work after the restart", () => offers.at(-1) !== undefined && troubles.at(-1) === undefined, 5000);
});

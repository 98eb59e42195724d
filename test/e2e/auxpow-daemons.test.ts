/** Daemons of an AuxPoW chain over real sockets: failover, the way of a submission, and what is left after the end. */
import { afterEach, expect, test } from "vitest";
import { plugin } from "../../plugins/namecoin/index.ts";
import { systemClock } from "../../src/app/system.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { RpcRefusal, RpcStage } from "../../src/kit/rpc-stage.ts";
import type { Host, Proof } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { until } from "../support/until.ts";

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

test("a chain outlives its preferred daemon, and its solution finds the way back to it", async () => {
  const [first, second] = [await daemon(1), await daemon(2)];
  const stop = new AbortController();
  const offers: (AuxWork | undefined)[] = [];
  const host: Host = {
    chain: "namecoin",
    folder: "/",
    signal: stop.signal,
    log: silentLog,
    clock: systemClock,
    meter: { count() {}, gauge() {}, daemon() {} },
    offer: (work) => void offers.push(work),
    trouble() {},
  };
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
  const proof: Proof = {
    work,
    header: new Uint8Array(80),
    headerHash: new Uint8Array(32),
    coinbase: new Uint8Array(80),
    merkleBranch: [],
    transactionCount: 1,
    auxpow: Uint8Array.of(1, 2, 3),
  };
  await expect(chain.submit(proof, stop.signal)).rejects.toThrow(/nothing listens/);

  await first.up();
  expect(await chain.submit(proof, stop.signal)).toEqual({ verdict: "accepted", reason: "" });
  expect(first.calls.at(-1)).toEqual({ method: "submitauxblock", params: ["1".repeat(64), "010203"] });

  await chain.stop();
  await until("all connections closed", () => first.connections + second.connections === 0);
});

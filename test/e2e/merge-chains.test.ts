/** Chains come, go and change while miners mine; what was found for a chain that rests waits for it. */
import { expect, test } from "vitest";
import { toHex } from "../../src/kernel/bytes.ts";
import { BusyMiner, flagsOf } from "../support/busy-miner.ts";
import { bits, MergeWorld, namecoinTable, puppetTable, rskTable } from "../support/merge-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { pause, until } from "../support/until.ts";

const MAGIC = "fabe6d6d";
const RSK_MARK = "52534b424c4f434b3a";

/** The coinbase of the newest job as far as the server made it, hex. */
function coinbaseOf(miner: BusyMiner): string {
  const job = miner.newest;
  return job?.kind === "extended" ? toHex(job.fields.coinbaseTxPrefix) + toHex(job.fields.coinbaseTxSuffix) : "";
}

test("chains are disabled, enabled, added, changed and removed, by the control API and SIGHUP, and nobody is dropped", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(240);
  const rsk = await world.rsk(240);
  // Its tips make a job a second, so that every change is in a job soon.
  const clock = puppetTable("clock", { chain_id: 2, tip_ms: 200, target_bits: 200 });
  world.write(namecoinTable(namecoin), clock);
  await world.start();
  await world.mined("namecoin", "clock");
  const busy: BusyMiner[] = [];
  for (const kind of ["extended", "standard", "group", "extended"] as const) {
    busy.push(await BusyMiner.start(await world.miner(flagsOf(kind)), { kind, pauseMs: 5 }));
  }
  const [watched] = busy;
  if (watched === undefined) throw new Error("nobody mines");
  const id = (): string => namecoin.chain.tip.key;
  const commitsTo = (mark: string): boolean => coinbaseOf(watched).includes(mark);
  /** Leaves of the tree as the coinbase tells its size. */
  const treeSize = (): number => {
    const coinbase = coinbaseOf(watched);
    const at = coinbase.indexOf(MAGIC);
    return at < 0 ? 0 : Number.parseInt(coinbase.slice(at + 72, at + 74), 16);
  };
  expect(treeSize()).toBe(2);

  await world.ask("POST", "/v1/chains/namecoin/disable");
  await until("the job is without Namecoin", () => treeSize() === 1);
  expect((await world.chain("namecoin")).state).toBe("disabled");
  await world.ask("POST", "/v1/chains/namecoin/enable");
  await until("the job has Namecoin again", () => treeSize() === 2);
  expect((await world.chain("namecoin")).state).toBe("running");

  world.write(namecoinTable(namecoin), clock, rskTable(rsk));
  world.server.kill("SIGHUP");
  await until("the job has RSK", () => commitsTo(RSK_MARK));
  // One change of each kind in one go: RSK gone, Namecoin's table another, the clock untouched.
  const before = await world.chain("clock");
  world.write(namecoinTable(namecoin, "poll_s = 1"), clock);
  expect(await world.ask("POST", "/v1/reload")).toMatchObject({ added: [], removed: ["rsk"], changed: ["namecoin"] });
  await until("the job is without RSK and has Namecoin", () => !commitsTo(RSK_MARK) && treeSize() === 2);
  expect(await world.chain("clock")).toMatchObject({ sinceMs: before.sinceMs, restarts: 0 });
  // A file with a mistake changes nothing.
  world.write(namecoinTable(namecoin, "pol_s = 1"), clock);
  await expect(world.ask("POST", "/v1/reload")).rejects.toThrow(/did you mean .*poll_s/);
  world.server.kill("SIGHUP");
  await until(
    "the mistake is told",
    () => world.log().filter(({ msg }) => msg.includes("everything goes on as before")).length === 2,
  );
  expect((await world.chain("namecoin")).state).toBe("running");
  world.write(namecoinTable(namecoin, "poll_s = 1"), clock);
  // All at once, back and forth, while tips come.
  const tip = id();
  await Promise.all([
    ...Array.from({ length: 6 }, (_, i) =>
      world.ask("POST", `/v1/chains/namecoin/${["disable", "enable", "restart"][i % 3]}`),
    ),
    ...Array.from({ length: 3 }, () => world.ask("POST", "/v1/reload")),
  ]);
  namecoin.mineForeignBlock();
  expect(id()).not.toBe(tip);
  await world.ask("POST", "/v1/chains/namecoin/enable");
  await until("the job has Namecoin after all that", () => treeSize() === 2);
  await world.mined("namecoin");

  for (const miner of busy) await miner.mineOn(5);
  for (const miner of busy) await miner.stop();
  expect(busy.flatMap(({ refused }) => refused)).toEqual([]);
  for (const { prevHashes } of busy) expect(prevHashes).toBe(1);
  expect((await world.status()).connections).toBe(busy.length);
  expect(await world.end()).toBe(0);
});

test("what was found for a chain that rests is submitted when it is enabled again", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  world.write(namecoinTable(namecoin));
  await world.start();
  await world.mined("namecoin");
  const channel = await MockChannel.extended(await world.miner());
  const { height } = namecoin.chain.tip;
  namecoin.disturbances.set("submitauxblock", { kind: "http", status: 503, body: "Work queue depth exceeded" });
  channel.submit(channel.find({ atMost: bits(249) }));
  await channel.miner.next("SubmitSharesSuccess");
  await world.until("a submission failed", "namecoin", ({ mining }) => mining?.pending === 1);
  await until("it is told", () => world.log().some(({ msg }) => msg.includes("it has no answer yet")));
  await world.ask("POST", "/v1/chains/namecoin/disable");
  namecoin.disturbances.clear();
  // Long enough for what would have been the next attempts.
  await pause(1500);
  expect(namecoin.chain.tip.height).toBe(height);
  expect(await world.chain("namecoin")).toMatchObject({ state: "disabled", mining: { running: false, pending: 1 } });
  expect(world.auxFiles()).toMatchObject([{ chain: "namecoin", answer: null }]);
  await world.ask("POST", "/v1/chains/namecoin/enable");
  const { mining } = await world.until("it is answered", "namecoin", (chain) => chain.mining?.pending === 0);
  expect(mining?.answers).toMatchObject({ accepted: 1, rejected: 0, stale: 0, duplicate: 0, failed: 0 });
  expect(namecoin.chain.tip.height).toBe(height + 1);
  await until("the record is finished", () => world.auxFiles()[0]?.answer?.verdict === "accepted");
  expect(await world.end()).toBe(0);
});

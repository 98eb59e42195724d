/** The server is killed between a find and its answer: the next start submits it, and it counts once. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { bits, MergeWorld, namecoinTable, rskTable } from "../support/merge-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { pause, until } from "../support/until.ts";

const RSK_SUBMIT = "mnr_submitBitcoinBlockPartialMerkle";

test("after kill -9 with hung daemons, the next start submits both blocks, and the one after that neither", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  const rsk = await world.rsk(249);
  world.write(namecoinTable(namecoin), rskTable(rsk));
  await world.start();
  await world.mined("namecoin", "rsk");
  const channel = await MockChannel.extended(await world.miner());
  const before = { namecoin: namecoin.chain.tip.height, rsk: rsk.chain.tip.number };
  namecoin.disturbances.set("submitauxblock", { kind: "hang" });
  rsk.disturbances.set(RSK_SUBMIT, { kind: "hang" });
  channel.submit(channel.find({ atMost: bits(249) }));
  await channel.miner.next("SubmitSharesSuccess");
  await until("both are on disk", () => world.auxFiles().length === 2);
  await world.end("SIGKILL");
  expect(world.auxFiles()).toMatchObject([{ answer: null }, { answer: null }]);
  expect(namecoin.chain.tip.height).toBe(before.namecoin);

  namecoin.disturbances.clear();
  rsk.disturbances.clear();
  await world.start();
  const resumed = world.log().filter(({ msg }) => msg.includes("was found before the last stop and is submitted when"));
  expect(resumed).toHaveLength(2);
  for (const chain of ["namecoin", "rsk"]) {
    const { mining } = await world.until("it is accepted", chain, (each) => each.mining?.answers.accepted === 1);
    expect(mining).toMatchObject({ pending: 0, answers: { rejected: 0, stale: 0, duplicate: 0 } });
  }
  await until("both records are finished", () =>
    world.auxFiles().every(({ answer }) => answer?.verdict === "accepted"),
  );
  expect(world.auxFiles()).toHaveLength(2);
  expect(namecoin.chain.tip.height).toBe(before.namecoin + 1);
  expect(rsk.chain.tip.number).toBe(before.rsk + 1);

  await world.end("SIGKILL");
  await world.start();
  await world.mined("namecoin", "rsk");
  await pause(500);
  expect(world.log().some(({ msg }) => msg.includes("found before the last stop"))).toBe(false);
  expect(namecoin.chain.tip.height).toBe(before.namecoin + 1);
  expect(rsk.chain.tip.number).toBe(before.rsk + 1);
  expect(world.auxFiles()).toHaveLength(2);
  expect(await world.end()).toBe(0);
});

test("a block that its daemon took before the server was killed, its answer lost, counts once", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  world.write(namecoinTable(namecoin));
  await world.start();
  await world.mined("namecoin");
  const channel = await MockChannel.extended(await world.miner());
  const { height } = namecoin.chain.tip;
  namecoin.disturbances.set("submitauxblock", { kind: "hang" });
  channel.submit(channel.find({ atMost: bits(249) }));
  await until("it is on disk", () => world.auxFiles().length === 1);
  await world.end("SIGKILL");
  namecoin.disturbances.clear();
  // What the daemon would have done behind the answer that nobody got; the record holds all that it takes.
  const [record] = world.auxFiles();
  expect(await namecoin.call("submitauxblock", [record?.work.id, record?.proof.auxpow])).toBe(true);
  expect(namecoin.chain.tip.height).toBe(height + 1);
  namecoin.mineForeignBlock();

  await world.start();
  await until("it is settled", () => world.auxFiles().every(({ answer }) => answer !== null));
  expect(world.auxFiles()).toHaveLength(1);
  // namecoind says true to a block that it has, or forgot its work with the new tip: both are no second block.
  expect(["accepted", "duplicate"]).toContain(world.auxFiles()[0]?.answer?.verdict);
  expect(namecoin.chain.tip.height).toBe(height + 2);
  const { mining } = await world.chain("namecoin");
  const { accepted = 0, duplicate = 0 } = mining?.answers ?? {};
  expect(accepted + duplicate).toBe(1);
  expect(await world.end()).toBe(0);
});

test("a daemon that is down when a block is found, and only comes back after the server was killed, still gets it", async () => {
  const world = await MergeWorld.open();
  const rsk = await world.rsk(249);
  world.write(rskTable(rsk));
  await world.start();
  await world.mined("rsk");
  const channel = await MockChannel.extended(await world.miner());
  const share = channel.find({ atMost: bits(249) });
  await rsk.crash();
  channel.submit(share);
  await until("it is on disk", () => world.auxFiles().length === 1);
  await until("it is told", () => world.log().some(({ msg }) => msg.includes("it has no answer yet")));
  await world.end("SIGKILL");
  await world.start();
  await pause(500);
  expect(world.auxFiles()).toMatchObject([{ answer: null }]);
  await rsk.start(new AbortController().signal);
  await until("it is settled", () => world.auxFiles()[0]?.answer != null, 30_000);
  // A node that was started anew has lost its works, so this block cannot win any more; it must not be tried for ever.
  expect(["accepted", "stale"]).toContain(world.auxFiles()[0]?.answer?.verdict);
  expect(await world.end()).toBe(0);
});

test("an orderly stop waits for an answer that is on its way", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  world.write(namecoinTable(namecoin));
  await world.start();
  await world.mined("namecoin");
  const channel = await MockChannel.extended(await world.miner());
  const { height } = namecoin.chain.tip;
  namecoin.disturbances.set("submitauxblock", { kind: "delay", ms: 1500 });
  channel.submit(channel.find({ atMost: bits(249) }));
  await channel.miner.next("SubmitSharesSuccess");
  expect(await world.end("SIGTERM")).toBe(0);
  expect(namecoin.chain.tip.height).toBe(height + 1);
  expect(world.auxFiles()).toMatchObject([{ answer: { verdict: "accepted" } }]);
});

test("a disk that takes no records costs no block", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  world.write(namecoinTable(namecoin));
  mkdirSync(dirname(world.auxFolder), { recursive: true });
  writeFileSync(world.auxFolder, "this is no folder");
  await world.start();
  expect(
    world.log().some(({ level, msg }) => level === 50 && msg.includes("found aux blocks will not survive a crash")),
  ).toBe(true);
  await world.mined("namecoin");
  const channel = await MockChannel.extended(await world.miner());
  const { height } = namecoin.chain.tip;
  channel.submit(channel.find({ atMost: bits(249) }));
  await channel.miner.next("SubmitSharesSuccess");
  await until("the daemon has it", () => namecoin.chain.tip.height === height + 1);
  await world.until("its answer counts", "namecoin", ({ mining }) => mining?.answers.accepted === 1);
  expect(await world.end()).toBe(0);
});

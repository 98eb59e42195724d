/** What one share can win: all chains at once, an aux block though it is late or refused for Bitcoin, and nothing twice. */
import { describe, expect, test } from "vitest";
import { headerHash } from "../../src/bitcoin/header.ts";
import { equal, fromHex, toDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import { bits, MergeWorld, namecoinTable, rskTable } from "../support/merge-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { pause, until } from "../support/until.ts";

describe("one header", () => {
  test("wins a Bitcoin, a Namecoin and an RSK block, each written down before it is submitted", async () => {
    const world = await MergeWorld.open({ bitcoinBits: 242, channelBits: 250 });
    const namecoin = await world.namecoin(244);
    const rsk = await world.rsk(245, { wsPort: 0 });
    /** Names of records on disk in the moment in which a submission arrives. */
    const atArrival = new Map<string, readonly string[]>();
    for (const [method, { disturbances }] of [
      ["submitauxblock", namecoin],
      ["mnr_submitBitcoinBlockPartialMerkle", rsk],
    ] as const) {
      const take = disturbances.take.bind(disturbances);
      disturbances.take = (called) => {
        if (called === method) atArrival.set(method, world.auxNames());
        return take(called);
      };
    }
    world.write(namecoinTable(namecoin), rskTable(rsk));
    await world.start();
    await world.mined("namecoin", "rsk");
    const before = {
      bitcoin: world.node.chain.tip.height,
      namecoin: namecoin.chain.tip.height,
      rsk: rsk.chain.tip.number,
    };
    const channel = await MockChannel.extended(await world.miner());

    const share = channel.find({ atMost: bits(242) });
    channel.submit(share);
    await channel.miner.expect("SubmitSharesSuccess");

    const hash = headerHash(share.header);
    const shown = toDisplayHex(hash);
    await until("Bitcoin has the block", () => equal(world.node.chain.tip.hash, hash));
    await until("Namecoin has its block", () => namecoin.chain.tip.height === before.namecoin + 1);
    await until("RSK has its block", () => rsk.chain.tip.number === before.rsk + 1);
    expect(world.node.chain.tip.height).toBe(before.bitcoin + 1);
    // Both daemons judged the proof themselves and keep it: it holds the very header.
    expect(toHex(namecoin.chain.tip.auxpow ?? new Uint8Array(0))).toContain(toHex(share.header));
    await until("both records are finished", () => {
      const names = world.auxNames();
      return names.length === 2 && names.every((name) => name.endsWith(".done.json"));
    });
    const files = world.auxFiles();
    expect(files.map(({ chain, answer, proof }) => [chain, answer?.verdict, proof.headerHash]).sort()).toEqual([
      ["namecoin", "accepted", shown],
      ["rsk", "accepted", shown],
    ]);
    for (const { name, chain, proof } of files) {
      expect(equal(fromHex(proof.header), share.header)).toBe(true);
      const method = chain === "rsk" ? "mnr_submitBitcoinBlockPartialMerkle" : "submitauxblock";
      expect(atArrival.get(method)).toContain(name.replace(".done.json", ".json"));
    }
    const { blocks, chains } = await world.status();
    expect(blocks.found).toBe(1);
    for (const { mining } of chains)
      expect(mining).toMatchObject({ found: 1, pending: 0, answers: { accepted: 1, rejected: 0 } });
    expect(await world.end()).toBe(0);
  });
});

describe("an aux block is won by a share that", () => {
  /** Namecoin so easy that every second hash of these tests solves it. */
  async function open(channelBits: number, namecoinBits: number) {
    const world = await MergeWorld.open({ bitcoinBits: 238, channelBits });
    const namecoin = await world.namecoin(namecoinBits);
    world.write(namecoinTable(namecoin));
    await world.start();
    await world.mined("namecoin");
    const channel = await MockChannel.extended(await world.miner());
    const accepted = async (blocks: number): Promise<void> => {
      await world.until(
        `${blocks} blocks were accepted`,
        "namecoin",
        ({ mining }) => mining?.answers.accepted === blocks,
      );
    };
    return { world, namecoin, channel, accepted };
  }

  test("is late for Bitcoin, and a second time it wins nothing", async () => {
    const { world, namecoin, channel, accepted } = await open(250, 249);
    const share = channel.find({ atMost: bits(249), above: bits(240) });
    const { height } = namecoin.chain.tip;
    await world.node.generate(1);
    await channel.miner.next("SetNewPrevHash");
    channel.submit(share);
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({ errorCode: "stale-share" });
    await accepted(1);
    expect(namecoin.chain.tip.height).toBe(height + 1);
    expect(toHex(namecoin.chain.tip.auxpow ?? new Uint8Array(0))).toContain(toHex(share.header));
    channel.submit(share);
    await channel.miner.next("SubmitSharesError");
    await pause(200);
    const { mining } = await world.chain("namecoin");
    expect(mining).toMatchObject({ found: 1, answers: { accepted: 1, rejected: 0, stale: 0, duplicate: 0 } });
    expect(namecoin.chain.tip.height).toBe(height + 1);
    expect(world.auxNames()).toHaveLength(1);
  });

  test("misses its channel's target", async () => {
    const { namecoin, channel, accepted } = await open(246, 250);
    const { height } = namecoin.chain.tip;
    const share = channel.find({ atMost: bits(250), above: channel.target });
    channel.submit(share);
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({ errorCode: "difficulty-too-low" });
    await accepted(1);
    expect(namecoin.chain.tip.height).toBe(height + 1);
  });

  test("was accepted already when it is sent again: refused as a duplicate, the block counts once", async () => {
    const { world, namecoin, channel, accepted } = await open(250, 249);
    const { height } = namecoin.chain.tip;
    const share = channel.find({ atMost: bits(249), above: bits(240) });
    channel.submit(share);
    await channel.miner.next("SubmitSharesSuccess");
    channel.submit(share);
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({ errorCode: "duplicate-share" });
    await accepted(1);
    await pause(200);
    expect((await world.chain("namecoin")).mining).toMatchObject({ found: 1, answers: { accepted: 1 } });
    expect(namecoin.chain.tip.height).toBe(height + 1);
  });

  test("has a header time that Bitcoin will not have", async () => {
    const { namecoin, channel, accepted } = await open(250, 249);
    const { height } = namecoin.chain.tip;
    const share = channel.find({ atMost: bits(249), ntime: Math.floor(Date.now() / 1000) + 4 * 3600 });
    channel.submit(share);
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({ errorCode: "invalid-share" });
    await accepted(1);
    expect(namecoin.chain.tip.height).toBe(height + 1);
  });

  test("but not by one that rolled the AuxPoW flag, which is counted", async () => {
    const { world, namecoin, channel } = await open(250, 249);
    const { height } = namecoin.chain.tip;
    channel.submit(channel.find({ atMost: bits(249), version: channel.job.fields.version | 0x100 }));
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({
      errorCode: "invalid-non-rollable-version-bit",
    });
    await world.until("it was seen", "namecoin", ({ mining }) => mining?.found === 1);
    await pause(200);
    expect((await world.chain("namecoin")).mining).toMatchObject({ pending: 0, answers: { accepted: 0, rejected: 0 } });
    expect(namecoin.chain.tip.height).toBe(height);
    expect(
      world.log().some(({ msg }) => /a solution is worth nothing: its header version \w+ has bit 8 set/.test(msg)),
    ).toBe(true);
  });
});

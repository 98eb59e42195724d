import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../src/kernel/bytes.ts";
import type { Chain, Proof } from "../../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../../src/mining/aux.ts";
import { type AuxPowSettings, auxPowConfig } from "../../../../src/sdk/auxpow/config.ts";
import { openAuxPowChain } from "../../../../src/sdk/auxpow/driver.ts";
import { type AuxPowProfile, NAMECOIN_LIKE } from "../../../../src/sdk/auxpow/profile.ts";
import fourChains from "../../../vectors/one-header-four-chains.json" with { type: "json" };
import { hashOf, pass, settle } from "../../node/bitcoind/fakes.ts";
import { FakeDaemon, fakeHost, portsTo, Refusal } from "../fakes.ts";

const NAMECOIN: AuxPowProfile = { ...NAMECOIN_LIKE, name: "namecoin", chainId: 1 };
const ELASTOS: AuxPowProfile = {
  ...NAMECOIN,
  chainId: 1224,
  strictChainId: false,
  method: "named",
  heightOffset: 1,
  rewardOutput: 1,
  reversedHashes: true,
  vague: ["adding block failed"],
  networkCall: "getmininginfo",
  waits: false,
};

/** A namecoind with one tip, whose templates the test names. */
class FakeNamecoind extends FakeDaemon {
  height = 116;
  /** What createauxblock answers next: the hash's number and what it pays. */
  template: { n: number; value: number } = { n: 1, value: 5_000_000_000 };
  /** Hashes whose templates are in the cache. */
  readonly cache = new Set<string>();
  /** Hashes of solved blocks that it has. */
  readonly solved = new Set<string>();

  constructor() {
    super();
    this.table.createauxblock = () => {
      const hash = hashOf(this.template.n);
      this.cache.add(hash);
      return {
        hash,
        chainid: 1,
        previousblockhash: hashOf(`a${this.height - 1}`),
        coinbasevalue: this.template.value,
        bits: "207fffff",
        height: this.height,
      };
    };
    this.table.getauxblock = this.table.createauxblock;
    this.table.submitauxblock = ([hash]: [string]) => {
      if (!this.cache.has(hash)) throw new Refusal(-8, "block hash unknown");
      return true;
    };
    this.table.getblockchaininfo = () => ({ chain: "regtest" });
    this.table.getblockheader = ([hash]: [string]) => {
      if (!this.solved.has(hash)) throw new Refusal(-5, "Block not found");
      return { confirmations: 1, height: this.height };
    };
  }

  /** Another block, and a template on it. */
  newBlock(n: number): void {
    this.height += 1;
    this.template = { n, value: 5_000_000_000 };
    this.cache.clear();
  }

  /** The daemon was started anew. */
  restart(n: number): void {
    this.cache.clear();
    this.template = { n, value: 5_000_000_000 };
  }
}

/** A chain on daemons a, b, …, started. */
async function opened<D extends FakeDaemon>(
  daemons: readonly D[],
  options: { profile?: AuxPowProfile; table?: object; daemon?: object } = {},
) {
  const { profile = NAMECOIN, table = {}, daemon = {} } = options;
  const told = fakeHost();
  const names = daemons.map((_, i) => String.fromCharCode(97 + i));
  const { ports, sockets } = portsTo(Object.fromEntries(names.map((name, i) => [`${name}:1`, daemons[i] as D])));
  const settings = auxPowConfig(profile).parse({
    ...(profile.method === "getauxblock" ? {} : { payout: "N1" }),
    daemons: names.map((name) => ({ name, url: `http://${name}:1`, notice: "poll", ...daemon })),
    ...table,
  }) as AuxPowSettings;
  const chain = openAuxPowChain(profile, settings, told.host, ports);
  await chain.start();
  await settle();
  const latest = (): AuxWork | undefined => told.offers.at(-1);
  return { ...told, chain, sockets, latest, daemons };
}

function proofOf(work: AuxWork, auxpow = "00"): Proof {
  return {
    work,
    header: new Uint8Array(80),
    headerHash: new Uint8Array(32),
    coinbase: new Uint8Array(100),
    merkleBranch: [],
    transactionCount: 1,
    auxpow: fromHex(auxpow),
  };
}

const never = new AbortController().signal;
const submit = (chain: Chain, work: AuxWork | undefined, auxpow?: string) =>
  chain.submit(proofOf(work as AuxWork, auxpow), never);

describe("work", () => {
  test("is offered at once, again on each poll, and on the new tip after a block", async () => {
    const nmc = new FakeNamecoind();
    const { offers, latest, clock, chain, troubles } = await opened([nmc]);
    expect(nmc.last("createauxblock")).toEqual(["N1"]);
    expect(offers).toHaveLength(1);
    expect(latest()).toMatchObject({ id: hashOf(1), height: 116, details: { daemon: "a" } });
    await pass(clock, 4100, 100);
    expect(offers).toHaveLength(3);
    nmc.newBlock(2);
    await pass(clock, 2100, 100);
    expect(latest()).toMatchObject({ id: hashOf(2), height: 117 });
    expect(troubles.every((sentence) => sentence === undefined)).toBe(true);
    await chain.stop();
    expect([clock.pending, nmc.open, nmc.closed]).toEqual([0, 0, true]);
  });

  test("namecoind's flip-flop: the better template is returned once and kept until the tip changes", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, offers } = await opened([nmc]);
    // As measured: t61 the fresh one, then the old one again and again.
    nmc.template = { n: 2, value: 5_000_100_000 };
    await pass(clock, 2000, 100);
    expect(latest()?.id).toBe(hashOf(2));
    nmc.template = { n: 1, value: 5_000_000_000 };
    await pass(clock, 60_000, 500);
    expect(latest()).toMatchObject({ id: hashOf(2), value: 5_000_100_000n });
    nmc.template = { n: 3, value: 5_000_200_000 };
    await pass(clock, 2000, 100);
    nmc.template = { n: 1, value: 5_000_000_000 };
    await pass(clock, 2000, 100);
    expect(latest()?.id).toBe(hashOf(3));
    nmc.newBlock(4);
    await pass(clock, 2000, 100);
    expect(latest()?.id).toBe(hashOf(4));
    expect(offers).not.toContain(undefined);
    await chain.stop();
  });

  test("another tip at the same height has another parent: its template is taken, whatever it pays", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain } = await opened([nmc]);
    const { createauxblock } = nmc.table;
    nmc.table.createauxblock = () => ({ ...(createauxblock?.([] as never) as object), previousblockhash: hashOf("f") });
    nmc.template = { n: 2, value: 1 };
    await pass(clock, 2000, 100);
    expect(latest()).toMatchObject({ id: hashOf(2), parent: hashOf("f"), height: 116 });
    await chain.stop();
  });

  test("after a failure another daemon may answer at the same address: its network is checked again", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles } = await opened([nmc], { table: { network: "regtest" } });
    await pass(clock, 10_000, 500);
    expect(nmc.count("getblockchaininfo")).toBe(1);
    nmc.mood = { error: "ECONNREFUSED" };
    await pass(clock, 2100, 100);
    nmc.mood = "serve";
    nmc.table.getblockchaininfo = () => ({ chain: "main" });
    await pass(clock, 2100, 100);
    expect(latest()).toBeUndefined();
    expect(troubles.at(-1)).toContain("another network");
    await chain.stop();
  });

  test("a daemon that is downloading the chain is not asked for work: namecoind on regtest would hang for good", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles } = await opened([nmc]);
    nmc.mood = { error: "ECONNREFUSED" };
    await pass(clock, 2100, 100);
    nmc.mood = "serve";
    nmc.table.getblockchaininfo = () => ({ chain: "regtest", initialblockdownload: true });
    const asked = nmc.count("createauxblock");
    await pass(clock, 6000, 100);
    expect(nmc.count("createauxblock")).toBe(asked);
    expect(latest()).toBeUndefined();
    expect(troubles.at(-1)).toContain("still downloading the chain");
    nmc.table.getblockchaininfo = () => ({ chain: "regtest", initialblockdownload: false });
    await pass(clock, 2100, 100);
    expect(latest()).toMatchObject({ id: hashOf(1) });
    await chain.stop();
  });

  test("a daemon that was started anew has lost its templates: the better one is given up", async () => {
    const nmc = new FakeNamecoind();
    nmc.template = { n: 2, value: 5_000_100_000 };
    const { latest, clock, chain, offers } = await opened([nmc]);
    nmc.mood = { error: "ECONNREFUSED" };
    await pass(clock, 2100, 100);
    expect(latest()).toBeUndefined();
    expect(offers).toHaveLength(2);
    nmc.mood = "serve";
    nmc.restart(5);
    await pass(clock, 2100, 100);
    expect(latest()).toMatchObject({ id: hashOf(5), value: 5_000_000_000n });
    await chain.stop();
  });

  test("of another daemon, or of one that was started anew, is news though the parent is the same: the old one is withdrawn", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    b.template = { n: 7, value: 5_000_000_000 };
    const { clock, chain, offers } = await opened([a, b]);
    await pass(clock, 2100, 100);
    a.mood = { error: "ECONNREFUSED" };
    await pass(clock, 4100, 100);
    const ids = offers.map((work) => work?.id);
    expect(ids.slice(0, 5)).toEqual([hashOf(1), hashOf(1), undefined, hashOf(7), hashOf(7)]);
    await chain.stop();

    const nmc = new FakeNamecoind();
    let drop = (_: unknown): void => undefined;
    nmc.table.waitfornewblock = () => new Promise((_, reject) => (drop = reject));
    const waited = await opened([nmc], { daemon: { notice: "wait" }, table: { poll_s: 60 } });
    nmc.restart(5);
    drop(new Refusal(-9, "Shutting down"));
    await settle();
    expect(waited.offers.map((work) => work?.id)).toEqual([hashOf(1), undefined, hashOf(5)]);
    await waited.chain.stop();
  });

  test("and that it was is also seen by a solution that it does not know, when no poll failed between", async () => {
    const nmc = new FakeNamecoind();
    nmc.template = { n: 2, value: 5_000_100_000 };
    const { latest, clock, chain } = await opened([nmc]);
    const work = latest();
    nmc.restart(5);
    await pass(clock, 2100, 100);
    expect(latest()?.id).toBe(work?.id);
    expect(await submit(chain, work)).toMatchObject({ verdict: "stale" });
    await pass(clock, 2100, 100);
    expect(latest()).toMatchObject({ id: hashOf(5), value: 5_000_000_000n });
    await chain.stop();
  });

  test("a restart between two polls shows at the broken notice: the better template is given up at once", async () => {
    const nmc = new FakeNamecoind();
    nmc.template = { n: 2, value: 5_000_100_000 };
    let drop = (_: unknown): void => undefined;
    nmc.table.waitfornewblock = () => new Promise((_, reject) => (drop = reject));
    const { latest, chain } = await opened([nmc], { daemon: { notice: "wait" }, table: { poll_s: 60 } });
    expect(latest()?.id).toBe(hashOf(2));
    nmc.restart(5);
    drop(new Refusal(-9, "Shutting down"));
    await settle();
    expect(latest()).toMatchObject({ id: hashOf(5), value: 5_000_000_000n });
    await chain.stop();
  });

  test("a daemon that stays behind another is passed over until it has caught up, not at once", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    b.template = { n: 20, value: 1 };
    const { latest, clock, chain, said } = await opened([a, b]);
    expect(latest()?.details.daemon).toBe("a");
    // A block that reaches one some seconds before the other is no lag.
    b.newBlock(21);
    await pass(clock, 20_000, 500);
    expect(latest()).toMatchObject({ height: 116, details: { daemon: "a" } });
    a.newBlock(2);
    await pass(clock, 60_000, 500);
    expect(latest()).toMatchObject({ height: 117, details: { daemon: "a" } });
    expect(said("warn")).toEqual([]);
    // A lag that lasts is one.
    b.newBlock(22);
    await pass(clock, 45_000, 500);
    expect(latest()).toMatchObject({ height: 118, details: { daemon: "b" } });
    expect(said("warn")).toEqual([expect.stringMatching(/daemon a: .*another configured node .*height 117, best 118/)]);
    a.newBlock(3);
    await pass(clock, 60_000, 500);
    expect(latest()).toMatchObject({ height: 118, details: { daemon: "a" } });
    await chain.stop();
  });

  test("a daemon that is alone, or whose better one is gone, is never behind", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    b.newBlock(21);
    const { latest, clock, chain } = await opened([a, b]);
    await pass(clock, 12_000, 500);
    b.mood = { error: "ECONNREFUSED" };
    await pass(clock, 120_000, 1000);
    expect(latest()).toMatchObject({ height: 116, details: { daemon: "a" } });
    await chain.stop();
  });

  test("a daemon that stops, as a real namecoind does, has its work withdrawn at once however slow the polls", async () => {
    const nmc = new FakeNamecoind();
    let answer = (_: unknown): void => undefined;
    nmc.table.waitfornewblock = () => new Promise((resolve) => (answer = resolve));
    const { latest, chain } = await opened([nmc], { daemon: { notice: "wait" }, table: { poll_s: 60 } });
    // First its waiting calls are answered with the tip that there is, and all others with an empty 503; then nothing listens.
    nmc.mood = { status: 503, text: "" };
    answer({ hash: hashOf(1), height: 115 });
    await settle();
    expect(latest()).toBeUndefined();
    await chain.stop();
  });

  test("a daemon that is gone while it is waited for is asked at once", async () => {
    const nmc = new FakeNamecoind();
    let drop = (_: unknown): void => undefined;
    nmc.table.waitfornewblock = () => new Promise((_, reject) => (drop = reject));
    const { latest, chain, clock } = await opened([nmc], { daemon: { notice: "wait" }, table: { poll_s: 60 } });
    nmc.moods.set("createauxblock", { status: 503, text: "Work queue depth exceeded" });
    drop(new Refusal(-9, "Shutting down"));
    await settle();
    expect(latest()?.id).toBe(hashOf(1));
    nmc.mood = { error: "ECONNREFUSED" };
    nmc.moods.clear();
    await pass(clock, 1000, 100);
    expect(latest()).toBeUndefined();
    // Back again, it says nothing until the next block: that it can be waited for is the news.
    nmc.mood = "serve";
    nmc.restart(5);
    await pass(clock, 5000, 100);
    expect(latest()?.id).toBe(hashOf(5));
    await chain.stop();
    expect(clock.pending).toBe(0);
  });

  test("a hung createauxblock costs a deadline, one call at a time, and work stays until it expires", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles } = await opened([nmc]);
    nmc.moods.set("createauxblock", "hang");
    await pass(clock, 30_000, 500);
    expect(nmc.most.get("createauxblock")).toBe(1);
    expect(nmc.count("createauxblock")).toBeLessThan(5);
    expect(latest()?.id).toBe(hashOf(1));
    expect(troubles.at(-1)).toContain("did not answer in time");
    nmc.moods.clear();
    await pass(clock, 13_000, 500);
    expect(troubles.at(-1)).toBeUndefined();
    await chain.stop();
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["still synchronising", new Refusal(-10, "Namecoin is downloading blocks..."), /downloading the chain/],
    ["without peers", new Refusal(-9, "Namecoin is not connected!"), /no connection to any other node/],
    ["loading", new Refusal(-28, "Loading block index…"), /is starting/],
    [
      "a payout of another chain",
      new Refusal(-5, "Error: Invalid coinbase payout address"),
      /does not take payout .*Set payout/,
    ],
    ["below height 17", new Refusal(-1, "TestBlockValidity failed: bad-cb-length"), /bad-cb-length/],
    ["without the call", new Refusal(-32601, "Method not found"), /does not know the method/],
  ])("a daemon %s: the work is withdrawn and the reason told", async (_name, refusal, sentence) => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles, said } = await opened([nmc]);
    const { createauxblock } = nmc.table;
    nmc.table.createauxblock = () => {
      throw refusal;
    };
    await pass(clock, 20_000, 500);
    expect(latest()).toBeUndefined();
    expect(troubles.at(-1)).toMatch(sentence);
    expect(said("warn")).toHaveLength(1);
    nmc.table.createauxblock = createauxblock as never;
    await pass(clock, 2500, 100);
    expect([latest()?.id, troubles.at(-1)]).toEqual([hashOf(1), undefined]);
    await chain.stop();
  });

  test.each([
    ["a web page", { text: "<html>502</html>" }],
    ["half an answer", { text: '{"result":{"hash":"' }],
    ["nothing", { text: "" }],
    ["the answer to something else", { text: '{"result":{"nonsense":[null]},"error":null,"id":2}' }],
    ["a hash of another size", { text: '{"result":{"hash":"aa","chainid":1},"error":null,"id":2}' }],
    ["more than any answer has", { text: `{"result":"${"a".repeat(2 << 20)}","id":2}` }],
    ["null", { text: "null" }],
  ])("%s: no work comes of it", async (_name, answer) => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles } = await opened([nmc]);
    nmc.mood = answer;
    await pass(clock, 2100, 100);
    expect(latest()).toBeUndefined();
    expect(troubles.at(-1)).toMatch(/\. [A-Z]/);
    nmc.mood = "serve";
    await pass(clock, 2100, 100);
    expect(latest()?.id).toBe(hashOf(1));
    await chain.stop();
  });

  test("the chain ID must be the configured one, and the network where one is configured", async () => {
    const wrongId = await opened([new FakeNamecoind()], { table: { chain_id: 2 } });
    expect(wrongId.offers).toEqual([undefined]);
    expect(wrongId.troubles.at(-1)).toMatch(/another chain ID than is configured .*daemons 1, configured 2.*chain_id/);
    const wrongNetwork = await opened([new FakeNamecoind()], { table: { network: "main" } });
    expect(wrongNetwork.offers).toEqual([undefined]);
    expect(wrongNetwork.log.lines[0]?.fields.error).toMatchObject({ code: "aux-network-differs" });
    expect(wrongNetwork.troubles.at(-1)).toMatch(/another network .*network regtest, wanted main/);
    const right = await opened([new FakeNamecoind()], { table: { network: "regtest" } });
    expect(right.latest()?.id).toBe(hashOf(1));
    for (const { chain } of [wrongId, wrongNetwork, right]) await chain.stop();
  });

  test("a jump of the wall clock changes nothing", async () => {
    const nmc = new FakeNamecoind();
    const { latest, clock, chain, troubles } = await opened([nmc]);
    clock.jumpTo(0);
    await pass(clock, 4000, 100);
    clock.jumpTo(4_000_000_000_000);
    await pass(clock, 4000, 100);
    expect([latest()?.id, troubles.at(-1)]).toEqual([hashOf(1), undefined]);
    await chain.stop();
  });

  test("nothing is offered, and no timer is left, once the host's signal aborts", async () => {
    const nmc = new FakeNamecoind();
    nmc.moods.set("createauxblock", "hang");
    const { offers, clock, stop, troubles } = await opened([nmc], { daemon: { notice: "wait" } });
    stop.abort(new Error("isolated"));
    await settle();
    await pass(clock, 10_000, 500);
    expect([offers, troubles, clock.pending, nmc.open]).toEqual([[], [], 0, 0]);
  });

  test("a notice is followed by a poll at once", async () => {
    const nmc = new FakeNamecoind();
    let tell = (_: unknown): void => undefined;
    nmc.table.waitfornewblock = () => new Promise((resolve) => (tell = resolve));
    const { latest, chain } = await opened([nmc], { daemon: { notice: "wait" }, table: { poll_s: 60 } });
    nmc.newBlock(7);
    tell({ hash: hashOf(700), height: 117 });
    await settle();
    expect(latest()?.id).toBe(hashOf(7));
    await chain.stop();
  });
});

test("a payout that the daemon refuses is told as such, and a daemon that needs a wallet", async () => {
  const nmc = new FakeNamecoind();
  nmc.table.createauxblock = () => {
    throw new Refusal(-5, "Error: Invalid coinbase payout address");
  };
  const { chain, log, clock } = await opened([nmc]);
  expect(log.lines.at(-1)?.fields.error).toMatchObject({ code: "aux-payout-refused" });
  nmc.table.createauxblock = () => {
    throw new Refusal(-12, "Error: Keypool ran out, please call keypoolrefill first");
  };
  await pass(clock, 2100, 100);
  expect(log.lines.at(-1)?.fields.error).toMatchObject({ code: "aux-wallet" });
  await chain.stop();
});

describe("profiles", () => {
  test("getauxblock: no payout, both ways through one call", async () => {
    const trc = new FakeNamecoind();
    trc.table.getauxblock = (params: unknown[]) =>
      params.length === 0 ? trc.table.createauxblock?.(params as never) : trc.table.submitauxblock?.(params as never);
    const profile: AuxPowProfile = { ...NAMECOIN, method: "getauxblock" };
    const { latest, chain } = await opened([trc], { profile });
    expect(trc.last("getauxblock")).toEqual([]);
    expect(await submit(chain, latest(), "ab")).toMatchObject({ verdict: "accepted" });
    expect(trc.last("getauxblock")).toEqual([hashOf(1), "ab"]);
    await chain.stop();
  });

  test("a daemon that gives no tip is asked for it, before and after", async () => {
    const emc = new FakeNamecoind();
    let best = hashOf("b1");
    emc.table.createauxblock = () => ({
      hash: hashOf(9),
      chainid: 1,
      bits: "207fffff",
      target: `${"00".repeat(29)}ffff7f`,
    });
    emc.table.getbestblockhash = () => best;
    emc.table.getblockcount = () => 900;
    const { latest, clock, chain } = await opened([emc]);
    expect(latest()).toMatchObject({ parent: hashOf("b1"), height: 901, value: undefined });
    // A block between the calls: they are repeated.
    const before = emc.count("createauxblock");
    emc.table.getblockcount = () => {
      best = hashOf("b2");
      return 901;
    };
    await pass(clock, 2000, 100);
    expect(latest()).toMatchObject({ parent: hashOf("b2"), height: 902 });
    expect(emc.count("createauxblock") - before).toBe(2);
    await chain.stop();
  });

  test("a chain that is not merge-mined just now has no work, and no trouble for ten minutes", async () => {
    const fb = new FakeNamecoind();
    const profile: AuxPowProfile = { ...NAMECOIN, noWork: [-1] };
    const { latest, clock, chain, troubles, said, up } = await opened([fb], { profile });
    const { createauxblock } = fb.table;
    fb.table.createauxblock = () => {
      throw new Refusal(-1, "not a merge-mined height");
    };
    await pass(clock, 590_000, 10_000);
    expect([latest(), troubles.at(-1), said("warn"), up.get("a")]).toEqual([undefined, undefined, [], [true]]);
    await pass(clock, 30_000, 10_000);
    expect(troubles.at(-1)).toMatch(/no work to merge-mine for now .*not a merge-mined height/);
    fb.table.createauxblock = createauxblock as never;
    await pass(clock, 2100, 100);
    expect([latest()?.id, troubles.at(-1)]).toEqual([hashOf(1), undefined]);
    await chain.stop();
  });

  test("an extra output stands beside the leaf, and forbids its bytes elsewhere", async () => {
    const sys = new FakeNamecoind();
    const { createauxblock } = sys.table;
    const script = `6a27737973${"ab".repeat(36)}`;
    sys.table.createauxblock = () => ({ ...(createauxblock?.([] as never) as object), coinbasescript: script });
    const forbid = Uint8Array.of(0x73, 0x79, 0x73);
    const profile: AuxPowProfile = { ...NAMECOIN, extraOutput: { key: "coinbasescript", forbid } };
    const { latest, chain } = await opened([sys], { profile });
    const work = latest() as AuxWork;
    expect(chain.commit(work)).toEqual([
      { kind: "auxpow", chainId: 1, hash: work.hash, strictChainId: true },
      { kind: "output", script: fromHex(script), forbid },
    ]);
    // Work that was read from disk is as good.
    expect(chain.commit({ ...work, details: JSON.parse(JSON.stringify(work.details)) })).toHaveLength(2);
    await chain.stop();
  });

  test("chain ID and strictness may be those of another network", async () => {
    const { latest, chain } = await opened([new FakeNamecoind()], { table: { strict_chain_id: false } });
    expect(chain.commit(latest() as AuxWork)).toEqual([
      { kind: "auxpow", chainId: 1, hash: fromHex(hashOf(1)), strictChainId: false },
    ]);
    await chain.stop();
  });
});

describe("what four real daemons accepted", () => {
  const exchange = (daemon: string, method: string) => {
    const found = fourChains.exchanges.find((each) => each.daemon.startsWith(daemon) && each.request.method === method);
    const { request, response } = found as unknown as { request: { params: never }; response: { result: unknown } };
    return { params: request.params as unknown, result: response.result };
  };

  test("Namecoin: the same calls with the same parameters", async () => {
    const nmc = new FakeDaemon();
    const work = exchange("Namecoin", "createauxblock");
    const submission = exchange("Namecoin", "submitauxblock");
    nmc.table.createauxblock = () => work.result;
    nmc.table.submitauxblock = () => submission.result;
    const { chain, latest } = await opened([nmc], { table: { payout: (work.params as string[])[0] } });
    expect(nmc.last("createauxblock")).toEqual(work.params);
    const [, auxpow] = submission.params as [string, string];
    expect(await submit(chain, latest(), auxpow)).toEqual({ verdict: "accepted", reason: "" });
    expect(nmc.last("submitauxblock")).toEqual(submission.params);
    await chain.stop();
  });

  test("Elastos: the same calls with the same named parameters, and its block under the name of its other calls", async () => {
    const ela = new FakeDaemon();
    const work = exchange("Elastos", "createauxblock");
    const submission = exchange("Elastos", "submitauxblock");
    ela.table.createauxblock = () => work.result;
    ela.table.submitauxblock = () => submission.result;
    const { paytoaddress } = work.params as { paytoaddress: string };
    const { chain, latest } = await opened([ela], { profile: ELASTOS, table: { payout: paytoaddress } });
    expect(ela.last("createauxblock")).toEqual(work.params);
    const { auxpow, blockhash } = submission.params as { auxpow: string; blockhash: string };
    expect(await submit(chain, latest(), auxpow)).toEqual({
      verdict: "accepted",
      reason: "",
      blockHash: toHex(fromHex(blockhash).reverse()),
    });
    expect(ela.last("submitauxblock")).toEqual(submission.params);
    await chain.stop();
  });
});

describe("submissions", () => {
  test("the hash goes back byte for byte, even when the daemon printed it in upper case", async () => {
    const nmc = new FakeNamecoind();
    const { createauxblock } = nmc.table;
    nmc.table.createauxblock = () => ({ ...(createauxblock?.([] as never) as object), hash: "AB".repeat(32) });
    nmc.cache.add("AB".repeat(32));
    const { chain, latest } = await opened([nmc]);
    expect(await submit(chain, latest())).toMatchObject({ verdict: "accepted" });
    expect(nmc.last("submitauxblock")).toEqual(["AB".repeat(32), "00"]);
    await chain.stop();
  });

  test.each([
    [
      "stale",
      () => {
        throw new Refusal(-8, "block hash unknown");
      },
    ],
    ["rejected", () => false],
    [
      "rejected",
      () => {
        throw new Refusal(-1, "DataStream::read(): end of data: iostream error");
      },
    ],
  ])("one daemon's own word is final: %s", async (verdict, answer) => {
    const nmc = new FakeNamecoind();
    nmc.table.submitauxblock = answer;
    const { chain, latest } = await opened([nmc]);
    expect(await submit(chain, latest())).toMatchObject({ verdict });
    await chain.stop();
  });

  test.each([
    ["busy", { status: 503, text: "Work queue depth exceeded" }],
    ["gone", { error: "ECONNREFUSED" }],
    ["reset", { error: "ECONNRESET" }],
    ["nonsense", { text: "<html>" }],
    ["a number", { text: '{"result":1,"error":null,"id":2}' }],
  ])("%s is no word: it rejects, and is tried again", async (_name, mood) => {
    const nmc = new FakeNamecoind();
    nmc.moods.set("submitauxblock", mood);
    const { chain, latest } = await opened([nmc]);
    await expect(submit(chain, latest())).rejects.toThrow();
    nmc.moods.clear();
    expect(await submit(chain, latest())).toMatchObject({ verdict: "accepted" });
    await chain.stop();
  });

  test("gives up when its signal aborts, and after half a minute by itself", async () => {
    const nmc = new FakeNamecoind();
    nmc.moods.set("submitauxblock", "hang");
    const { chain, latest, clock } = await opened([nmc]);
    const deadline = new AbortController();
    const given = chain.submit(proofOf(latest() as AuxWork), deadline.signal).catch((error: unknown) => error);
    await settle();
    deadline.abort(new Error("too late"));
    expect(await given).toMatchObject({ message: "too late" });
    const left = submit(chain, latest()).catch((error: unknown) => error);
    await pass(clock, 30_100, 1000);
    expect(await left).toMatchObject({ code: "node-timeout" });
    await chain.stop();
  });

  test("goes to the daemon that made the work, wherever work comes from now", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    b.template = { n: 20, value: 1 };
    const { chain, latest, clock } = await opened([a, b]);
    const work = latest();
    a.mood = { error: "ECONNREFUSED" };
    await pass(clock, 2100, 100);
    expect(latest()).toMatchObject({ id: hashOf(20), details: { daemon: "b" } });
    // The maker is away: the other one's "unknown" is no final word.
    await expect(submit(chain, work)).rejects.toMatchObject({ code: "node-refused" });
    expect(b.last("submitauxblock")).toEqual([hashOf(1), "00"]);
    // It is back with its cache.
    a.mood = "serve";
    expect(await submit(chain, work)).toMatchObject({ verdict: "accepted" });
    // It is back without: its own "unknown" is final, whatever the other one is at.
    a.restart(30);
    b.mood = { error: "ECONNREFUSED" };
    expect(await submit(chain, work)).toMatchObject({ verdict: "stale" });
    await chain.stop();
  });

  test("a hash that the daemon forgot is no stale one when its block is there: the first answer was lost", async () => {
    const nmc = new FakeNamecoind();
    const { chain, latest } = await opened([nmc]);
    const work = latest() as AuxWork;
    nmc.solved.add(work.id);
    nmc.newBlock(2);
    expect(await submit(chain, work)).toEqual({ verdict: "duplicate", reason: "block hash unknown" });
    // A daemon that has no such call is taken at its word; one that falls silent just then has given none.
    nmc.moods.set("getblockheader", { error: "ECONNRESET" });
    await expect(submit(chain, work)).rejects.toMatchObject({ code: "node-disconnected" });
    nmc.moods.clear();
    // rpcwhitelist without the call.
    nmc.moods.set("getblockheader", { status: 403 });
    expect(await submit(chain, work)).toEqual({ verdict: "stale", reason: "block hash unknown" });
    nmc.moods.clear();
    delete nmc.table.getblockheader;
    expect(await submit(chain, work)).toEqual({ verdict: "stale", reason: "block hash unknown" });
    await chain.stop();
  });

  test("another daemon that has the template may take it while the maker is away", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    const { chain, latest } = await opened([a, b]);
    a.moods.set("submitauxblock", { error: "ECONNREFUSED" });
    b.cache.add(hashOf(1));
    expect(await submit(chain, latest())).toMatchObject({ verdict: "accepted" });
    await chain.stop();
  });

  test("work of a daemon that is configured no more is stale once every daemon said so", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    const { chain, latest } = await opened([a, b]);
    const work = { ...(latest() as AuxWork), id: hashOf(99), details: { daemon: "former" } };
    b.mood = { error: "ECONNREFUSED" };
    await expect(submit(chain, work)).rejects.toMatchObject({ code: "node-refused" });
    b.mood = "serve";
    expect(await submit(chain, work)).toMatchObject({ verdict: "stale" });
    await chain.stop();
  });

  test("a proof without CAuxPow is a mistake of the core", async () => {
    const { chain, latest } = await opened([new FakeNamecoind()]);
    const proof = { ...proofOf(latest() as AuxWork), auxpow: undefined };
    await expect(chain.submit(proof, never)).rejects.toThrow(TypeError);
    await chain.stop();
  });
});

describe("Elastos' one sentence for every refusal", () => {
  async function refusing(change: (ela: FakeDaemon, work: AuxWork) => void) {
    const ela = new FakeDaemon();
    const parent = "8a".repeat(31).concat("01");
    ela.table.createauxblock = () => ({
      chainid: 1224,
      height: 4,
      coinbasevalue: 1,
      bits: "207fffff",
      hash: hashOf(5),
      previousblockhash: parent,
    });
    ela.table.getbestblockhash = () => toHex(fromHex(parent).reverse());
    ela.table.submitauxblock = () => {
      throw new Refusal(45002, "adding block failed");
    };
    ela.table.getblock = () => {
      throw new Refusal(44003, "");
    };
    const { chain, latest } = await opened([ela], { profile: ELASTOS });
    change(ela, latest() as AuxWork);
    const outcome = await submit(chain, latest());
    await chain.stop();
    return { ...outcome, asked: ela.last("getblock") };
  }

  test("a block that it has is a duplicate", async () => {
    const outcome = await refusing((ela) => {
      ela.table.getblock = () => ({ confirmations: 1, height: 5 });
      ela.table.getblockhash = () => toHex(fromHex(hashOf(5)).reverse());
    });
    expect(outcome).toMatchObject({
      verdict: "duplicate",
      blockHash: toHex(fromHex(hashOf(5)).reverse()),
      asked: { blockhash: toHex(fromHex(hashOf(5)).reverse()), verbosity: 1 },
    });
  });

  test("another tip by now: stale; the same tip: rejected", async () => {
    expect(await refusing((ela) => (ela.table.getbestblockhash = () => hashOf(77)))).toMatchObject({
      verdict: "stale",
    });
    expect(await refusing(() => undefined)).toMatchObject({ verdict: "rejected", reason: "adding block failed" });
  });
});

describe("status", () => {
  const submitted = (work: AuxWork, blockHash = work.id) => ({ work, blockHash, height: work.height });

  function followed(nmc: FakeDaemon, confirmations: () => number): void {
    nmc.table.getblockheader = () => {
      if (Number.isNaN(confirmations())) throw new Refusal(-5, "Block not found");
      return { confirmations: confirmations(), height: 116 };
    };
    nmc.table.getblock = () => ({
      confirmations: confirmations(),
      tx: [{ vout: [{ value: 12.50001 }, { value: 0 }] }],
    });
  }

  test("confirmed, orphaned, confirmed again, mature after 100 blocks; the block itself is asked for once", async () => {
    const nmc = new FakeNamecoind();
    let confirmations = 1;
    followed(nmc, () => confirmations);
    const { chain, latest } = await opened([nmc]);
    const status = () => chain.status(submitted(latest() as AuxWork), never);
    const reward = 1_250_001_000n;
    expect(await status()).toEqual({ state: "confirmed", confirmations: 1, reward });
    confirmations = -1;
    expect(await status()).toEqual({ state: "orphaned", confirmations: 0, reward: undefined });
    confirmations = 99;
    expect(await status()).toEqual({ state: "confirmed", confirmations: 99, reward });
    confirmations = 100;
    expect(await status()).toEqual({ state: "mature", confirmations: 100, reward });
    confirmations = Number.NaN;
    expect(await status()).toEqual({ state: "unknown", confirmations: 0, reward: undefined });
    expect(nmc.count("getblock")).toBe(1);
    await chain.stop();
  });

  test("another daemon's better word counts; a missing one is no word", async () => {
    const [a, b] = [new FakeNamecoind(), new FakeNamecoind()];
    followed(a, () => -1);
    followed(b, () => 3);
    const { chain, latest } = await opened([a, b]);
    const status = () => chain.status(submitted(latest() as AuxWork), never);
    expect(await status()).toMatchObject({ state: "confirmed", confirmations: 3 });
    b.mood = { error: "ECONNREFUSED" };
    await expect(status()).rejects.toMatchObject({ code: "node-refused" });
    await chain.stop();
  });

  test("old daemons: no getblockheader, and txids only", async () => {
    const uno = new FakeNamecoind();
    delete uno.table.getblockheader;
    uno.table.getblock = (params: unknown[]) => {
      if (params.length > 1) throw new Refusal(-1, "JSON value is not a boolean as expected");
      return { confirmations: 2, height: 116, tx: [hashOf(500), hashOf(501)] };
    };
    uno.table.getrawtransaction = (params: unknown[]) => {
      if (params.length > 2) throw new Refusal(-1, 'getrawtransaction "txid" ( verbose )');
      return { txid: params[0], vout: [{ value: "0.001" }] };
    };
    const { chain, latest } = await opened([uno]);
    const block = submitted(latest() as AuxWork);
    expect(await chain.status(block, never)).toEqual({ state: "confirmed", confirmations: 2, reward: 100_000n });
    uno.table.getrawtransaction = () => {
      throw new Refusal(-5, "No such mempool or blockchain transaction");
    };
    const other = { ...block, blockHash: hashOf(3) };
    expect(await chain.status(other, never)).toEqual({ state: "confirmed", confirmations: 2, reward: undefined });
    await chain.stop();
  });

  test("Elastos counts every block's confirmations by height, so the height's own block decides", async () => {
    const ela = new FakeDaemon();
    let best = hashOf(5);
    ela.table.getblock = () => ({
      confirmations: 4,
      height: 5,
      tx: [{ vout: [{ value: "0.75342465" }, { value: "1.75799086" }, { value: "2.51141551" }] }],
    });
    ela.table.getblockhash = () => best;
    const { chain } = await opened([ela], { profile: ELASTOS, table: { maturity: 4 } });
    const work = { id: "x", height: 5 } as unknown as AuxWork;
    const status = () => chain.status({ work, blockHash: hashOf(5), height: 5 }, never);
    expect(await status()).toEqual({ state: "mature", confirmations: 4, reward: 175_799_086n });
    expect(ela.last("getblock")).toEqual({ blockhash: hashOf(5), verbosity: 2 });
    best = hashOf(6);
    expect(await status()).toEqual({ state: "orphaned", confirmations: 0, reward: undefined });
    await chain.stop();
  });
});

describe("configuration that cannot work", () => {
  const daemons = [{ url: "http://a:1" }];
  const refusal = (profile: AuxPowProfile, table: object): string =>
    (auxPowConfig(profile).safeParse({ daemons, ...table }).error?.issues ?? [])
      .map(({ path, message }) => `${path.join(".")}: ${message}`)
      .join("; ");

  test("a missing payout is named, with the remedy", () => {
    expect(refusal(NAMECOIN, {})).toBe(
      "payout: payout is missing: set it to an address of this chain, or its blocks pay nobody",
    );
    expect(refusal(NAMECOIN, { payout: " " })).toContain("payout is empty");
    expect(refusal(NAMECOIN, { payout: 5 })).toContain("payout must be an address in quotes");
    expect(refusal({ ...NAMECOIN, addressFlaw: () => "it is wrong" }, { payout: "x" })).toContain("it is wrong");
  });

  test("a payout that nobody would look at is refused", () => {
    const profile: AuxPowProfile = { ...NAMECOIN, method: "getauxblock" };
    expect(refusal(profile, { payout: "N1" })).toContain("payout has no effect with getauxblock");
    expect(refusal(profile, {})).toBe("");
  });

  test("open says the same to whoever skips the schema", () => {
    const { host } = fakeHost();
    const settings = { daemons: [], poll_s: 2 } as unknown as AuxPowSettings;
    expect(() => openAuxPowChain(NAMECOIN, settings, host)).toThrow(/payout is missing/);
  });

  test.each([[{ poll_s: 0 }], [{ chain_id: 65_536 }], [{ maturity: 0 }], [{ payuot: "x" }], [{ daemons: [] }]])(
    "%j is refused",
    (change) => {
      expect(refusal(NAMECOIN, { payout: "N1", ...change })).not.toBe("");
    },
  );
});

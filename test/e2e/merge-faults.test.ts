/**
 * Everything that can go wrong in a plugin or its daemon, one after the other in one server, beside a miner that never stops: it loses
 * no share, is never dropped, and its shares are answered as fast as without the fault. Measured, and printed.
 */
import { expect, test } from "vitest";
import { BusyMiner, median } from "../support/busy-miner.ts";
import { figure } from "../support/figure.ts";
import { MergeWorld, namecoinTable, puppetTable, type ToldChain } from "../support/merge-world.ts";
import { until } from "../support/until.ts";

/** Shares that are measured under each fault: most of a second of mining. */
const SHARES = 90;

/** Medians of answers on a machine that does other things too: this much above those without a fault counts as the same. */
const SAME = { factor: 3, ms: 5 };

/** Latencies under one fault, ms. */
interface Measured {
  readonly what: string;
  readonly medianMs: number;
  readonly maxMs: number;
}

/** The world with a busy miner, and what it measured. */
async function open() {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(249);
  const tables = (fault: string, more: Readonly<Record<string, number>> = {}) =>
    world.write(namecoinTable(namecoin, "poll_s = 0.5"), puppetTable("puppet", { fault, ...more }));
  tables("none");
  await world.start();
  await world.mined("namecoin", "puppet");
  const miner = await BusyMiner.start(await world.miner(), { kind: "extended", pauseMs: 3 });
  const all: Measured[] = [];
  const limitMs = (): number => {
    const base = all.filter(({ what }) => what === "no fault").map(({ medianMs }) => medianMs);
    return SAME.factor * Math.max(...base) + SAME.ms;
  };
  const measure = async (what: string): Promise<Measured> => {
    for (let attempt = 1; ; attempt++) {
      const latencies = await miner.measure(SHARES);
      const measured = { what, medianMs: median(latencies), maxMs: Math.max(...latencies) };
      // The machine may have been busy with something else; a fault that costs time costs it again.
      if (what !== "no fault" && measured.medianMs > limitMs() && attempt < 3) continue;
      all.push(measured);
      return measured;
    }
  };
  /** To be called last: compares with the phases without a fault, and ends everything. */
  const finish = async (): Promise<void> => {
    for (const { what, medianMs, maxMs } of all) {
      figure(`${what.padEnd(30)} median ${medianMs.toFixed(2)} ms, max ${maxMs.toFixed(1)} ms`);
    }
    expect(all.filter(({ medianMs }) => medianMs > limitMs())).toEqual([]);
    await miner.stop();
    expect(miner.refused).toEqual([]);
    expect(miner.prevHashes).toBe(1);
    const { connections, shares } = await world.status();
    expect({ connections, shares }).toEqual({ connections: 1, shares: { accepted: miner.accepted, rejected: 0 } });
    expect(world.log().filter(({ msg }) => msg.includes("This is a mistake in"))).toEqual([]);
    expect(await world.end()).toBe(0);
  };
  return { world, namecoin, miner, measure, finish, tables };
}

type Fault = readonly [fault: string, becomes: (chain: ToldChain) => boolean, more?: Readonly<Record<string, number>>];

const isolated = ({ state, restarts }: ToldChain): boolean => state === "isolated" || restarts > 0;
const running = ({ state }: ToldChain): boolean => state === "running";
const waiting = ({ state, mining }: ToldChain): boolean => state === "running" && (mining?.pending ?? 0) > 0;

test("a plugin may do what it likes: Bitcoin shares go on, as fast as without it", async () => {
  const { world, measure, finish, tables } = await open();
  const faults: Fault[] = [
    ["start hangs", ({ state }) => state === "starting"],
    ["commit throws", isolated],
    ["commit returns garbage", isolated],
    // It holds up the whole process, as documented: what is measured is that only shares of that moment wait.
    ["commit takes 200 ms", running, { tip_ms: 500 }],
    ["verify throws", isolated],
    ["submit hangs", waiting],
    ["submit throws", waiting],
    ["submit returns garbage", isolated],
    ["offers in a loop", running],
    ["withdraws and offers", running],
    ["offers garbage", isolated],
    ["forgets a rejection", isolated],
    ["throws in a timer", isolated],
    ["writes 100,000 log lines", running],
    ["has another trouble each time", running],
    ["turns the wall clock forward", running],
    ["turns the wall clock back", running],
  ];
  await measure("no fault");
  for (const [fault, becomes, more] of faults) {
    tables(fault, more);
    await world.ask("POST", "/v1/reload");
    const { maxMs } = await measure(fault);
    await world.until(`the fault shows: ${fault}`, "puppet", becomes);
    if (fault === "commit takes 200 ms") expect(maxMs).toBeGreaterThan(100);
    // The neighbour notices nothing.
    const neighbour = await world.chain("namecoin");
    expect(neighbour).toMatchObject({ state: "running", restarts: 0, mining: { inJob: true } });
  }
  tables("none");
  await world.ask("POST", "/v1/reload");
  await world.mined("puppet");
  // Solutions whose submission hung or threw were kept all along.
  await world.until("nothing waits any more", "puppet", ({ mining }) => mining?.pending === 0);
  await measure("no fault");
  await finish();
});

test("daemons may die, hang, crawl and talk nonsense, one or all of them", async () => {
  const { world, namecoin, measure, finish, tables } = await open();
  const { disturbances } = namecoin;
  const back = async (cut = false): Promise<void> => {
    disturbances.clear();
    // A call that hangs ends with its deadline, half a minute for a submission, or with its connection.
    if (cut) await namecoin.crash();
    if (!namecoin.isRunning) await namecoin.start(new AbortController().signal);
    const { mining } = await world.chain("namecoin");
    const accepted = mining?.answers.accepted ?? 0;
    await world.mined("namecoin");
    namecoin.mineForeignBlock();
    await world.until(
      "blocks are accepted again",
      "namecoin",
      (chain) => (chain.mining?.answers.accepted ?? 0) > accepted,
    );
    expect(await world.chain("namecoin")).toMatchObject({ state: "running", restarts: 0 });
  };
  await measure("no fault");
  await namecoin.crash();
  await measure("the daemon is gone");
  await world.until("its work is withdrawn", "namecoin", ({ mining }) => mining?.inJob === false);
  await back();
  for (const [what, set] of [
    ["the daemon hangs", () => disturbances.set("*", { kind: "hang" })],
    ["the daemon takes two seconds", () => disturbances.set("*", { kind: "delay", ms: 2000 })],
    ["the daemon sends 8 MB", () => disturbances.set("*", { kind: "http", status: 200, body: "x".repeat(8e6) })],
    ["the daemon sends a web page", () => disturbances.set("*", { kind: "http", status: 200, body: "<html>" })],
    ["the daemon cuts connections", () => disturbances.set("*", { kind: "reset" })],
    ["the daemon is loading", () => Object.assign(disturbances, { loading: "Loading block index…" })],
    [
      "submissions get an error",
      () => disturbances.set("submitauxblock", { kind: "error", code: -32603, message: "?" }),
    ],
  ] as const) {
    set();
    await measure(what);
    await back(what === "the daemon hangs");
  }
  // Both chains at once.
  tables("commit throws");
  await world.ask("POST", "/v1/reload");
  await namecoin.crash();
  await measure("both chains fail");
  await world.until("both are out", "namecoin", ({ mining }) => mining?.work == null);
  await until("the job is Bitcoin's alone", () => world.log().some(({ msg }) => msg.startsWith("puppet is isolated")));
  tables("none");
  await world.ask("POST", "/v1/reload");
  await back();
  await world.mined("puppet", "namecoin");
  await measure("no fault");
  await finish();
});

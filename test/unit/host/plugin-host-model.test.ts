/** Operators, reloads and failing plugins all at once, in any order: what runs in the end is what was wanted last, and once. */
import { expect, test } from "vitest";
import type { ChainPlugin } from "../../../src/merge/plugin.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { hostSettings, PLUGINS, pluginHost } from "../../support/plugin-host.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** What became of a chain that a plugin opened. */
interface Life {
  readonly chain: string;
  readonly signal: AbortSignal;
  starts: number;
  stops: number;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Moves time on until `work` has ended. */
async function through<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let ended = false;
  const watched = work.finally(() => {
    ended = true;
  });
  for (let i = 0; i < 3000 && !ended; i++) {
    clock.advance(500);
    await turn();
  }
  if (!ended) throw new Error("it does not come to an end");
  return await watched;
}

/** Chains of `plugin` are slow to start and stop, hang or fail by chance, and are remembered. */
function watch(plugin: ChainPlugin, clock: FakeClock, chance: (n: number) => number, lives: Life[]): void {
  const open = plugin.open.bind(plugin);
  const soon = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));
  Object.assign(plugin, {
    open: (...[config, host]: Parameters<ChainPlugin["open"]>) => {
      const life: Life = { chain: host.chain, signal: host.signal, starts: 0, stops: 0 };
      lives.push(life);
      const mood = chance(6);
      return {
        ...open(config, host),
        start: async () => {
          life.starts += 1;
          if (mood === 1) await soon(chance(3000));
          if (mood === 2) throw new Error("no such wallet");
        },
        stop: async () => {
          life.stops += 1;
          if (mood === 3) await soon(chance(9000));
          if (mood === 4) throw new Error("cannot stop");
        },
      };
    },
  });
}

test.each(Array.from({ length: 40 }, (_, i) => i + 1))("100 operations at once, seed %i", async (seed) => {
  const random = seededRandom(seed);
  const chance = (n: number): number => (random.bytes(1)[0] ?? 0) % n;
  const { host, clock, plugins, joined, meter } = pluginHost();
  const lives: Life[] = [];
  for (const plugin of plugins.values()) watch(plugin, clock, chance, lives);
  await host.apply(hostSettings({ name: "a", plugin: "fake" }, { name: "b", plugin: "other" }));
  await host.start(new AbortController().signal);

  const operations: Promise<unknown>[] = [];
  const name = (): string => ["a", "b", "c"][chance(3)] ?? "";
  for (let i = 0; i < 100; i++) {
    const kind = chance(7);
    if (kind === 0) operations.push(host.enable(name()));
    else if (kind === 1) operations.push(host.disable(name()));
    else if (kind === 2) operations.push(host.restart(name()));
    else if (kind === 3) {
      const chains = ["a", "b", "c"]
        .filter(() => chance(3) > 0)
        .map((each) => ({
          name: each,
          plugin: PLUGINS[chance(3)] ?? "",
          enabled: chance(4) > 0,
          table: chance(8) === 0 ? { unknown: 1 } : { payout: `p${chance(2)}` },
        }));
      operations.push(host.apply(hostSettings(...chains)));
    } else if (kind < 6) host.blame(name(), new Error("a forgotten catch"));
    else {
      clock.advance(chance(255) * 20);
      await turn();
    }
  }
  const ends = await through(clock, Promise.allSettled(operations));
  for (const end of ends) {
    if (end.status === "rejected") expect(["chain-unknown", "config-invalid"]).toContain(end.reason.code);
  }

  await through(clock, host.apply(hostSettings({ name: "a", plugin: "fake" }, { name: "c", plugin: "third" })));
  await through(clock, host.enable("a"));
  await through(clock, host.enable("c"));
  // Those whose mood it is to fail are started again until one of another mood comes.
  for (let i = 0; i < 400 && host.chains().some(({ state }) => state !== "running"); i++) {
    clock.advance(60_000);
    await turn();
  }
  expect(host.chains()).toMatchObject([
    { name: "a", plugin: "fake", state: "running" },
    { name: "c", plugin: "third", state: "running" },
  ]);
  expect([...joined.keys()].sort()).toEqual(["a", "c"]);
  expect(meter.byLabel("aux_chain_up")).toMatchObject({ a: 1, c: 1 });
  expect(
    lives
      .filter(({ signal }) => !signal.aborted)
      .map(({ chain }) => chain)
      .sort(),
  ).toEqual(["a", "c"]);
  expect(lives.filter(({ starts, stops }) => starts > 1 || stops > 1)).toEqual([]);

  await through(clock, host.stop());
  expect(joined.size).toBe(0);
  expect(lives.filter(({ signal, stops }) => !signal.aborted || stops !== 1)).toEqual([]);
  clock.advance(10_000);
  expect(clock.pending).toBe(0);
});

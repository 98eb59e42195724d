/** What plugins leave behind: promises that nobody awaits, timers that outlive their chain. */
import { describe, expect, test } from "vitest";
import { chainServer } from "../support/chain-server.ts";
import { steadily } from "../support/steady-miner.ts";
import { pause, until } from "../support/until.ts";

/** A plugin that begins `start` with these lines. */
const plugin = (start: string): string => `import { Daemons, daemonsOf, z } from "bllvm-stratum-v2/plugin";
export const plugin = {
  name: "fake",
  api: 1,
  coin: { symbol: "FAK", decimals: 8 },
  config: z.strictObject({}),
  open(config, host) {
    return {
      async start() {
        ${start}
      },
      async stop() {},
      commit: () => ({ kind: "output", script: new Uint8Array(2) }),
      async submit() { throw new Error("no daemon"); },
      async status() { throw new Error("no daemon"); },
    };
  },
};
`;

const FORGETS =
  plugin(`const daemons = new Daemons({ host, daemons: daemonsOf([{ url: "http://127.0.0.1:1" }], host) });
        setTimeout(() => void daemons.call("getwork", [], z.string()), 300);`);
const OUTLIVES = plugin(`setInterval(() => { if (host.signal.aborted) throw new Error("the chain is gone"); }, 20);`);

describe("what plugins leave behind", () => {
  test("a call of the SDK that nobody awaits, with the daemon away, drops no miner", async () => {
    const running = await chainServer({ chains: "[chains.fake]\n", sources: { fake: FORGETS } });
    const { accepted } = await steadily(await running.miner(), () =>
      until("it is told", () => running.log().some(({ msg }) => msg.includes("a rejection that nothing handled"))),
    );
    expect(accepted).toBeGreaterThan(0);
    expect(await running.stop()).toBe(0);
  });

  test("a timer that throws when its chain, the only one, was disabled drops no miner and fills no log", async () => {
    const running = await chainServer({ chains: "[chains.fake]\n", sources: { fake: OUTLIVES } });
    await running.until("fake", ({ state }) => state === "running");
    const { accepted } = await steadily(await running.miner(), async () => {
      await running.ask("POST", "/v1/chains/fake/disable");
      await pause(1500);
    });
    expect(accepted).toBeGreaterThan(0);
    expect(await running.chain("fake")).toMatchObject({ state: "disabled" });
    const told = running.log().filter(({ msg }) => msg.includes("the chain is gone"));
    expect(told.length).toBeGreaterThan(0);
    expect(await running.stop()).toBe(0);
  });
});

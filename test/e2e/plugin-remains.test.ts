/** What plugins leave behind: promises that nobody awaits, timers that outlive their chain. */
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { ChainFolder, chainServer } from "../support/chain-server.ts";
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
const THROWS = plugin(`setInterval(() => { throw new Error("nobody listens"); }, 200);`);
const STAYS = plugin("setInterval(() => {}, 1000);");

/** A folder whose only plugin is `source`; nothing listens where its node is to be. */
function folderWith(source: string): ChainFolder {
  const folder = new ChainFolder([]);
  folder.plugin("fake", { source });
  return folder;
}

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

  test("a timer does not keep a server that cannot start from ending", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : 0;
    const running = await chainServer({ chains: "[chains.fake]\n", sources: { fake: STAYS } });
    const { folder } = running;
    // A data folder of its own: the first server's ledger would end it before its plugin has a timer.
    folder.write("[chains.fake]\n[control]\nenabled = false\n", 'data_dir = "second"\n');
    const second = folder.run("start", "--listen", `127.0.0.1:${port}`);
    const code = await Promise.race([second.ended, pause(15_000).then(() => "it lives on")]);
    expect(second.err.join("\n")).toContain("EADDRINUSE");
    expect(code).not.toBe("it lives on");
    expect(code).not.toBe(0);
    taken.close();
    expect(await running.stop()).toBe(0);
  });

  test("a timer does not keep `doctor` from ending", async () => {
    const folder = folderWith(STAYS);
    folder.write("[chains.fake]\n");
    const doctor = folder.run("doctor");
    expect(await Promise.race([doctor.ended, pause(25_000).then(() => "it lives on")])).not.toBe("it lives on");
  });

  test("what a plugin leaves behind is told by `doctor` as its chain's trouble, and ends no look at the others", async () => {
    const folder = new ChainFolder(["good"]);
    folder.plugin("fake", { source: THROWS });
    folder.plugin("forgets", { source: FORGETS.replace('"fake"', '"forgets"') });
    folder.write("[chains.fake]\n[chains.forgets]\n[chains.good]\n");
    const doctor = folder.run("doctor", "--json");
    expect(await doctor.ended).toBe(1);
    const { findings } = JSON.parse(await doctor.line((line) => line.startsWith("{")));
    expect(findings.filter(({ check }: { check: string }) => check.startsWith("chain "))).toMatchObject([
      { check: "chain fake", result: "failed", detail: expect.stringContaining("nobody listens") },
      { check: "chain forgets", result: "failed" },
      { check: "chain good", result: "ok" },
    ]);
  });
});

/** A day of a node: what it tells is heard once, and nothing grows. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { clientWorld, hashOf } from "../../../../support/bllvm-client.ts";

const HOUR_MS = 3_600_000;
/** Events of a day: blocks every ten minutes, templates every half minute. */
const BLOCK_MS = 600_000;
const TEMPLATE_MS = 30_000;

test("hears 144 blocks and 2,880 templates of a day with a new connection each hour, each once, and grows by nothing", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const { client, clock, script, start, passServed, peers, states, log, meter } = clientWorld({}, 5);
  const heard = { NewBlock: 0, BlockTemplateUpdated: 0, ChainTipUpdated: 0 };
  for (const name of ["NewBlock", "BlockTemplateUpdated", "ChainTipUpdated"] as const) {
    client.on(name, () => {
      heard[name] += 1;
    });
  }
  client.serve({
    methods: ["get_pool_stats"],
    apiVersion: 1,
    cli: { name: "stratum-v2", about: "a pool", subcommands: [] },
    handler: async () => ({ type: "error", error: "no" }),
  });
  await start();
  await passServed(1_000);
  const tell = (name: "NewBlock" | "BlockTemplateUpdated", n: number): void => {
    const height = BigInt(script.tip.height);
    const message =
      name === "NewBlock"
        ? ({
            type: "Event",
            eventType: name,
            event: { name, value: { blockHash: script.tip.blockHash, height } },
          } as const)
        : ({
            type: "Event",
            eventType: name,
            event: { name, value: { prevHash: script.tip.blockHash, height, txCount: BigInt(n) } },
          } as const);
    // Every tenth comes twice, as with two subscriptions.
    peers.at(-1)?.say(message);
    if (n % 10 === 0) peers.at(-1)?.say(message);
  };
  const heapAfter: number[] = [];
  const timers: number[] = [];
  let blocks = 0;
  let templates = 0;
  for (let hour = 0; hour < 24; hour++) {
    for (let ms = 0; ms < HOUR_MS; ms += TEMPLATE_MS) {
      if (ms % BLOCK_MS === 0) {
        blocks += 1;
        script.tip = { blockHash: hashOf(1_000 + blocks), height: 100 + blocks };
        tell("NewBlock", blocks);
      }
      templates += 1;
      tell("BlockTemplateUpdated", templates);
      for (let part = 0; part < 3; part++) {
        clock.advance(TEMPLATE_MS / 3 - 100);
        await passServed(100);
      }
    }
    peers.at(-1)?.close();
    await passServed(1_500);
    expect(client.state().phase).toBe("up");
    // What the test itself keeps is not the client's.
    peers.splice(0, peers.length - 1);
    peers[0]?.messages.splice(0);
    peers[0]?.writes.splice(0);
    states.splice(0);
    log.lines.splice(0);
    timers.push(clock.pending);
    gc();
    heapAfter.push(process.memoryUsage().heapUsed);
  }
  expect({ blocks, templates }).toEqual({ blocks: 144, templates: 2_880 });
  expect(heard).toEqual({ NewBlock: 144, BlockTemplateUpdated: 2_880, ChainTipUpdated: 145 });
  expect(meter.sums.get("bllvm_connections_total{why=node}")).toBe(24);
  expect(client.state().unusable).toEqual([]);
  expect(Math.max(...timers)).toBeLessThanOrEqual(4);
  const grown = (heapAfter.at(-1) ?? 0) - (heapAfter[4] ?? 0);
  expect(grown).toBeLessThan(500_000);
  await client.stop();
  expect(clock.pending).toBe(0);
}, 60_000);

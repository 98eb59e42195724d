/** The composed server in pool mode with own templates as last resort: what it mines, and what it says of its chains meanwhile. */
import { expect, test } from "vitest";
import { TOKENS } from "../../src/app/tokens.ts";
import { printServerUrl } from "../../src/client/url.ts";
import { BusyMiner } from "../support/busy-miner.ts";
import { composedServer } from "../support/composed-server.ts";
import { RoughProxy } from "../support/rough-proxy.ts";
import { AUTHORITY_PUBLIC_KEY, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

test("auxiliary chains rest while a pool is mined for, and are mined with own templates while none works", async () => {
  const pool = await startServer({ mining: { ackBatchSize: 1 } });
  const proxy = await RoughProxy.start(pool.address);
  const [host = "", port] = proxy.address.split(":");
  const address = { transport: "tcp", host, port: Number(port), noise: true, authorityPublicKey: AUTHORITY_PUBLIC_KEY };
  const url = printServerUrl({ ...address, transport: "tcp" });
  const server = await composedServer({
    pools: [{ name: "main", url }],
    upstream: { user: "farm", fallback: "solo", failback_s: 0 },
  });
  const { container } = server.running;
  const status = container.resolve(TOKENS.status);
  const announced: number[] = [];
  container.resolve(TOKENS.bus).on("MiningJobCreated", ({ jobId }) => announced.push(jobId));
  await until("the pool is mined for", () => status().job?.pool === "main");
  // Own templates with all chains are ready beside it, and nobody hears of them.
  await server.ready("namecoin", "rsk");
  const before = status();
  expect(before.upstream?.miningFor).toBe("main");
  expect(before.job?.chains).toEqual([]);
  expect(before.chains.map(({ name, state, mining }) => [name, state, mining?.inJob, mining?.dropped])).toEqual([
    ["namecoin", "running", false, "the coinbase is that of pool main"],
    ["rsk", "running", false, "the coinbase is that of pool main"],
  ]);
  expect(announced.length).toBeLessThanOrEqual(1);
  const words = server.log.map(({ message }) => message);
  expect(words).toContain("namecoin, rsk rest while a pool is mined for, and are mined with own templates");

  const busy = await BusyMiner.start(await server.miner(), { kind: "extended", userIdentity: "farm.rig" });
  await busy.mineOn(5);
  const height = server.node.chain.tip.height;
  proxy.kill();
  await until("own templates are mined", () => status().upstream?.miningFor === "solo");
  await until("all chains are in the job", () => status().job?.chains.length === 2);
  expect(status().chains.map(({ mining }) => mining?.inJob)).toEqual([true, true]);
  await until("a block of ours is in the chain", () => server.node.chain.tip.height > height, 20_000);
  await until(
    "its aux blocks, too",
    () => status().chains.every(({ mining }) => (mining?.answers.accepted ?? 0) > 0),
    20_000,
  );

  proxy.recover();
  await until("the pool is mined for again", () => status().job?.pool === "main", 20_000);
  await busy.mineOn(5);
  await busy.stop();
  expect(busy.refused.filter((code) => code !== "stale-share")).toEqual([]);
}, 60_000);

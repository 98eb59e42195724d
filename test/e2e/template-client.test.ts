/** Templates of a provider, over a real socket with Noise: jobs of them are mined, solutions go to the provider and, whole, to the nodes. */
import { describe, expect, test } from "vitest";
import { TOKENS } from "../../src/app/tokens.ts";
import { TemplateProvider } from "../interop/foreign/template-provider.ts";
import { composedServer, devnetDaemons } from "../support/composed-server.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { until } from "../support/until.ts";

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

async function world(changes: Parameters<typeof composedServer>[0] = {}) {
  const daemons = await devnetDaemons();
  const provider = await TemplateProvider.start(daemons.node);
  const url = `stratum2+tcp://${provider.address}/${provider.authorityPublicKey}`;
  const server = await composedServer({ template_providers: [{ name: "tp", url }], ...changes }, daemons);
  const sources = server.running.container.resolve(TOKENS.jobSource);
  return { ...server, provider, source: () => sources.current()?.source, url };
}

describe("a server with a template provider", () => {
  test("mines its templates with the commitments of its chains, and its block is accepted by way of both", async () => {
    const { provider, source, ready, node, namecoin, rsk, log, ...server } = await world();
    await ready("namecoin", "rsk");
    expect(source()).toBe("tp");
    const [{ coinbaseOutputMaxAdditionalSize: bytes } = { coinbaseOutputMaxAdditionalSize: 0 }] = provider.constraints;
    expect(bytes).toBeGreaterThanOrEqual(31 + 50);
    const before = [node.chain.tip.height, namecoin.chain.tip.height, rsk.chain.tip.number];
    const miner = await server.miner();
    const channel = await MockChannel.extended(miner);
    channel.submit(channel.find({ atMost: 2n ** 246n - 1n }));
    await until("a Bitcoin block", () => node.chain.tip.height > (before[0] as number), 10_000);
    await until("a Namecoin block", () => namecoin.chain.tip.height > (before[1] as number), 10_000);
    await until("an RSK block", () => rsk.chain.tip.number > (before[2] as number), 10_000);
    expect(provider.solutions.map(({ verdict }) => verdict)).toEqual([null]);
    await until(
      "the answer",
      () => log.some(({ message }) => /was (accepted by|known to) node devnet/.test(message)),
      20_000,
    );
  });

  test("goes on with its node when the provider is gone, and comes back to it", async () => {
    const { provider, source, ready, node } = await world({ templates: { failback_s: 0 } });
    await ready("namecoin", "rsk");
    expect(source()).toBe("tp");
    await provider.stop();
    await until("the node's template", () => source() !== "tp", 10_000);
    await node.call("generatetoaddress", [1, ADDRESS]);
    await ready("namecoin", "rsk");
  });
});

/** SRI's pool_sv2 fed by our template server: a miner of ours on it finds a block, which goes through us to the embedded node. */
import { describe, expect, onTestFinished, test } from "vitest";
import { composedServer } from "../support/composed-server.ts";
import { reach } from "../support/declaring-client.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { until } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { POOL_SV2 } from "./foreign/pins.ts";
import { startSriPool } from "./foreign/sri-pool.ts";

const binary = await foreign(POOL_SV2);
const PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

describe.skipIf(binary === undefined)("SRI's pool_sv2 on our template server", () => {
  test("mines our templates, one after the other", { timeout: 120_000 }, async () => {
    const { running, ready, node, log } = await composedServer({ template_server: { listen_addr: "127.0.0.1:0" } });
    await ready("namecoin", "rsk");
    const provider = { address: running.templates ?? "", authorityPublicKey: running.authorityPublicKey };
    const pool = await startSriPool(binary ?? "", provider, { payoutAddress: PAYOUT, shareBatchSize: 1 });
    onTestFinished(() => pool.stop());
    /** A channel whose job is on the node's newest block: the pool hears of it through us. */
    const freshChannel = async (): Promise<MockChannel> => {
      for (let tries = 0; ; tries++) {
        const miner = await reach(pool, `${pool.host}:${pool.port}`);
        await miner.setup();
        const channel = await MockChannel.extended(miner, { minExtranonceSize: 4, nominalHashRate: 10 });
        if (Buffer.from(channel.prevHash.prevHash).reverse().toString("hex") === node.chain.tip.key) return channel;
        miner.destroy();
        if (tries > 50) throw new Error("the pool never heard of the newest block");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    for (let block = 0; block < 2; block++) {
      const channel = await freshChannel();
      const { height } = node.chain.tip;
      channel.submit(channel.find({ atMost: 2n ** 246n - 1n }));
      await until("the block", () => node.chain.tip.height > height, 20_000);
    }
    expect(log.filter(({ message }) => message.includes("REFUSED") || message.includes("is no block"))).toEqual([]);
    expect(pool.said()).not.toContain("panicked");
  });
});

/**
 * SRI's jd_client_sv2 on our template server, our job declaration server and our mining server at once: it declares its jobs, mines them with a miner of
 * ours below it, and what it finds becomes a block of the embedded node, and of the RSK node where it took the output that came with its token.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { composedServer } from "../support/composed-server.ts";
import { reach } from "../support/declaring-client.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { until } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { JD_CLIENT } from "./foreign/pins.ts";
import { type SriJdc, startSriJdc } from "./foreign/sri-jdc.ts";

const binary = await foreign(JD_CLIENT);
const PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const bits = (n: number): bigint => 2n ** BigInt(n) - 1n;

async function world(declaration: Record<string, unknown> = {}) {
  const server = await composedServer({
    job_declaration: { listen_addr: "127.0.0.1:0", ...declaration },
    template_server: { listen_addr: "127.0.0.1:0" },
  } as Parameters<typeof composedServer>[0]);
  const { running } = server;
  await server.ready("namecoin", "rsk");
  const jdc = await startSriJdc(binary ?? "", {
    pool: running.listening[0] ?? "",
    declaration: running.declaration ?? "",
    templates: running.templates ?? "",
    authorityPublicKey: running.authorityPublicKey,
    payoutAddress: PAYOUT,
  });
  onTestFinished(() => jdc.stop());
  return { ...server, jdc };
}

/** A miner below the client. */
async function channelBelow(jdc: SriJdc): Promise<MockChannel> {
  const miner = await reach(jdc, jdc.listening);
  await miner.setup();
  return MockChannel.extended(miner, { minExtranonceSize: 4, nominalHashRate: 10 });
}

/** Custom jobs that our server took. */
const taken = (log: readonly { readonly message: string }[]): number =>
  log.filter(({ message }) => message === "custom job taken").length;

describe.skipIf(binary === undefined)("SRI's jd_client_sv2 on our servers", () => {
  test("declares whole templates; a block of its miner's is accepted by the node", { timeout: 120_000 }, async () => {
    const { jdc, node, log } = await world();
    const channel = await channelBelow(jdc);
    await until("a custom job", () => taken(log) > 0, 30_000);
    const { height } = node.chain.tip;
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("the block", () => node.chain.tip.height > height, 20_000);
    await until("a custom job on it", () => taken(log) > 1, 30_000);
    expect(log.filter(({ message }) => message.includes("REFUSED"))).toEqual([]);
    expect(jdc.said()).not.toContain("panicked");
  });

  test("takes the outputs that come with a token: its jobs count for RSK", { timeout: 120_000 }, async () => {
    const { jdc, rsk, log } = await world({ commit_outputs: ["rsk"] });
    const channel = await channelBelow(jdc);
    await until("a custom job", () => taken(log) > 0, 30_000);
    const job = log.find(({ message }) => message === "custom job taken");
    expect(job?.fields).toMatchObject({ chains: "rsk" });
    const before = rsk.chain.tip.number;
    channel.submit(channel.find({ atMost: bits(248), above: bits(246) }));
    await until("an RSK block", () => rsk.chain.tip.number > before, 20_000);
  });
});

/**
 * Job Declaration Client mode: our server mines its own templates for somebody else's pool, here a second server of ours with merge mining off, over real
 * sockets with Noise on one set of embedded daemons.
 */
import { describe, expect, test } from "vitest";
import { TOKENS } from "../../src/app/tokens.ts";
import { type ComposedServer, composedServer, devnetDaemons } from "../support/composed-server.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { until } from "../support/until.ts";

const bits = (n: number): bigint => 2n ** BigInt(n) - 1n;

/** A pool with job declaration and without chains, and our server below it. */
async function world(
  wish: {
    readonly pool?: Parameters<typeof composedServer>[0];
    readonly upstream?: Record<string, unknown>;
    readonly ours?: Parameters<typeof composedServer>[0];
  } = {},
) {
  const daemons = await devnetDaemons();
  const pool = await composedServer(
    {
      stratum_v2: { merge_mining_enabled: false },
      chains: {},
      job_declaration: { listen_addr: "127.0.0.1:0" },
      ...wish.pool,
    },
    daemons,
  );
  const key = pool.running.authorityPublicKey;
  const ours = await composedServer(
    {
      pools: [
        {
          name: "foreign",
          url: `stratum2+tcp://${pool.running.listening[0]}/${key}`,
          jds: `stratum2+tcp://${pool.running.declaration}/${key}`,
        },
      ],
      upstream: { user: "farm", ...wish.upstream },
      ...wish.ours,
    },
    daemons,
  );
  return { ...daemons, pool, ours, job: () => ours.running.container.resolve(TOKENS.jobs).current() };
}

type World = Awaited<ReturnType<typeof world>>;

/** Resolves when our miners have a job of ours for the pool that commits to `chains` on the newest tips. */
async function declared({ job, node, namecoin, rsk }: World, ...chains: readonly string[]): Promise<void> {
  const tips: Readonly<Record<string, () => number>> = {
    namecoin: () => namecoin.chain.tip.height,
    rsk: () => rsk.chain.tip.number,
  };
  await until(
    `a declared job for ${chains.join(", ")}`,
    () => {
      const current = job();
      if (current?.pool?.pool !== "foreign" || current.template.height !== node.chain.tip.height + 1) return false;
      const heights = new Map(current.aux?.entries.map(({ chain, work }) => [chain, work.height]));
      return heights.size === chains.length && chains.every((name) => heights.get(name) === (tips[name]?.() ?? 0) + 1);
    },
    20_000,
  );
}

async function channelOf(server: ComposedServer): Promise<MockChannel> {
  return MockChannel.extended(await server.miner());
}

describe("a server that declares its jobs to somebody else's pool", () => {
  test("wins Bitcoin for the pool, and Namecoin and RSK for itself, with one header", async () => {
    const it = await world();
    await declared(it, "namecoin", "rsk");
    const { node, namecoin, rsk, pool, ours } = it;
    const channel = await channelOf(ours);
    const before = [node.chain.tip.height, namecoin.chain.tip.height, rsk.chain.tip.number];
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("a Bitcoin block", () => node.chain.tip.height > (before[0] as number), 10_000);
    await until("a Namecoin block", () => namecoin.chain.tip.height > (before[1] as number), 10_000);
    await until("an RSK block", () => rsk.chain.tip.number > (before[2] as number), 10_000);
    // The pool knows of it as of a block of its own.
    await until(
      "the pool's line",
      () => pool.log.some(({ message }) => /found at height \d+ by "farm/.test(message)),
      5_000,
    );
    expect(pool.log.filter(({ message }) => message.includes("REFUSED"))).toEqual([]);
    await declared(it, "namecoin", "rsk");
  });

  test("has its shares accepted by the pool, also those that come before the pool has named the job", async () => {
    const it = await world();
    await declared(it, "namecoin", "rsk");
    const channel = await channelOf(it.ours);
    for (let i = 0; i < 5; i++) channel.submit(channel.find({ above: bits(250) }));
    const state = (): { accepted: number; refused: number } => {
      const pools = it.ours.running.container.resolve(TOKENS.upstream)?.status().pools ?? [];
      const connection = pools[0]?.connection as { shares: { accepted: number; refused: number } } | undefined;
      return connection?.shares ?? { accepted: 0, refused: 0 };
    };
    await until("five shares", () => state().accepted >= 5, 15_000);
    expect(state().refused).toBe(0);
  });

  test("gives its miners the pool's own job when the pool does not take ours, and says so", async () => {
    // What we leave out of fees is less than the pool demands.
    const it = await world({
      pool: { job_declaration: { listen_addr: "127.0.0.1:0", coinbase_only: false } },
      upstream: { declare: "coinbase_only" },
    });
    await until("the pool's own job", () => it.job()?.pool?.pool === "foreign" && it.job()?.aux === undefined, 20_000);
    expect(
      it.ours.log.some(
        ({ message }) =>
          message.includes("missing-declare-tx-data-flag") || message.includes("does not let us declare"),
      ),
    ).toBe(true);
  });

  test("in coinbase-only mode submits whole blocks itself", async () => {
    const it = await world({ upstream: { declare: "coinbase_only" } });
    await declared(it, "namecoin", "rsk");
    const channel = await channelOf(it.ours);
    const before = it.node.chain.tip.height;
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("a Bitcoin block", () => it.node.chain.tip.height > before, 10_000);
  });

  test("without chains of its own mines the pool's, by what the pool tells it to commit to", async () => {
    const daemons = await devnetDaemons();
    const pool = await composedServer({ job_declaration: { listen_addr: "127.0.0.1:0" } }, daemons);
    const key = pool.running.authorityPublicKey;
    await pool.ready("namecoin", "rsk");
    const ours = await composedServer(
      {
        chains: {},
        upstream: { user: "farm" },
        pools: [
          {
            name: "foreign",
            url: `stratum2+tcp://${pool.running.listening[0]}/${key}`,
            jds: `stratum2+tcp://${pool.running.declaration}/${key}`,
          },
        ],
      },
      daemons,
    );
    const job = () => ours.running.container.resolve(TOKENS.jobs).current();
    await until("a job with both commitments", () => (job()?.commitmentOutputs.length ?? 0) === 1, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { node, namecoin, rsk } = daemons;
    const channel = await channelOf(ours);
    const before = [node.chain.tip.height, namecoin.chain.tip.height, rsk.chain.tip.number];
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("a Bitcoin block", () => node.chain.tip.height > (before[0] as number), 10_000);
    await until("a Namecoin block", () => namecoin.chain.tip.height > (before[1] as number), 10_000);
    await until("an RSK block", () => rsk.chain.tip.number > (before[2] as number), 10_000);
  });

  test("is paid solo when the pool is gone, with its chains", async () => {
    const it = await world({ upstream: { fallback: "solo", failback_s: 0 } });
    await declared(it, "namecoin", "rsk");
    await it.pool.running.stop();
    await until("own jobs", () => it.job()?.pool === undefined && it.job()?.aux !== undefined, 30_000);
  });
});

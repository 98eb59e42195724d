/**
 * Three conversations overheard: our server with templates of somebody else's template server, declaring its jobs to somebody else's pool (a second server of ours
 * with merge mining off), and mining them there. SRI's scenarios of templates and job declaration, as far as they have this shape.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { TOKENS } from "../../src/app/tokens.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { templates as templateMessages } from "../../src/sv2/messages/templates.ts";
import { generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator, NoiseResponder } from "../../src/sv2/noise/handshake.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { composedServer, devnetDaemons } from "../support/composed-server.ts";
import type { Name } from "../support/messages.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { type Direction, type Intercept, replaceBy, Sniffer } from "../support/sniffer.ts";
import { until } from "../support/until.ts";

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const bits = (n: number): bigint => 2n ** BigInt(n) - 1n;

/** A sniffer before a server; who connects to it has no key to check. */
async function overhear(address: string, ...intercepts: readonly Intercept[]): Promise<Sniffer> {
  const [clock, random, crypto] = [systemClock, systemRandom(), nodeCrypto({ log: silentLog })];
  const identity = new StaticIdentity(
    { crypto, clock, random },
    { authoritySecretKey: generateAuthoritySecretKey(random) },
  );
  const keys = new EphemeralKeyPool({ crypto, random }, { capacity: 4 });
  const sniffer = await Sniffer.start({
    upstream: address,
    responder: () => new NoiseResponder({ crypto, identity, ephemeral: () => keys.take() }),
    initiator: () => new NoiseInitiator({ crypto, clock, random }, {}),
    intercepts,
  });
  onTestFinished(() => sniffer.stop());
  return sniffer;
}

interface Wish {
  readonly templates?: readonly Intercept[];
  readonly declaration?: readonly Intercept[];
  readonly mining?: readonly Intercept[];
}

async function world(wish: Wish = {}) {
  const daemons = await devnetDaemons();
  const pool = await composedServer(
    {
      stratum_v2: { merge_mining_enabled: false },
      chains: {},
      template_server: { listen_addr: "127.0.0.1:0" },
      job_declaration: { listen_addr: "127.0.0.1:0" },
    },
    daemons,
  );
  const templates = await overhear(pool.running.templates ?? "", ...(wish.templates ?? []));
  const jd = await overhear(pool.running.declaration ?? "", ...(wish.declaration ?? []));
  const mining = await overhear(pool.running.listening[0] ?? "", ...(wish.mining ?? []));
  const ours = await composedServer(
    {
      template_providers: [{ name: "tp", url: `stratum2+tcp://${templates.address}` }],
      pools: [{ name: "foreign", url: `stratum2+tcp://${mining.address}`, jds: `stratum2+tcp://${jd.address}` }],
      upstream: { user: "farm" },
      // Whichever source was there first, the provider is preferred.
      templates: { failback_s: 0 },
    },
    daemons,
  );
  const source = ours.running.container.resolve(TOKENS.jobSource);
  await until("the provider's templates", () => source.current()?.source === "tp", 10_000);
  const job = () => ours.running.container.resolve(TOKENS.jobs).current();
  return { ...daemons, pool, ours, templates, jd, mining, job, source };
}

type World = Awaited<ReturnType<typeof world>>;

const declared = ({ job, node }: Pick<World, "job" | "node">, chains = 2): Promise<void> =>
  until(
    "a declared job with chains",
    () =>
      job()?.pool?.pool === "foreign" &&
      job()?.template.height === node.chain.tip.height + 1 &&
      job()?.aux?.chains.length === chains,
    20_000,
  );

const names = (sniffer: Sniffer, direction: Direction): Name[] => sniffer.messages(direction).map(({ name }) => name);

/** Whether `wanted` stand in this order, with others in between. */
function inOrder(all: readonly Name[], ...wanted: readonly Name[]): void {
  let at = -1;
  for (const name of wanted) {
    at = all.indexOf(name, at + 1);
    expect(at, `${name} in ${all.join(" ")}`).toBeGreaterThanOrEqual(0);
  }
}

describe("on the wire", () => {
  test("templates, declarations and custom jobs come in the spec's order, and a block goes three ways", async () => {
    const it = await world();
    await declared(it);
    const { templates, jd, mining, node, ours } = it;
    // The first job on a block is mined before the pool has named it.
    await until("its name", () => names(mining, "toDownstream").includes("SetCustomMiningJobSuccess"), 10_000);
    inOrder(names(templates, "toUpstream"), "SetupConnection", "CoinbaseOutputConstraints");
    inOrder(names(templates, "toDownstream"), "SetupConnectionSuccess", "NewTemplate", "SetNewPrevHash");
    inOrder(names(jd, "toUpstream"), "SetupConnection", "AllocateMiningJobToken", "DeclareMiningJob");
    inOrder(
      names(jd, "toDownstream"),
      "SetupConnectionSuccess",
      "AllocateMiningJobTokenSuccess",
      "DeclareMiningJobSuccess",
    );
    inOrder(names(mining, "toUpstream"), "SetupConnection", "OpenExtendedMiningChannel", "SetCustomMiningJob");
    const [setup] = mining.messages("toUpstream");
    // REQUIRES_WORK_SELECTION, spec 5.3.1.
    expect(setup?.name === "SetupConnection" && setup.value.flags & 2).toBe(2);
    const height = node.chain.tip.height;
    const channel = await MockChannel.extended(await ours.miner());
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("the block", () => node.chain.tip.height > height, 10_000);
    const sent = (sniffer: Sniffer, name: Name) => () => names(sniffer, "toUpstream").includes(name);
    await until("SubmitSolution at the provider", sent(templates, "SubmitSolution"), 5_000);
    await until("PushSolution at the declaration server", sent(jd, "PushSolution"), 5_000);
    await until("the share at the pool", sent(mining, "SubmitSharesExtended"), 5_000);
    await until("its Success", () => names(mining, "toDownstream").includes("SubmitSharesSuccess"), 10_000);
    expect(names(mining, "toDownstream")).not.toContain("SubmitSharesError");
    // Each declared job has a token of its own, and each custom job the token that its declaration was answered with.
    const tokens = jd
      .messages("toDownstream")
      .flatMap((each) =>
        each.name === "DeclareMiningJobSuccess" ? [Buffer.from(each.value.newMiningJobToken).toString("hex")] : [],
      );
    const set = mining
      .messages("toUpstream")
      .flatMap((each) =>
        each.name === "SetCustomMiningJob" ? [Buffer.from(each.value.miningJobToken).toString("hex")] : [],
      );
    expect(new Set(set).size).toBe(set.length);
    expect(set.filter((token) => !tokens.includes(token))).toEqual([]);
  });

  test("a new block: one declaration on it, and the custom job of before is not set any more", async () => {
    const it = await world();
    await declared(it);
    const { jd, mining, node } = it;
    await node.call("generatetoaddress", [1, ADDRESS]);
    await declared(it);
    const newest = (): string => {
      const last = mining.messages("toUpstream").findLast(({ name }) => name === "SetCustomMiningJob");
      return last?.name === "SetCustomMiningJob" ? Buffer.from(last.value.prevHash).reverse().toString("hex") : "";
    };
    await until("a custom job on it", () => newest() === node.chain.tip.key, 10_000);
    const errors = jd
      .messages("toDownstream")
      .flatMap((each) => (each.name === "DeclareMiningJobError" ? [each.value.errorCode] : []));
    // Two nodes never have a block at the same moment.
    expect(errors.filter((code) => code !== "stale-chain-tip")).toEqual([]);
  });

  test("a declaration that is refused is not set, and the pool's own job is mined", async () => {
    const refused = { requestId: 0, errorCode: "invalid-job", errorDetails: new Uint8Array(0) };
    const it = await world({
      declaration: [
        {
          direction: "toDownstream",
          name: "DeclareMiningJobSuccess",
          action: (message) =>
            message.name === "DeclareMiningJobSuccess"
              ? replaceBy("DeclareMiningJobError", { ...refused, requestId: message.value.requestId })()
              : [],
        },
      ],
    });
    const { mining, job } = it;
    await until("the pool's job", () => job()?.pool?.pool === "foreign" && job()?.aux === undefined, 20_000);
    // What is mined at once after a new block is set before its declaration was answered: nothing else may be.
    const set = mining.messages("toUpstream").filter(({ name }) => name === "SetCustomMiningJob");
    expect(set).toEqual([]);
  });

  test("a pool that has the newest block later than we is asked again for the very job that is mined", async () => {
    let refusals = 0;
    const it = await world({
      // As SRI's pool, which has no jobs of its own for such a client.
      mining: [
        { direction: "toDownstream", name: "NewExtendedMiningJob", action: "ignore" },
        { direction: "toDownstream", name: "SetNewPrevHash", action: "ignore" },
      ],
      declaration: [
        {
          direction: "toDownstream",
          name: "DeclareMiningJobSuccess",
          action: ({ value }) => {
            const { requestId, newMiningJobToken } = value as { requestId: number; newMiningJobToken: Uint8Array };
            if (refusals <= 0) return replaceBy("DeclareMiningJobSuccess", { requestId, newMiningJobToken })();
            refusals -= 1;
            return replaceBy("DeclareMiningJobError", {
              requestId,
              errorCode: "stale-chain-tip",
              errorDetails: new Uint8Array(0),
            })();
          },
        },
      ],
    });
    const { mining, jd, job, node } = it;
    await declared(it);
    await until("a custom job", () => names(mining, "toDownstream").includes("SetCustomMiningJobSuccess"), 10_000);
    const before = jd.messages("toUpstream").length;
    refusals = 3;
    await node.call("generatetoaddress", [1, ADDRESS]);
    await declared(it);
    const mined = job();
    const channel = await MockChannel.extended(await it.ours.miner());
    channel.submit(channel.find({ above: bits(250) }));
    await until("the share's Success", () => names(mining, "toDownstream").includes("SubmitSharesSuccess"), 15_000);
    expect(refusals).toBe(0);
    // The same coinbase, under one token after another.
    const asked = jd
      .messages("toUpstream")
      .slice(before)
      .flatMap((each) =>
        each.name === "DeclareMiningJob" ? [Buffer.from(each.value.coinbaseTxSuffix).toString("hex")] : [],
      );
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(new Set(asked).size).toBeLessThan(asked.length);
    expect(mined?.pool?.connection).toBe(job()?.pool?.connection);
  });

  test("a declaration server that is lost before it answers is asked again, and the shares meanwhile are paid", async () => {
    let isMute = false;
    const it = await world({
      // As SRI's pool, which has no jobs of its own for such a client.
      mining: [
        { direction: "toDownstream", name: "NewExtendedMiningJob", action: "ignore" },
        { direction: "toDownstream", name: "SetNewPrevHash", action: "ignore" },
      ],
      declaration: [
        {
          direction: "toDownstream",
          name: "DeclareMiningJobSuccess",
          action: ({ value }) => (isMute ? [] : replaceBy("DeclareMiningJobSuccess", value as never)()),
        },
      ],
    });
    const { mining, jd, job, node } = it;
    await declared(it);
    await until("a custom job", () => names(mining, "toDownstream").includes("SetCustomMiningJobSuccess"), 10_000);
    isMute = true;
    const answers = () => names(jd, "toDownstream").filter((name) => name === "DeclareMiningJobSuccess").length;
    const before = answers();
    await node.call("generatetoaddress", [1, ADDRESS]);
    await until("an answer that is lost", () => answers() > before, 10_000);
    await declared(it);
    const mined = job();
    const channel = await MockChannel.extended(await it.ours.miner());
    channel.submit(channel.find({ above: bits(250) }));
    jd.cut();
    isMute = false;
    await until("the share's Success", () => names(mining, "toDownstream").includes("SubmitSharesSuccess"), 20_000);
    expect(job()?.pool?.connection).toBe(mined?.pool?.connection);
  });

  test("an answer that never comes does not hold the miners up", async () => {
    const it = await world({
      mining: [{ direction: "toDownstream", name: "SetCustomMiningJobSuccess", action: "ignore" }],
    });
    await until("a job for the pool", () => it.job()?.pool?.pool === "foreign", 20_000);
    const height = it.node.chain.tip.height;
    const channel = await MockChannel.extended(await it.ours.miner());
    channel.submit(channel.find({ atMost: bits(246) }));
    await until("the block", () => it.node.chain.tip.height > height, 10_000);
  });

  test("a provider that dies between NewTemplate and SetNewPrevHash leaves no gap: the node's template is mined", async () => {
    let isDying = false;
    const it = await world({
      templates: [
        {
          direction: "toDownstream",
          name: "SetNewPrevHash",
          // Mining has a message of this name too.
          action: ({ value }) => (isDying ? [] : [templateMessages.encode("SetNewPrevHash", value as never)]),
        },
      ],
    });
    await declared(it);
    expect(it.source.current()?.source).toBe("tp");
    isDying = true;
    const before = names(it.templates, "toDownstream").filter((name) => name === "NewTemplate").length;
    await it.node.call("generatetoaddress", [1, ADDRESS]);
    await until(
      "a future template",
      () => names(it.templates, "toDownstream").filter((name) => name === "NewTemplate").length > before,
      10_000,
    );
    await it.templates.stop();
    await declared(it);
    expect(it.source.current()?.source).toBe("bitcoind");
  });
});

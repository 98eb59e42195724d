/** The kit on trial: a good plugin passes, and a plugin that breaks one rule fails for that rule and no other. */
import { describe, expect, test } from "vitest";
import { type KitOptions, RULES, runChecks } from "../../src/kit/checks.ts";
import type { Rehearsal } from "../../src/kit/rehearsal.ts";
import { type ChainPlugin, concat, Fault, fromHex, opReturn, toHex, utf8, z } from "../../src/plugin.ts";
import { config, goodWays, packageJson, pretendCoin, pretendRehearsal, withChain } from "./pretend-coin.ts";

const WITHIN_MS = 2000;

/** A plugin, its rehearsal and its package.json with one thing wrong. */
interface Broken {
  readonly plugin?: ChainPlugin;
  readonly rehearsal?: Rehearsal;
  readonly packageJson?: unknown;
  /** What the failure must speak of. */
  readonly seen: string;
}

/** Makes a timer that nobody waits for. */
const leak = (): void => void setTimeout(() => {}, 60_000).unref();
const busy = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end; );
};
const asPlugin = (plugin: unknown): ChainPlugin => plugin as ChainPlugin;

const BROKEN: Readonly<Record<string, Broken>> = {
  module: { plugin: asPlugin({ ...pretendCoin(), coin: { symbol: "PRT", decimals: 1.5 } }), seen: "coin.decimals" },
  package: { packageJson: { ...packageJson, "bllvm-stratum-v2": { plugin: "other", api: 1 } }, seen: "says other" },
  "config-accepts": {
    plugin: asPlugin({ ...pretendCoin(), config: config.extend({ port: z.number() }) }),
    seen: "port",
  },
  "config-strict": {
    plugin: asPlugin({ ...pretendCoin(), config: z.object(config.shape) }),
    seen: "without a word",
  },
  "config-refuses": {
    plugin: asPlugin({ ...pretendCoin(), config: config.extend({ payout: z.string() }) }),
    seen: '"payout":""',
  },
  "config-secret-keys": {
    plugin: asPlugin({ ...pretendCoin(), config: config.extend({ pin: z.string() }) }),
    rehearsal: pretendRehearsal(({ config: right }) => ({
      config: { ...(right as object), poll_s: 0.05, pin: "pin-that-is-secret" },
      secrets: ["pin-that-is-secret"],
    })),
    seen: "the key pin",
  },
  open: {
    plugin: asPlugin({
      ...pretendCoin(),
      open: (...args: Parameters<ReturnType<typeof pretendCoin>["open"]>) => {
        setTimeout(() => {}, 1);
        return pretendCoin().open(...args);
      },
    }),
    seen: "open made a timer (self.test.ts",
  },
  start: {
    plugin: withChain(
      (chain, host) => ({
        start: async () => {
          const { length } = seenOffers;
          await chain.start();
          await new Promise((resolve) => setTimeout(resolve, 150));
          if (seenOffers.slice(length).includes(host.chain)) throw new Error("it does not like this daemon");
        },
      }),
      pretendCoin({
        offered: (work) => {
          seenOffers.push("pretendcoin");
          return work;
        },
      }),
    ),
    seen: "does not like",
  },
  "start-without-daemon": {
    plugin: withChain((chain, host) => ({
      start: async () => {
        await chain.start();
        await new Promise((resolve) => setTimeout(resolve, 100));
        if ((host as unknown as { troubled?: string }).troubled !== undefined) throw new Error("no daemon is there");
      },
    })),
    seen: "start rejected: no daemon is there",
  },
  stop: {
    plugin: pretendCoinThatLeaks(),
    seen: "a timer (self.test.ts",
  },
  "stop-early": {
    plugin: asPlugin(
      pretendCoin({
        failed: (host, trouble, error) => {
          leak();
          goodWays.failed(host, trouble, error);
        },
      }),
    ),
    seen: "a timer (self.test.ts",
  },
  "silent-after-abort": { plugin: deafToItsSignal(), seen: "after the signal had aborted" },
  offers: { plugin: asPlugin(pretendCoin({ offered: (work) => ({ ...work, hash: work.id }) })), seen: "hash is not" },
  "offers-again": { plugin: offersOnce(), seen: "1 times" },
  "offers-new-block": {
    plugin: asPlugin(pretendCoin({ offered: (work) => ({ ...work, parent: "always the same" }) })),
    seen: "no work on another parent",
  },
  "offers-withdrawn": { plugin: keepsQuiet(), seen: "still says that all is well" },
  "offers-recover": { plugin: givesUp(), seen: '"garbage"' },
  commit: {
    plugin: withChain((chain) => ({
      commit: (work) => {
        setTimeout(() => {}, 1);
        return chain.commit(work);
      },
    })),
    seen: "commit made a timer",
  },
  "chain-id": {
    plugin: withChain(() => ({ chainId: 8 })),
    seen: "chainId is 8, but 9 in the commitment",
  },
  "commit-pure": {
    plugin: remembers(),
    seen: "a copy of the work",
  },
  "commit-fast": {
    plugin: withChain((chain) => ({
      commit: (work) => {
        busy(1.5);
        return chain.commit(work);
      },
    })),
    seen: "commit takes",
  },
  placed: {
    plugin: withChain((chain) => ({
      commit: (work) => [
        ...[chain.commit(work)].flat(),
        { kind: "output", script: opReturn(utf8("too far in front")), maxBytesAfter: 3 },
      ],
    })),
    seen: "max_bytes_after",
  },
  "placed-among-others": {
    plugin: withChain((chain) => ({
      commit: (work) => [
        ...[chain.commit(work)].flat(),
        { kind: "output", script: concat(fromHex("6a4c61"), new Uint8Array(97).fill(1)), maxBytesAfter: 60 },
      ],
    })),
    seen: "neighbour-",
  },
  verify: { plugin: withChain(() => ({ verify: () => "it does not look right" })), seen: "does not look right" },
  "submit-accepted": {
    plugin: asPlugin(
      pretendCoin({
        submit: (chain, proof, signal) =>
          goodWays.submit(chain, { ...proof, auxpow: proof.auxpow?.slice(1) ?? new Uint8Array(0) }, signal),
      }),
    ),
    seen: "the verdict is rejected",
  },
  "submit-stale": {
    plugin: asPlugin(pretendCoin({ outcome: ({ says }) => (says === "duplicate" ? "duplicate" : "rejected") })),
    seen: "block hash unknown",
  },
  "submit-duplicate": {
    plugin: asPlugin(pretendCoin({ outcome: ({ says = "" }) => (/unknown/.test(says) ? "stale" : "rejected") })),
    seen: "the verdict is rejected (duplicate)",
  },
  "submit-rejected": {
    plugin: withChain((chain) => ({
      submit: async (...args) => {
        const outcome = await chain.submit(...args);
        return outcome.verdict === "rejected" ? { ...outcome, verdict: "stale" } : outcome;
      },
    })),
    seen: "the verdict is stale",
  },
  "submit-unreachable": {
    plugin: withChain((chain) => ({
      submit: (...args) =>
        chain.submit(...args).catch((error: unknown) => {
          const gone = error instanceof Fault && /refused|disconnected/.test(error.code);
          if (!gone) throw error;
          return { verdict: "rejected", reason: "no daemon" };
        }),
    })),
    seen: "resolved with the verdict rejected",
  },
  "submit-hung": {
    plugin: asPlugin(
      pretendCoin({
        submit: async ({ daemons }, { auxpow, work: { id } }) => {
          const params = [id, toHex(auxpow ?? new Uint8Array(0))];
          // A time limit of its own is no substitute: the daemon of an operator may be given a minute.
          const limits = { timeoutMs: 1000, tells: false };
          const result = await daemons.call("submitauxblock", params, z.boolean(), limits);
          return { verdict: result ? "accepted" : "rejected", reason: "" };
        },
      }),
    ),
    seen: "still waits",
  },
  "submit-garbage": {
    plugin: asPlugin(
      pretendCoin({
        submit: async ({ daemons }, { auxpow, work: { id } }, signal) => {
          const params = [id, toHex(auxpow ?? new Uint8Array(0))];
          const result = await daemons.call("submitauxblock", params, z.unknown(), { signal, tells: false });
          return { verdict: result === false ? "rejected" : "accepted", reason: "" };
        },
      }),
    ),
    seen: "the daemon talks nonsense, and submit resolved",
  },
  "submit-again": {
    plugin: withChain((chain) => {
      const done = new Set<string>();
      return {
        submit: async (proof, signal) => {
          if (done.has(proof.work.id)) return { verdict: "rejected", reason: "done" };
          const outcome = await chain.submit(proof, signal);
          if (outcome.verdict === "accepted") done.add(proof.work.id);
          return outcome;
        },
      };
    }),
    seen: "the verdict is rejected (done)",
  },
  "submit-restart": {
    plugin: asPlugin(
      pretendCoin({
        submit: async (chain, proof, signal) => {
          if (!chain.offered.has(proof.work.id)) throw new Error("never heard of this work");
          return await goodWays.submit(chain, proof, signal);
        },
      }),
    ),
    seen: "never heard of this work",
  },
  "status-confirmed": {
    plugin: statusThat((status) =>
      status.state === "confirmed" ? { ...status, confirmations: status.confirmations - 1 } : status,
    ),
    seen: "the status says 0",
  },
  "status-mature": {
    plugin: statusThat((status) => (status.state === "mature" ? { ...status, state: "confirmed" } : status)),
    seen: "the state is confirmed",
  },
  "status-orphaned": { plugin: neverComesBack(), seen: "the state is orphaned" },
  "status-unknown": {
    plugin: asPlugin(
      pretendCoin({
        status: (found) => {
          if (found instanceof Fault) throw found;
          return goodWays.status(found);
        },
      }),
    ),
    seen: "Block not found",
  },
  "status-unreachable": {
    plugin: asPlugin(
      pretendCoin({
        status: (found) =>
          found instanceof Fault ? { state: "unknown", confirmations: 0, reward: undefined } : goodWays.status(found),
      }),
    ),
    seen: "the state is unknown",
  },
  rehearsal: {
    rehearsal: pretendRehearsal(() => ({ secrets: ["short"] })),
    seen: "5 characters",
  },
  secrets: {
    plugin: asPlugin({
      ...pretendCoin(),
      open: (settings: z.output<typeof config>, host: Parameters<ChainPlugin["open"]>[1]) => {
        const [daemon] = settings.daemons;
        const header = Buffer.from(`${daemon?.user}:${daemon?.password}`).toString("base64");
        host.log.debug("opened", { headers: { authorization: `Basic ${header}` } });
        return pretendCoin().open(settings, host);
      },
    }),
    seen: "a log line (debug)",
  },
  words: {
    plugin: withChain((chain, host) => ({
      start: () => {
        host.meter.count("Blocks found");
        return chain.start();
      },
    })),
    seen: '"Blocks found"',
  },
  "loose-ends": {
    plugin: withChain((chain, host) => ({
      start: async () => {
        host.signal.addEventListener("abort", () => void Promise.reject(new Error("nobody hears this")));
        await chain.start();
      },
    })),
    seen: "a rejection that nothing handles: nobody hears this",
  },
};

const seenOffers: string[] = [];

/** Makes something once its daemon has answered that it does not clear away. */
function pretendCoinThatLeaks(): ChainPlugin {
  return asPlugin(
    pretendCoin({
      offered: (work) => {
        leak();
        return work;
      },
    }),
  );
}

/** Commits only to works that it made itself. */
function remembers(): ChainPlugin {
  const made = new WeakSet<object>();
  const base = pretendCoin({
    offered: (work) => {
      made.add(work);
      return work;
    },
  });
  return withChain(
    (chain) => ({
      commit: (work) => {
        if (!made.has(work)) throw new Error("not my work");
        return chain.commit(work);
      },
    }),
    base,
  );
}

/** Offers work only when it is another one. */
function offersOnce(): ChainPlugin {
  return asPlugin({
    ...pretendCoin(),
    open: (settings: z.output<typeof config>, host: Parameters<ChainPlugin["open"]>[1]) => {
      let last: string | undefined;
      const offer: typeof host.offer = (work) => {
        if (work === undefined || work.id !== last) host.offer(work);
        last = work?.id;
      };
      return pretendCoin().open(settings, overlaid(host, { offer }));
    },
  });
}

/** Goes on until it is stopped. */
function deafToItsSignal(): ChainPlugin {
  return asPlugin({
    ...pretendCoin(),
    open: (settings: z.output<typeof config>, host: Parameters<ChainPlugin["open"]>[1]) =>
      pretendCoin().open(settings, overlaid(host, { signal: new AbortController().signal })),
  });
}

/** Says nothing of a daemon that was there once. */
function keepsQuiet(): ChainPlugin {
  return asPlugin({
    ...pretendCoin(),
    open: (settings: z.output<typeof config>, host: Parameters<ChainPlugin["open"]>[1]) => {
      let hadWork = false;
      const offer: typeof host.offer = (work) => {
        if (work !== undefined) hadWork = true;
        if (work !== undefined || !hadWork) host.offer(work);
      };
      const trouble: typeof host.trouble = (sentence) => {
        if (!hadWork || sentence === undefined) host.trouble(sentence);
      };
      return pretendCoin().open(settings, overlaid(host, { offer, trouble }));
    },
  });
}

/** Further ways to break a rule, each a mistake that was made. */
const ALSO_BROKEN: readonly (readonly [mistake: string, rule: string, broken: Broken])[] = [
  [
    "takes what changes with every answer for the parent",
    "offers-again",
    {
      plugin: (() => {
        let polls = 0;
        return asPlugin(pretendCoin({ offered: (work) => ({ ...work, parent: `${work.parent} ${polls++}` }) }));
      })(),
      seen: "no new block came, and the work's parent went from",
    },
  ],
];

/** Does not poll any more once it was told nonsense. */
function givesUp(): ChainPlugin {
  const mad = new WeakSet<object>();
  return asPlugin(
    pretendCoin({
      polls: (host) => !host.signal.aborted && !mad.has(host),
      failed: (host, trouble, error) => {
        goodWays.failed(host, trouble, error);
        if (error instanceof Fault && error.code === "node-answer-unexpected") mad.add(host);
      },
    }),
  );
}

function statusThat(
  change: (status: ReturnType<typeof goodWays.status>) => ReturnType<typeof goodWays.status>,
): ChainPlugin {
  return asPlugin(pretendCoin({ status: (found) => change(goodWays.status(found)) }));
}

/** What was orphaned once stays so. */
function neverComesBack(): ChainPlugin {
  return withChain((chain) => {
    const orphans = new Set<string>();
    return {
      status: async (block, signal) => {
        if (orphans.has(block.blockHash)) return { state: "orphaned", confirmations: 0, reward: undefined };
        const status = await chain.status(block, signal);
        if (status.state === "orphaned") orphans.add(block.blockHash);
        return status;
      },
    };
  });
}

function overlaid<T extends object>(base: T, over: Partial<T>): T {
  return new Proxy(base, { get: (target, name) => (name in over ? over[name as keyof T] : Reflect.get(target, name)) });
}

async function outcomes(broken: Partial<Broken>, options: KitOptions = {}) {
  const { plugin = asPlugin(pretendCoin()), rehearsal = pretendRehearsal() } = broken;
  return await runChecks(plugin, rehearsal, {
    packageJson: broken.packageJson ?? packageJson,
    withinMs: WITHIN_MS,
    ...options,
  });
}

describe.concurrent("the kit", () => {
  test("passes a good plugin, and leaves nothing out", { timeout: 60_000 }, async () => {
    const { results, ok } = await outcomes({});
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(ok).toBe(true);
  });

  test("has a broken plugin for each of its rules", () => {
    expect(Object.keys(BROKEN)).toEqual(RULES.map(({ id }) => id));
  });

  test.for([
    ...Object.entries(BROKEN).map(([rule, broken]) => [`breaks ${rule}`, rule, broken] as const),
    ...ALSO_BROKEN,
  ])("fails a plugin that %s, for that alone", { timeout: 60_000 }, async ([, rule, broken]) => {
    const { results, ok } = await outcomes(broken);
    const failed = results.filter(({ outcome }) => outcome === "failed");
    expect(failed.map((each) => `${each.rule}: ${each.seen}`)).toEqual([expect.stringContaining(`${rule}: `)]);
    expect(failed[0]?.seen).toContain(broken.seen);
    expect(failed[0]?.advice).toMatch(/\.$/);
    expect(results.filter(({ outcome, blockedBy }) => outcome === "blocked" && blockedBy !== rule)).toEqual([]);
    expect(ok).toBe(false);
  });
});

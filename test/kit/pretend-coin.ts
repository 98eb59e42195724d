/** A small good plugin and its rehearsal, to be broken in one place at a time. */
import { auxPowRehearsal } from "../../src/kit/auxpow-rehearsal.ts";
import type { Rehearsal, Stage } from "../../src/kit/rehearsal.ts";
import {
  type AuxWork,
  type BlockStatus,
  type Chain,
  type ChainPlugin,
  Daemons,
  daemonsConfig,
  daemonsOf,
  Fault,
  fromHex,
  type Host,
  type Outcome,
  Polling,
  targetFromCompact,
  toHex,
  z,
} from "../../src/plugin.ts";

export const config = z.strictObject({
  payout: z.string().min(1),
  poll_s: z.number().min(0.01),
  daemons: daemonsConfig,
});

const work = z.object({ hash: z.string(), previousblockhash: z.string(), height: z.int(), bits: z.string() });

/** Parts of the plugin that a broken one does otherwise. */
export interface Ways {
  /** Called with each answer before it is offered; returns what is offered. */
  readonly offered: (work: AuxWork) => unknown;
  /** Called when a poll failed. */
  readonly failed: (host: Host, trouble: string, error: unknown) => void;
  /** Whether to poll now. */
  readonly polls: (host: Host) => boolean;
  readonly submit: (
    chain: { daemons: Daemons; offered: ReadonlySet<string> },
    ...of: Parameters<Chain["submit"]>
  ) => Promise<Outcome>;
  readonly outcome: (answer: { result?: boolean; says?: string }) => Outcome["verdict"];
  readonly status: (found: { confirmations: number } | Fault) => BlockStatus;
}

export const goodWays: Ways = {
  offered: (each) => each,
  failed: (host, trouble) => {
    host.trouble(trouble);
    host.offer(undefined);
  },
  polls: (host) => !host.signal.aborted,
  async submit({ daemons }, { auxpow, work: { id } }, signal) {
    if (auxpow === undefined) throw new TypeError("no auxpow");
    const result = await daemons.call("submitauxblock", [id, toHex(auxpow)], z.boolean(), { signal, tells: false });
    return { verdict: result ? "accepted" : "rejected", reason: "" };
  },
  outcome: ({ says = "" }) => (says === "duplicate" ? "duplicate" : /unknown/.test(says) ? "stale" : "rejected"),
  status(found) {
    const none = { confirmations: 0, reward: undefined };
    if (found instanceof Fault) {
      if (found.data.rpcCode !== -5) throw found;
      return { ...none, state: "unknown" };
    }
    const { confirmations } = found;
    if (confirmations < 1) return { ...none, state: "orphaned" };
    return { ...none, state: confirmations >= 100 ? "mature" : "confirmed", confirmations };
  },
};

/** Makes the plugin. */
export function pretendCoin(changed: Partial<Ways> = {}): ChainPlugin<typeof config> {
  const ways = { ...goodWays, ...changed };
  return {
    name: "pretendcoin",
    api: 1,
    coin: { symbol: "PRT", decimals: 8 },
    config,
    open: (settings, host) => {
      const daemons = new Daemons({ host, daemons: daemonsOf(settings.daemons, host) });
      const offered = new Set<string>();
      const run = async (signal: AbortSignal): Promise<void> => {
        if (!ways.polls(host)) return;
        try {
          const answer = await daemons.call("createauxblock", [settings.payout], work, { signal });
          if (!ways.polls(host)) return;
          host.trouble(undefined);
          offered.add(answer.hash);
          host.offer(
            ways.offered({
              id: answer.hash,
              hash: fromHex(answer.hash),
              parent: answer.previousblockhash,
              height: answer.height,
              target: targetFromCompact(Number.parseInt(answer.bits, 16)),
              value: undefined,
              details: {},
            }) as AuxWork,
          );
        } catch (error) {
          if (!signal.aborted && ways.polls(host)) ways.failed(host, daemons.trouble() ?? String(error), error);
        }
      };
      const polling = new Polling({ clock: host.clock }, { everyMs: settings.poll_s * 1000, run });
      return {
        start: async () => polling.poke(),
        stop: async () => void (await Promise.all([polling.stop(), daemons.stop()])),
        commit: ({ hash }) => ({ kind: "auxpow", chainId: 9, strictChainId: true, hash }),
        submit: async (proof, signal) => {
          try {
            return await ways.submit({ daemons, offered }, proof, signal);
          } catch (error) {
            if (!(error instanceof Fault) || error.code !== "node-rpc-error") throw error;
            const says = String(error.data.says);
            return { verdict: ways.outcome({ says }), reason: says };
          }
        },
        status: async ({ blockHash }, signal) => {
          const found = await daemons
            .call("getblockheader", [blockHash], z.object({ confirmations: z.int() }), { signal })
            .catch((error: unknown) => {
              if (error instanceof Fault) return error;
              throw error;
            });
          return ways.status(found);
        },
      };
    },
  };
}

/** The same plugin whose chains are changed as they are opened. */
export function withChain(change: (chain: Chain, host: Host) => Partial<Chain>, base = pretendCoin()): ChainPlugin {
  return {
    ...base,
    open: (settings: z.output<typeof config>, host: Host) => {
      const chain = base.open(settings, host);
      return { ...chain, ...change(chain, host) };
    },
  } as ChainPlugin;
}

/** Its package.json. */
export const packageJson = {
  name: "bllvm-stratum-v2-plugin-pretendcoin",
  version: "1.2.3",
  description: "Pretends",
  type: "module",
  main: "./index.js",
  "bllvm-stratum-v2": { plugin: "pretendcoin", api: 1 },
};

const stages = auxPowRehearsal({ chainId: 9, strictChainId: true, config: { payout: "address" } });

/** Its rehearsal, with fast polling and an answer for duplicates. `change` is laid over each stage. */
export function pretendRehearsal(change: (stage: Stage) => Partial<Stage> = () => ({})): Rehearsal {
  return {
    open: async () => {
      const stage = await stages.open();
      const changed: Partial<Stage> = { config: { ...(stage.config as object), poll_s: 0.05 }, ...change(stage) };
      return new Proxy(stage, {
        get: (target, name) => {
          if (name in changed) return changed[name as keyof Stage];
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

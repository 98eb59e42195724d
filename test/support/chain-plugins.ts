/** Plugins of chains as tests want them: well-behaved unless told otherwise, and remembering what was done to them. */
import { z } from "zod";
import type { Chain, ChainPlugin, Host, Outcome, Proof } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";

/** Work that any hash solves, unless `changes` say otherwise. */
export function makeWork(changes: Partial<AuxWork> = {}): AuxWork {
  const hash = new Uint8Array(32).fill(0x11);
  return {
    id: "11".repeat(32),
    hash,
    parent: "tip",
    height: 5,
    target: 1n << 255n,
    value: undefined,
    details: {},
    ...changes,
  };
}

/** A proof of `work`, good enough for a plugin that does not look. */
export function makeProof(work: AuxWork = makeWork()): Proof {
  return {
    work,
    header: new Uint8Array(80),
    headerHash: new Uint8Array(32),
    coinbase: new Uint8Array(100),
    merkleBranch: [],
    transactionCount: 1,
    auxpow: undefined,
  };
}

/** What a test may look at and change. */
export interface TestPlugin extends ChainPlugin {
  /** Hosts of all chains that were opened, oldest first. */
  readonly hosts: Host[];
  /** Calls in order: `open`, `start`, `stop`. */
  readonly calls: string[];
  /** Configurations that were opened. */
  readonly configs: unknown[];
  /** Stands in for the methods of chains that are opened from now on, and of those that are open. */
  behaviour: Partial<Chain>;
  /** Thrown by `open`. */
  refusal: Error | undefined;
}

/** The outcome that chains of tests give. */
export const ACCEPTED: Outcome = { verdict: "accepted", reason: "" };

/** A plugin called `name`. */
export function testPlugin(name = "fake"): TestPlugin {
  const plugin: TestPlugin = {
    name,
    api: 1,
    coin: { symbol: "FAK", decimals: 8 },
    config: z.strictObject({ payout: z.string().default("me"), password: z.string().optional() }),
    hosts: [],
    calls: [],
    configs: [],
    behaviour: {},
    refusal: undefined,
    open(config, host) {
      plugin.calls.push("open");
      if (plugin.refusal !== undefined) throw plugin.refusal;
      plugin.hosts.push(host);
      plugin.configs.push(config);
      const standard: Chain = {
        start: async () => undefined,
        stop: async () => undefined,
        commit: (work) => ({ kind: "auxpow", chainId: 7, hash: work.hash, strictChainId: false }),
        submit: async () => ACCEPTED,
        status: async () => ({ state: "confirmed", confirmations: 1, reward: undefined }),
      };
      const of = <N extends "commit" | "submit" | "status">(method: N): Chain[N] =>
        plugin.behaviour[method] ?? standard[method];
      const chain: Chain = {
        start: () => {
          plugin.calls.push("start");
          return (plugin.behaviour.start ?? standard.start)();
        },
        stop: () => {
          plugin.calls.push("stop");
          return (plugin.behaviour.stop ?? standard.stop)();
        },
        ...(plugin.behaviour.chainId === undefined ? {} : { chainId: plugin.behaviour.chainId }),
        commit: (work) => of("commit")(work),
        verify: (proof) => plugin.behaviour.verify?.(proof),
        submit: (proof, signal) => of("submit")(proof, signal),
        status: (block, signal) => of("status")(block, signal),
      };
      return chain;
    },
  };
  return plugin;
}

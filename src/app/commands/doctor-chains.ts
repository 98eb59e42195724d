/** `doctor` for auxiliary chains: each is really started, and asked for its first work. */
import { difficultyOfTarget } from "../../bitcoin/target.ts";
import { diskPlugins } from "../../host/plugin-files.ts";
import { PluginHost } from "../../host/plugin-host.ts";
import { sleep } from "../../kernel/clock.ts";
import { Bus } from "../../kernel/events.ts";
import { Fault } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { silentMeter } from "../../kernel/meter.ts";
import type { MergeEvents } from "../../merge/found-aux.ts";
import type { Commitment } from "../../merge/plugin.ts";
import { commitmentsFlaw, workFlaw } from "../../merge/shapes.ts";
import type { AuxWork } from "../../mining/aux.ts";
import { chainScopes } from "../chain-scope.ts";
import type { LoadedConfig } from "../config/load.ts";
import { catchLooseEnds } from "../loose-ends.ts";
import { pluginLoader } from "../parts.ts";
import { type MergeSettings, mergeSettingsOf } from "../settings.ts";
import { systemClock, systemRandom } from "../system.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly result: "ok" | "warning" | "failed";
  /** What was seen. */
  readonly detail: string;
  /** What to do; only for warnings and failures. */
  readonly fix?: string;
}

/** Work is there within a second when a daemon answers; slow ones get this long. */
const WAIT_MS = 8000;
const ASK_MS = 50;

/** Findings about every chain that is to be mined; `failed` words an error. */
export async function checkChains(
  loaded: LoadedConfig,
  failed: (check: string, error: unknown) => Finding,
): Promise<Finding[]> {
  const settings = mergeSettingsOf(loaded);
  const wanted = settings.chains.filter(({ enabled }) => enabled);
  const hosts = new Map<string, PluginHost>();
  // What a plugin forgot to catch is that chain's trouble here too, and no end of all the other checks.
  const release = catchLooseEnds({
    log: silentLog,
    clock: systemClock,
    host: {
      codeFolders: () => new Map([...hosts.values()].flatMap((host) => [...host.codeFolders()])),
      blame: (chain, error) => hosts.get(chain)?.blame(chain, error),
    },
  });
  const tried = await Promise.all(
    wanted.map(async (chain): Promise<Tried> => {
      const check = `chain ${chain.name}`;
      try {
        return await tryChain(check, { ...settings, chains: [chain] }, (host) => hosts.set(chain.name, host));
      } catch (error) {
        return { finding: failed(check, error), chainId: undefined };
      }
    }),
  );
  release();
  const owners = new Map<number, string>();
  return tried.map(({ finding, chainId }, i) => {
    const chain = wanted[i]?.name;
    if (chainId === undefined || chain === undefined) return finding;
    const other = owners.get(chainId);
    if (other !== undefined) return failed(finding.check, new Fault("merge-chain-id-twice", { chainId, chain, other }));
    owners.set(chainId, chain);
    return finding;
  });
}

/** What came of one chain. */
interface Tried {
  readonly finding: Finding;
  /** Its ID in the tree of AuxPoW chains; `undefined` when it has none, or offered no work. */
  readonly chainId: number | undefined;
}

async function tryChain(check: string, settings: MergeSettings, onHost: (host: PluginHost) => void): Promise<Tried> {
  let work: AuxWork | undefined;
  let commit: ((work: AuxWork) => readonly Commitment[]) | undefined;
  let chainId: number | undefined;
  const host = new PluginHost(
    {
      clock: systemClock,
      log: silentLog,
      meter: silentMeter,
      random: systemRandom(),
      bus: new Bus<MergeEvents>({ onError() {} }),
      mergeMining: {
        addChain: ({ chain }) => {
          commit = (offered) => chain.commit(offered);
        },
        removeChain() {},
        arrange() {},
        offer(_, offered) {
          if (offered === undefined) return;
          const flaw = workFlaw(offered);
          if (flaw !== undefined) throw new Error(flaw);
          const commitments = commit?.(offered) ?? [];
          const wrong = commitmentsFlaw(commitments);
          if (wrong !== undefined) throw new Error(wrong);
          chainId = commitments.find((each) => each.kind === "auxpow")?.chainId;
          work = offered;
        },
        drained: async () => undefined,
      },
      scopes: chainScopes(),
      files: diskPlugins,
      loader: pluginLoader(),
    },
    { drainMs: 0 },
  );
  onHost(host);
  await host.apply(settings);
  await host.start(new AbortController().signal);
  try {
    const deadlineMs = systemClock.monotonicMs() + WAIT_MS;
    while (work === undefined && systemClock.monotonicMs() < deadlineMs) await sleep(systemClock, ASK_MS);
    const [health] = host.chains();
    if (work !== undefined) return { finding: found(check, work), chainId };
    const finding: Finding = {
      check,
      result: "failed",
      detail: health?.trouble ?? `it offered no work within ${WAIT_MS / 1000} s`,
      fix: `See that its daemon runs and is synchronised; plugins/${health?.plugin}/README.md says what it needs and what its errors mean.`,
    };
    return { finding, chainId };
  } finally {
    await host.stop();
  }
}

function found(check: string, { height, target }: AuxWork): Finding {
  const difficulty = target === 0n ? "" : `, difficulty ${difficultyOfTarget(target).toPrecision(4)}`;
  return { check, result: "ok", detail: `its plugin offers work at height ${height}${difficulty}` };
}

/** `doctor` for auxiliary chains: each is really started, and asked for its first work. */
import { difficultyOfTarget } from "../../bitcoin/target.ts";
import { diskPlugins } from "../../host/plugin-files.ts";
import { PluginHost } from "../../host/plugin-host.ts";
import { sleep } from "../../kernel/clock.ts";
import { Bus } from "../../kernel/events.ts";
import { silentLog } from "../../kernel/log.ts";
import { silentMeter } from "../../kernel/meter.ts";
import type { MergeEvents } from "../../merge/found-aux.ts";
import { commitmentsFlaw, workFlaw } from "../../merge/shapes.ts";
import type { AuxWork } from "../../mining/aux.ts";
import { chainScopes } from "../chain-scope.ts";
import type { LoadedConfig } from "../config/load.ts";
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
  return await Promise.all(
    wanted.map(async (chain) => {
      const check = `chain ${chain.name}`;
      try {
        return await tryChain(check, { ...settings, chains: [chain] });
      } catch (error) {
        return failed(check, error);
      }
    }),
  );
}

async function tryChain(check: string, settings: MergeSettings): Promise<Finding> {
  let work: AuxWork | undefined;
  let commit: ((work: AuxWork) => unknown) | undefined;
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
          const flaw = workFlaw(offered) ?? commitmentsFlaw(commit?.(offered));
          if (flaw !== undefined) throw new Error(flaw);
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
  await host.apply(settings);
  await host.start(new AbortController().signal);
  try {
    const deadlineMs = systemClock.monotonicMs() + WAIT_MS;
    while (work === undefined && systemClock.monotonicMs() < deadlineMs) await sleep(systemClock, ASK_MS);
    const [health] = host.chains();
    if (work !== undefined) return found(check, work);
    return {
      check,
      result: "failed",
      detail: health?.trouble ?? `it offered no work within ${WAIT_MS / 1000} s`,
      fix: `See that its daemon runs and is synchronised; plugins/${health?.plugin}/README.md says what it needs and what its errors mean.`,
    };
  } finally {
    await host.stop();
  }
}

function found(check: string, { height, target }: AuxWork): Finding {
  const difficulty = target === 0n ? "" : `, difficulty ${difficultyOfTarget(target).toPrecision(4)}`;
  return { check, result: "ok", detail: `its plugin offers work at height ${height}${difficulty}` };
}

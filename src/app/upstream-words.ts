/** What an operator is told of pool mode: at start whose the coinbase is, and so which chains rest, and when they do not; later which pool works. */

import type { UpstreamStatus } from "../upstream/standing.ts";
import { RESTS_IN_POOL_MODE } from "./chain-settings.ts";
import { spanText } from "./reports/time-text.ts";
import type { Settings } from "./settings.ts";
import { SOLO } from "./upstream-settings.ts";

/** A line for the log. */
export interface StartWords {
  readonly level: "info" | "warn";
  readonly message: string;
}

/** Everything that is to be said; nothing without pools above. */
export function poolModeWords({
  upstream,
  chains,
  config,
}: Pick<Settings, "upstream" | "chains" | "config">): StartWords[] {
  if (upstream === undefined) return [];
  const { pools, fallback } = upstream;
  const names = pools.map(({ name }) => name).join(", then ");
  const isSolo = fallback === "solo";
  const last = isSolo ? ", and own templates while none works" : "";
  const words: StartWords[] = [
    {
      level: "info",
      message: `pool mode: jobs come from ${names}${last}; the pool owns the coinbase and pays \`user\` for what its shares are worth`,
    },
  ];
  const declaring = pools.flatMap(({ name, jds }) => (jds === undefined ? [] : [name]));
  if (declaring.length > 0) {
    const mined = chains.flatMap(({ name, enabled }) => (enabled ? [name] : []));
    const with_ = mined.length === 0 ? "" : `, with the commitments of ${mined.join(", ")}`;
    words.push({ level: "info", message: `jobs of ours are declared to ${declaring.join(", ")}${with_}` });
    if (declaring.length === pools.length) return words;
  }
  const resting = chains.filter(({ enabled, restsBecause }) =>
    isSolo ? enabled : restsBecause === RESTS_IN_POOL_MODE,
  );
  if (resting.length > 0) {
    const rest = resting.map(({ name }) => name).join(", ");
    const verb = resting.length === 1 ? "rests" : "rest";
    words.push(
      isSolo
        ? {
            level: "info",
            message: `${rest} ${verb} while a pool is mined for, and ${resting.length === 1 ? "is" : "are"} mined with own templates`,
          }
        : {
            level: "warn",
            message: `${rest} ${verb}: nothing can be committed to in a pool's coinbase; [upstream] fallback = "solo" mines them while no pool works`,
          },
    );
  }
  if (config.bitcoin.coinbase_pays === "identity") {
    const message = `coinbase_pays = "identity" holds for own templates${isSolo ? "" : ", of which there are none"}; a pool pays \`user\``;
    words.push({ level: isSolo ? "info" : "warn", message });
  }
  return words;
}

/** Lines about the pools for people; none without pools above. */
export function poolLines(upstream: UpstreamStatus | undefined): string[] {
  if (upstream === undefined) return [];
  const { miningFor, forMs, pools } = upstream;
  const now =
    miningFor === undefined
      ? "no pool works"
      : miningFor === SOLO
        ? "own templates are mined"
        : `mining for ${miningFor}`;
  return [
    `${now}, for ${spanText(forMs)}`,
    ...pools.map(({ name, state, trouble, retryInMs }) => {
      const again = retryInMs === undefined ? "" : `, tried again in ${Math.ceil(retryInMs / 1000)} s`;
      return `${name}  ${POOL_STATES[state]}${again}${trouble === undefined || state === "mining" ? "" : `; the last time: ${trouble}`}`;
    }),
  ];
}

const POOL_STATES: Readonly<Record<UpstreamStatus["pools"][number]["state"], string>> = {
  mining: "is mined for",
  ready: "works and stands by",
  dialling: "is being dialled",
  waiting: "does not work",
  resting: "is not needed",
};

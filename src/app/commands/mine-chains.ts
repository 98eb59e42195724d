/** `mine --chains`: what the server tells of its chains on a second connection, a line for each of them. */
import type { Dial } from "../../client/link.ts";
import type { ServerAddress } from "../../client/url.ts";
import type { ReportedChain } from "../../devnet/miner/chain-statistics-client.ts";
import { ChainWatch } from "../../devnet/miner/chain-watch.ts";
import { silentLog } from "../../kernel/log.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { systemClock, systemRandom } from "../system.ts";

/** Seconds between reports. */
const INTERVAL_S = 10;

/** Says an event of `mine`: as a sentence, or as JSON. */
export type Tell = (event: string, sentence: string, facts: Readonly<Record<string, unknown>>) => void;

/** A watch of the server's chains, to be started; `dial` is the miner's, so that both share a QUIC connection. */
export function watchChains(server: ServerAddress, dial: Dial, tell: Tell): ChainWatch {
  return new ChainWatch(
    {
      clock: systemClock,
      random: systemRandom(),
      crypto: nodeCrypto({ log: silentLog }),
      dial,
      onReport(chains) {
        for (const chain of chains) tell("chain", chainSentence(chain), { ...chain });
      },
      onRefused: (reason) => tell("chainsRefused", `no chain statistics: ${reason}`, { reason }),
    },
    { server, intervalS: INTERVAL_S },
  );
}

/** `namecoin: height 815000, difficulty 68700000000, in the job; 3 found, 2 accepted`. */
export function chainSentence({ chain, height, difficulty, inJob, found, accepted }: ReportedChain): string {
  const isAtWork = height !== undefined && difficulty !== undefined;
  const work = isAtWork ? `height ${height}, difficulty ${Number(difficulty.toPrecision(3))}` : "no work";
  return `${chain}: ${work}, ${inJob ? "in the job" : "not in the job"}; ${found} found, ${accepted} accepted`;
}

/** An embedded Namecoin daemon for unit tests: no network, fake clock, seeded randomness. */
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import type { NamecoinDaemonOptions } from "../../src/devnet/namecoin/options.ts";
import { FakeClock } from "./fake-clock.ts";
import { simpleProof } from "./parent-block.ts";
import { recordingLog } from "./recording-log.ts";
import { seededRandom } from "./seeded-random.ts";

/** An address of Namecoin's regtest, from a recorded call. */
export const NAMECOIN_ADDRESS = "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ";

/** What createauxblock answers. */
export interface AuxBlock {
  readonly hash: string;
  readonly chainid: number;
  readonly previousblockhash: string;
  readonly coinbasevalue: number;
  readonly bits: string;
  readonly height: number;
  readonly _target: string;
}

/** The daemon, the clock it lives by and its RPC in short. */
export function namecoin(options: NamecoinDaemonOptions = {}, seed = 1) {
  const clock = new FakeClock();
  const log = recordingLog();
  const daemon = new NamecoinDaemon({ clock, random: seededRandom(seed), log }, options);
  const call = (method: string, ...params: readonly unknown[]): Promise<unknown> => daemon.call(method, params);
  return {
    daemon,
    clock,
    log,
    call,
    create: (address = NAMECOIN_ADDRESS) => call("createauxblock", address) as Promise<AuxBlock>,
    submit: (hash: string, proof = solve(hash)) => call("submitauxblock", hash, proof),
    confirmations: async (hash: string) =>
      ((await call("getblockheader", hash)) as { readonly confirmations: number }).confirmations,
  };
}

/** A proof for the block `hash` at regtest's easiest target. */
export function solve(hash: string, firstNonce = 0): string {
  return simpleProof(hash, 2n ** 255n - 1n, { firstNonce });
}

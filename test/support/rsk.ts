/** An embedded RSK node for unit tests: no network, fake clock, seeded randomness; and submissions put together by hand. */
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import type { RskDaemonOptions } from "../../src/devnet/rsk/options.ts";
import { FakeClock } from "./fake-clock.ts";
import { dsha, type Parent, type ParentRecipe, parentBlock } from "./parent-block.ts";
import { recordingLog } from "./recording-log.ts";
import { seededRandom } from "./seeded-random.ts";

/** What mnr_getWork answers. */
export interface RskWork {
  readonly blockHashForMergedMining: string;
  readonly target: string;
  readonly feesPaidToMiner: string;
  readonly notify: boolean;
  readonly parentBlockHash: string;
}

/** What a submission answers. */
export interface RskSubmitted {
  readonly blockImportedResult: string;
  readonly blockHash: string;
  readonly blockIncludedHeight: string;
}

/** The node, the clock it lives by and its RPC in short. */
export function rsk(options: RskDaemonOptions = {}, seed = 1) {
  const clock = new FakeClock();
  const log = recordingLog();
  const daemon = new RskDaemon({ clock, random: seededRandom(seed), log }, options);
  const call = (method: string, ...params: readonly unknown[]): Promise<unknown> => daemon.call(method, params);
  return {
    daemon,
    clock,
    log,
    call,
    work: () => call("mnr_getWork") as Promise<RskWork>,
    submit: (params: readonly string[]) =>
      call("mnr_submitBitcoinBlockPartialMerkle", ...params) as Promise<RskSubmitted>,
  };
}

/** `RSKBLOCK:` and a hash in an OP_RETURN output's script. */
export function tagScript(hash: string): Buffer {
  return Buffer.concat([Buffer.of(0x6a, 0x29), Buffer.from("RSKBLOCK:"), Buffer.from(hash.replace(/^0x/, ""), "hex")]);
}

/** A parent block whose coinbase has the tag in its last output, and more or something else when asked. */
export function taggedParent(
  work: Pick<RskWork, "blockHashForMergedMining" | "target">,
  more: Partial<ParentRecipe> = {},
): Parent {
  return parentBlock({
    scriptSig: Buffer.alloc(10, 0x22),
    outputs: [Buffer.of(0x51), tagScript(work.blockHashForMergedMining)],
    target: BigInt(work.target),
    ...more,
  });
}

/** The parameters of mnr_submitBitcoinBlockPartialMerkle. */
export function partialMerkle(parent: Parent): string[] {
  const hashes = [parent.txid, ...parent.branch].map((hash) => Buffer.from(hash).toString("hex"));
  const count = 2 ** parent.branch.length;
  return ["00", parent.header.toString("hex"), parent.coinbase.toString("hex"), hashes.join(" "), count.toString(16)];
}

/** The ASCII behind `0x`. */
export function ascii(hex: string): string {
  return Buffer.from(hex.slice(2), "hex").toString();
}

/** The root of two leaves. */
export function pair(left: Uint8Array, right: Uint8Array): Buffer {
  return dsha(Buffer.concat([left, right]));
}

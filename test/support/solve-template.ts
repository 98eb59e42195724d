/** Makes a whole block of a template, with proof of work where the target is easy, as the pool would after a share. */
import { assembleBlock } from "../../src/bitcoin/block.ts";
import { coinbaseHalves, withWitness } from "../../src/bitcoin/coinbase.ts";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { HeaderHasher, headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import { foldMerklePath } from "../../src/bitcoin/merkle.ts";
import { concat } from "../../src/kernel/bytes.ts";
import type { FoundBlock } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";

/** What may be varied. */
export interface SolveOptions {
  /** scriptPubKey of the payout. */
  readonly payout?: Uint8Array;
  /** Added to the coinbase value, to make a block that is refused. */
  readonly extraValue?: bigint;
  /** Twenty bytes; blocks of the same template with different ones differ. */
  readonly extranonce?: Uint8Array;
  /** Do not search a nonce. */
  readonly unsolved?: boolean;
}

/** The block, ready to be submitted. */
export function solveTemplate(template: Template, options: SolveOptions = {}): FoundBlock {
  const { coinbase } = template;
  const extranonce = options.extranonce ?? new Uint8Array(20);
  const reward = template.coinbaseValue + (options.extraValue ?? 0n);
  const { prefix, suffix } = coinbaseHalves({
    txVersion: coinbase.txVersion,
    scriptSigPrefix: coinbase.prefix,
    extranonceSize: extranonce.length,
    sequence: coinbase.sequence,
    outputs: [{ value: reward, script: options.payout ?? Uint8Array.of(0x51) }, ...coinbase.outputs],
    lockTime: coinbase.lockTime,
  });
  const stripped = concat(prefix, extranonce, suffix);
  const header = {
    version: template.version,
    prevHash: template.prevHash,
    merkleRoot: foldMerklePath(sha256d(stripped), template.merklePath),
    time: template.curTime,
    nBits: template.nBits,
    nonce: 0,
  };
  const nonce = options.unsolved ? 0 : new HeaderHasher(serializeHeader(header)).search(0, 2 ** 24, template.target);
  if (nonce === undefined) throw new Error("no nonce found");
  const header80 = serializeHeader({ ...header, nonce });
  const full = withWitness(stripped, coinbase.witness);
  return {
    hash: headerHash(header80),
    height: template.height,
    prevHash: template.prevHash,
    templateId: template.id,
    source: template.source,
    header: header80,
    coinbase: full,
    block: template.transactions === undefined ? undefined : assembleBlock(header80, full, template.transactions),
    reward,
    finderReward: 0n,
    finderAddress: undefined,
    userIdentity: "tester",
    foundMs: 1_700_000_000_000,
  };
}

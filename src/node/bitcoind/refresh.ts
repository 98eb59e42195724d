/**
 * When a template of the same previous block is worth a new job. Every job costs each miner a message and a little work,
 * so a template that pays the same waits its turn, and one that pays clearly more does not.
 */
import { equal } from "../../kernel/bytes.ts";
import { isSameWork, type Template } from "../../mining/template.ts";

/** The refresh policy. */
export interface RefreshOptions {
  /** Least ms between two templates of the same previous block. */
  readonly refreshMs: number;
  /** Rise of the coinbase value that does not wait, as a fraction of it: 0.01 is one percent. */
  readonly feeRise: number;
}

/** Whether `next` is worth a job, given the template `last` of the same node that was offered `ageMs` ago. */
export function isWorthAJob(last: Template, next: Template, ageMs: number, options: RefreshOptions): boolean {
  if (!isSameWork(last, next)) return true;
  if (!isOther(last, next)) return false;
  const rise = Number(next.coinbaseValue - last.coinbaseValue);
  return ageMs >= options.refreshMs || (rise > 0 && rise >= Number(last.coinbaseValue) * options.feeRise);
}

/** Seconds by which the header time may fall behind before it alone is worth a new job. */
const OLD_TIME_S = 60;

/** Whether a block made of `next` would differ from one of `last` in more than a little time. */
function isOther(last: Template, next: Template): boolean {
  if (next.curTime - last.curTime >= OLD_TIME_S) return true;
  if (last.coinbaseValue !== next.coinbaseValue || last.version !== next.version) return true;
  if (last.transactionCount !== next.transactionCount || last.merklePath.length !== next.merklePath.length) return true;
  return !last.merklePath.every((sibling, i) => equal(sibling, next.merklePath[i] as Uint8Array));
}

/**
 * Transactions by wtxid, so that clients need not send what is here already: those of our newest templates, and those of declared jobs. Bounded by bytes.
 * That a transaction is here is told to whoever names its wtxid, which nobody can who does not have it; its bytes are told to nobody.
 */
import { sha256d } from "../../bitcoin/hash.ts";
import { stripWitness } from "../../bitcoin/transaction.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Template } from "../../mining/template.ts";

/** Templates whose transactions are known: a declaration may be of the one before. */
const TEMPLATES_KEPT = 2;

/** A transaction with what a block needs of it. */
export interface KnownTransaction {
  /** As in the block, with witness. */
  readonly raw: Uint8Array;
  /** `Uint8Array(32)`, internal byte order. */
  readonly txid: Uint8Array;
  /** Weight units (BIP141). */
  readonly weight: number;
}

/** Reads a transaction. Throws as `stripWitness`. */
export function knownTransaction(raw: Uint8Array): KnownTransaction {
  const stripped = stripWitness(raw);
  return { raw, txid: sha256d(stripped), weight: 3 * stripped.length + raw.length };
}

interface Held {
  readonly transaction: KnownTransaction;
  users: number;
}

/** The store. */
export class TransactionStore {
  readonly #held = new Map<string, Held>();
  /** Raw transactions of our templates, the oldest template first; read when they are first asked for. */
  readonly #templates: { readonly id: string; readonly raws: Map<string, Uint8Array | KnownTransaction> }[] = [];
  #bytes = 0;

  /** Bytes of the transactions of declared jobs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes the transactions of a template of ours known. */
  useTemplate({ id, wtxids, transactions }: Template): void {
    if (wtxids === undefined || transactions === undefined) return;
    const raws = new Map<string, Uint8Array | KnownTransaction>();
    for (const [i, wtxid] of wtxids.entries()) raws.set(toHex(wtxid), transactions[i] as Uint8Array);
    this.#templates.push({ id, raws });
    if (this.#templates.length > TEMPLATES_KEPT) this.#templates.shift();
  }

  /** The transaction with a wtxid in hex, internal byte order; `undefined` for one that is not here. */
  find(wtxid: string): KnownTransaction | undefined {
    const held = this.#held.get(wtxid);
    if (held !== undefined) return held.transaction;
    for (const { raws } of this.#templates) {
      const found = raws.get(wtxid);
      if (found === undefined) continue;
      const read = found instanceof Uint8Array ? knownTransaction(found) : found;
      raws.set(wtxid, read);
      return read;
    }
    return undefined;
  }

  /** Bytes that `hold` would add. */
  added(transactions: ReadonlyMap<string, KnownTransaction>): number {
    let sum = 0;
    for (const [wtxid, { raw }] of transactions) if (!this.#held.has(wtxid)) sum += raw.length;
    return sum;
  }

  /** Keeps the transactions of a declared job, by wtxid in hex, until they are released. */
  hold(transactions: ReadonlyMap<string, KnownTransaction>): void {
    for (const [wtxid, transaction] of transactions) {
      const held = this.#held.get(wtxid);
      if (held !== undefined) held.users += 1;
      else {
        this.#held.set(wtxid, { transaction, users: 1 });
        this.#bytes += transaction.raw.length;
      }
    }
  }

  /** A declared job is forgotten. */
  release(wtxids: Iterable<string>): void {
    for (const wtxid of wtxids) {
      const held = this.#held.get(wtxid);
      if (held === undefined) continue;
      held.users -= 1;
      if (held.users > 0) continue;
      this.#held.delete(wtxid);
      this.#bytes -= held.transaction.raw.length;
    }
  }
}

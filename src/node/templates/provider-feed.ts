/**
 * What one provider said, as templates of ours (spec 7.2, 7.3): a future template waits for the SetNewPrevHash that names it, others are on the tip that is
 * known. What no block can be made of costs the provider its connection.
 */
import { findWitnessCommitment, readHeightPush } from "../../bitcoin/coinbase.ts";
import { targetFromBytes, targetFromCompact } from "../../bitcoin/target.ts";
import { parseOutputSequence, type TxOutput } from "../../bitcoin/transaction.ts";
import { Fault } from "../../kernel/fault.ts";
import type { TemplateCause } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import type { TEMPLATES } from "../../sv2/messages/templates.ts";
import type { Value } from "../../sv2/table.ts";

/** Future templates that may wait for their tip. */
const MAX_FUTURE = 8;

/** Levels of a block's merkle tree at most. */
const MAX_LEVELS = 17;

/** All coins there can be, sat. */
const MAX_VALUE = 2_100_000_000_000_000n;

/** What of the scriptSig a provider may fix (spec 7.2). */
const MAX_PREFIX = 8;

type NewTemplate = Value<typeof TEMPLATES.NewTemplate>;
type SetNewPrevHash = Value<typeof TEMPLATES.SetNewPrevHash>;
type Tip = Pick<Template, "prevHash" | "nBits" | "target" | "minTime">;

/** A template that still lacks its tip. */
type Draft = Omit<Template, keyof Tip | "curTime">;

/** What the feed works with. */
export interface ProviderFeedDeps {
  /** Name of the provider, in faults. */
  readonly provider: string;
  /** `Template.source`. */
  readonly source: string;
  /** `Template.id` of a provider's number. */
  readonly idOf: (templateId: bigint) => string;
  /** What a template that comes now leaves for outputs. */
  readonly room: (isFuture: boolean) => Template["coinbaseRoom"];
  /** A template to be mined now. */
  readonly offer: (template: Template, cause: TemplateCause, templateId: bigint) => void;
}

/** The feed of one connection. */
export class ProviderFeed {
  readonly #deps: ProviderFeedDeps;
  readonly #future = new Map<bigint, Draft>();
  #tip: Tip | undefined;

  constructor(deps: ProviderFeedDeps) {
    this.#deps = deps;
  }

  /** Takes a template. Throws `Fault("template-provider-violation")`. */
  newTemplate(message: NewTemplate): void {
    const draft = this.#draft(message);
    const { templateId } = message;
    if (!message.futureTemplate && this.#tip !== undefined) {
      this.#deps.offer(complete(draft, this.#tip), "refresh", templateId);
      return;
    }
    // One for now that comes before any tip is named waits for it as if it were a future one.
    this.#future.delete(templateId);
    this.#future.set(templateId, draft);
    for (const oldest of this.#future.keys()) {
      if (this.#future.size <= MAX_FUTURE) break;
      this.#future.delete(oldest);
    }
  }

  /** Another tip; the template that it names is mined from now on. Throws `Fault("template-provider-violation")`. */
  setNewPrevHash(message: SetNewPrevHash): void {
    const { templateId, prevHash, nBits, headerTimestamp } = message;
    const target = targetFromCompact(nBits);
    if (target === 0n || targetFromBytes(message.target) !== target) throw this.#violation("nBits and target differ");
    this.#tip = Object.freeze({ prevHash: prevHash.slice(), nBits, target, minTime: headerTimestamp });
    const draft = this.#future.get(templateId);
    this.#future.clear();
    // The provider does not know it any more, or never told it: its next template is on this tip.
    if (draft !== undefined) this.#deps.offer(complete(draft, this.#tip), "newBlock", templateId);
  }

  #draft(message: NewTemplate): Draft {
    const { coinbasePrefix: prefix, coinbaseTxValueRemaining: coinbaseValue, merklePath, templateId } = message;
    const height = readHeightPush(prefix);
    if (height === undefined || prefix.length > MAX_PREFIX) throw this.#violation("its coinbase prefix is no height");
    if (coinbaseValue > MAX_VALUE) throw this.#violation(`it pays ${coinbaseValue} sat`);
    if (merklePath.length > MAX_LEVELS) throw this.#violation(`its merkle path has ${merklePath.length} levels`);
    const outputs = this.#outputs(message);
    const { idOf, source, room } = this.#deps;
    return {
      id: idOf(templateId),
      source,
      height,
      version: message.version,
      coinbaseValue,
      coinbase: Object.freeze({
        txVersion: message.coinbaseTxVersion,
        prefix: prefix.slice(),
        sequence: message.coinbaseTxInputSequence,
        lockTime: message.coinbaseTxLocktime,
        outputs: Object.freeze(outputs),
        // Not in the message: all providers make the commitment with a reserved value of zeros.
        witness: findWitnessCommitment(outputs) === undefined ? [] : [new Uint8Array(32)],
      }),
      merklePath: Object.freeze(merklePath.map((hash) => hash.slice())),
      transactions: undefined,
      // As many as the levels allow: proofs want to know how many levels there are.
      transactionCount: 2 ** merklePath.length,
      coinbaseRoom: room(message.futureTemplate),
    };
  }

  #outputs({ coinbaseTxOutputs, coinbaseTxOutputsCount }: NewTemplate): readonly TxOutput[] {
    let outputs: readonly TxOutput[];
    try {
      outputs = parseOutputSequence(coinbaseTxOutputs.slice());
    } catch (error) {
      if (error instanceof Fault) throw this.#violation("its outputs cannot be read");
      throw error;
    }
    if (outputs.length !== coinbaseTxOutputsCount) {
      throw this.#violation(`it has ${outputs.length} outputs and says ${coinbaseTxOutputsCount}`);
    }
    return outputs;
  }

  #violation(flaw: string): Fault {
    return new Fault("template-provider-violation", { provider: this.#deps.provider, flaw });
  }
}

function complete(draft: Draft, tip: Tip): Template {
  return Object.freeze({ ...draft, ...tip, curTime: tip.minTime });
}

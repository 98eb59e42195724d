/**
 * Reader and writer of one IPC message: the kernel's, with the schema that the message is of, since some types differ by
 * it, and with a budget of list elements.
 *
 * A frame may be 40 MiB, and a list of tiny elements takes many times its bytes as JavaScript values. So a message may hold
 * 2^19 elements of lists in all: more than the inputs of any block or the transactions of a usual mempool, and some
 * hundred megabytes at worst.
 */
import { Fault, type FaultData } from "../../../kernel/fault.ts";
import { Reader } from "../../../kernel/reader.ts";
import { Writer } from "../../../kernel/writer.ts";
import type { Schema } from "./schema.ts";

/** Elements of lists that one message may hold in all. */
export const MAX_ELEMENTS = 1 << 19;

/** Reads one message from front to back. */
export class WireReader extends Reader {
  readonly schema: Schema;
  #elements = 0;

  constructor(bytes: Uint8Array, schema: Schema) {
    super(bytes);
    this.schema = schema;
  }

  /** Fails for what was just read: `Fault("bllvm-message-invalid")` (drop) with `facts`. */
  invalid(facts: FaultData): never {
    throw new Fault("bllvm-message-invalid", { schema: this.schema, offset: this.offset, ...facts });
  }

  /**
   * The u64 count in front of elements that take `least` bytes or more each: never more than the bytes that are left can
   * hold, nor than the budget.
   */
  count(kind: string, least: number): number {
    const count = this.u64();
    if (count * BigInt(least) > BigInt(this.remaining)) {
      return this.invalid({ kind, count, remaining: this.remaining });
    }
    this.#elements += Number(count);
    if (this.#elements > MAX_ELEMENTS) return this.invalid({ kind, elements: this.#elements, max: MAX_ELEMENTS });
    return Number(count);
  }

  /** The bytes behind a u64 length, as a view. */
  sized(kind: string): Uint8Array {
    const length = this.u64();
    if (length > BigInt(this.remaining)) return this.invalid({ kind, length, remaining: this.remaining });
    return this.bytes(Number(length));
  }
}

/** Writes one message from front to back. */
export class WireWriter extends Writer {
  readonly schema: Schema;

  constructor(schema: Schema) {
    super(512);
    this.schema = schema;
  }
}

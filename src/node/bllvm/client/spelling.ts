/**
 * How a request is written where it is not known for sure which version the node speaks: each way that a likely version has, once.
 * A version that was right for one request is the first to be tried for the next.
 */
import { REQUESTS } from "../wire/requests.ts";
import type { Schema } from "../wire/schema.ts";
import type { Operation } from "./operations.ts";

/** The ways of writing each request. */
export class Spelling {
  #schemas: readonly Schema[];
  readonly #ways = new Map<Operation, readonly Schema[]>();

  /** `schemas`: what the node may speak, the likeliest first. */
  constructor(schemas: readonly Schema[]) {
    this.#schemas = schemas;
  }

  /** Schemas that differ in how they write `operation`; they stay in this order. Empty: none of them has it. */
  of(operation: Operation): readonly Schema[] {
    let ways = this.#ways.get(operation);
    if (ways === undefined) {
      const { index } = REQUESTS[operation];
      const first = new Map<number, Schema>();
      for (const schema of this.#schemas) {
        const at = index[schema];
        if (at !== null && !first.has(at)) first.set(at, schema);
      }
      ways = [...first.values()];
      this.#ways.set(operation, ways);
    }
    return ways;
  }

  /** The node took a request that was written in this way. */
  proved(operation: Operation, attempt: number): void {
    const schema = this.of(operation)[attempt];
    if (schema === undefined || schema === this.#schemas[0]) return;
    // A request that the likeliest version lacks proves nothing against it.
    if (REQUESTS[operation].index[this.#schemas[0] ?? schema] === null) return;
    this.#schemas = [schema, ...this.#schemas.filter((other) => other !== schema)];
  }
}

/** The shape of the tables of requests. Its own file, since a request names its response. */
import type { Fields } from "./bincode.ts";
import type { ResponseName } from "./responses.ts";
import type { Columns } from "./schema.ts";

/** A variant of RequestPayload. Its MessageType has the same name. */
export interface RequestRow<F extends Fields = Fields, R extends ResponseName = ResponseName> {
  /** Index in RequestPayload. */
  readonly index: Columns;
  /** What it asks for, as a sentence. */
  readonly doc: string;
  readonly fields: F;
  /** What the node answers. */
  readonly response: R;
  /** The node's permission that it takes; `null` for none. Without it the node closes the connection. */
  readonly permission: string | null;
}

/** States a request; keeps the types of its fields and the name of its response. */
export function request<const F extends Fields, const R extends ResponseName>(row: RequestRow<F, R>): RequestRow<F, R> {
  return row;
}

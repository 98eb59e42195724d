/** A message is a row here too: the shapes of the tables of events and responses. */
import type { Fields } from "./bincode.ts";
import type { Columns } from "./schema.ts";

/** A variant of ResponsePayload. */
export interface ResponseRow<F extends Fields = Fields> {
  /** Index in ResponsePayload. */
  readonly index: Columns;
  /** What it says, as a sentence. */
  readonly doc: string;
  readonly fields: F;
}

/** A variant of EventType and EventPayload. The two number it differently, and N schemas have types that carry nothing. */
export interface EventRow<F extends Fields = Fields> {
  /** Index in EventType: what is subscribed to. */
  readonly type: Columns;
  /** Index in EventPayload: what is sent. */
  readonly index: Columns;
  /** What happened, as a sentence. */
  readonly doc: string;
  readonly fields: F;
}

/** States a response; keeps the types of its fields. */
export function response<const F extends Fields>(row: ResponseRow<F>): ResponseRow<F> {
  return row;
}

/** States an event; keeps the types of its fields. */
export function event<const F extends Fields>(row: EventRow<F>): EventRow<F> {
  return row;
}

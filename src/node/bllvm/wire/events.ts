/** EventType and EventPayload: everything that the node tells its modules, and modules each other through it. */
import type { RecordOf } from "./bincode.ts";
import { tableEnum, unitEnum, type Variant } from "./compound.ts";
import { CHAIN_EVENTS } from "./events/chain.ts";
import { COMMONS_EVENTS } from "./events/commons.ts";
import { MINING_EVENTS } from "./events/mining.ts";
import { MODULE_EVENTS } from "./events/modules.ts";
import { NETWORK_EVENTS } from "./events/network.ts";
import { NODE_EVENTS } from "./events/node.ts";
import { SYNC_EVENTS } from "./events/sync.ts";
import type { Columns } from "./schema.ts";

/** Rows of EventType and EventPayload. */
export const EVENTS = {
  ...CHAIN_EVENTS,
  ...MINING_EVENTS,
  ...NODE_EVENTS,
  ...MODULE_EVENTS,
  ...NETWORK_EVENTS,
  ...SYNC_EVENTS,
  ...COMMONS_EVENTS,
} as const;

/** Name of an event. */
export type EventTypeName = keyof typeof EVENTS;

/** An event: a union that `name` discriminates. */
export type EventPayload = Variant<typeof EVENTS>;

/** What event `N` carries. */
export type EventValue<N extends EventTypeName> = RecordOf<(typeof EVENTS)[N]["fields"]>;

const types = Object.fromEntries(Object.entries(EVENTS).map(([name, { type }]) => [name, type]));

/** The type of an event, by its name. */
export const eventType = unitEnum("EventType", types as Readonly<Record<EventTypeName, Columns>>);

/** An event. */
export const eventPayload = tableEnum("EventPayload", EVENTS);

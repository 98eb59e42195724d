/** RequestPayload: everything that a module asks of the node. */
import type { RecordOf } from "./bincode.ts";
import { tableEnum, type Variant } from "./compound.ts";
import { CHAIN_REQUESTS } from "./requests/chain.ts";
import { MEMPOOL_REQUESTS } from "./requests/mempool.ts";
import { MODULE_REQUESTS } from "./requests/modules.ts";
import { NETWORK_REQUESTS } from "./requests/network.ts";
import { STORAGE_REQUESTS } from "./requests/storage.ts";
import type { RESPONSES } from "./responses.ts";

/** Rows of RequestPayload. */
export const REQUESTS = {
  ...MODULE_REQUESTS,
  ...CHAIN_REQUESTS,
  ...MEMPOOL_REQUESTS,
  ...NETWORK_REQUESTS,
  ...STORAGE_REQUESTS,
} as const;

/** Name of a request. */
export type RequestName = keyof typeof REQUESTS;

/** A request: a union that `name` discriminates. */
export type RequestPayload = Variant<typeof REQUESTS>;

/** What request `N` takes. */
export type RequestValue<N extends RequestName> = RecordOf<(typeof REQUESTS)[N]["fields"]>;

/** What request `N` is answered with. */
export type AnswerTo<N extends RequestName> = RecordOf<(typeof RESPONSES)[(typeof REQUESTS)[N]["response"]]["fields"]>;

/** A request. */
export const requestPayload = tableEnum("RequestPayload", REQUESTS);

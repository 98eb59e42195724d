/** What the embedded RSK node does wrong on purpose, besides what any RPC server can. */
import { Disturbances } from "../rpc/disturbances.ts";

/** How the import of a block can end, in rskj's words. */
export type ImportResult =
  | "IMPORTED_BEST"
  | "IMPORTED_NOT_BEST"
  | "EXIST"
  | "NO_PARENT"
  | "INVALID_BLOCK"
  | "CONSENSUS_BREAK";

/** The misbehaviours in force. */
export class RskDisturbances extends Disturbances {
  /** Behind the network: `eth_syncing` says so and there is no work. */
  syncing = false;
  /** How the import of every submitted good block ends, whatever it is worth. */
  importResult: ImportResult | undefined;

  /** Takes back what was set for `method`, or everything, the fields included. */
  override clear(method?: string): void {
    super.clear(method);
    if (method !== undefined) return;
    this.syncing = false;
    this.importResult = undefined;
  }
}

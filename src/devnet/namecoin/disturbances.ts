/** What the embedded Namecoin daemon does wrong on purpose, besides what any RPC server can. */
import { Disturbances } from "../rpc/disturbances.ts";

/** The misbehaviours in force. */
export class NamecoinDisturbances extends Disturbances {
  /** In initial block download: createauxblock and its kin fail with -10, as on the main network. */
  initialBlockDownload = false;
  /** Without peers: createauxblock and its kin fail with -9, as on the main network. */
  notConnected = false;
  /** Still loading: every method fails with -28 and this sentence, e.g. `Loading block index…`. */
  loading: string | undefined;

  /** Takes back what was set for `method`, or everything, the fields included. */
  override clear(method?: string): void {
    super.clear(method);
    if (method !== undefined) return;
    this.initialBlockDownload = false;
    this.notConnected = false;
    this.loading = undefined;
  }
}

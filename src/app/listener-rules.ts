/** What the keys of the listeners must say together, beyond what each of them may say alone. */
import { Fault } from "../kernel/fault.ts";
import type { Config } from "./config/schema.ts";

/** Throws `Fault("config-invalid")` for half a certificate, and for QUIC connections that end before they are kept alive. */
export function checkListeners({ tls, quic }: Pick<Config, "tls" | "quic">, file: string | undefined): void {
  if (quic.listen_addr !== undefined && quic.keep_alive_s >= quic.idle_timeout_s) {
    const cause = new Error(`found ${quic.keep_alive_s}, expected less than idle_timeout_s (${quic.idle_timeout_s})`);
    throw new Fault("config-invalid", { file, key: "quic.keep_alive_s" }, { cause });
  }
  const { certificate_file: chain, key_file: key } = tls;
  if ((chain === undefined) === (key === undefined)) return;
  const [missing, given] = key === undefined ? ["key_file", "certificate_file"] : ["certificate_file", "key_file"];
  const cause = new Error(`missing: ${given} alone is half a certificate, expected both or none`);
  throw new Fault("config-invalid", { file, key: `tls.${missing}` }, { cause });
}

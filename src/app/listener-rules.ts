/** What the keys of the listeners must say together, beyond what each of them may say alone. */
import { Fault } from "../kernel/fault.ts";
import type { Config } from "./config/schema.ts";

/** Throws `Fault("config-invalid")` for half a certificate. */
export function checkListeners({ tls }: Pick<Config, "tls">, file: string | undefined): void {
  const { certificate_file: chain, key_file: key } = tls;
  if ((chain === undefined) === (key === undefined)) return;
  const [missing, given] = key === undefined ? ["key_file", "certificate_file"] : ["certificate_file", "key_file"];
  const cause = new Error(`missing: ${given} alone is half a certificate, expected both or none`);
  throw new Fault("config-invalid", { file, key: `tls.${missing}` }, { cause });
}

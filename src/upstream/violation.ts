/** One way of saying that a pool breaks the protocol. */
import { Fault } from "../kernel/fault.ts";

/** The fault of a pool that breaks a rule of the mining protocol; it costs the pool the connection. */
export function violation(rule: string, facts: Readonly<Record<string, number | string>>): Fault {
  return new Fault("server-violation", { rule, ...facts });
}

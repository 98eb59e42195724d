/** The node's notices over WebSocket: `eth_subscribe` to `newHeads`, one message for each new best block. */
import { z } from "bllvm-stratum-v2/plugin";

/** Asks for the notices. */
export const SUBSCRIBE = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] });

const message = z.union([
  z.object({
    method: z.literal("eth_subscription"),
    params: z.object({ result: z.object({ hash: z.string().regex(/^0x[0-9a-f]{64}$/i) }) }),
  }),
  // The answer to the subscription: its name.
  z.object({ id: z.literal(1), result: z.string().max(100) }),
]);

/** The hash of the head that a message tells, `undefined` when it tells none. Throws for a refusal and for what is not understood. */
export function readHead(text: string): string | undefined {
  const read = message.parse(JSON.parse(text));
  return "params" in read ? read.params.result.hash : undefined;
}

/** The node's notices over WebSocket (`mining_ws`, hathor-core `mining/ws.py`): the block templates after each change of its graph. */
import { z } from "bllvm-stratum-v2/plugin";

const message = z.union([
  z.object({
    method: z.literal("mining.notify"),
    params: z.array(z.object({ parents: z.array(z.string().regex(/^[0-9a-f]{64}$/i)).min(1) })).max(100),
  }),
  // Whatever else JSON-RPC may bring: answers, other notices.
  z.object({ id: z.unknown() }),
]);

/** The block that the newest template builds on; `undefined` for a message of another kind. Throws for what is no such message. */
export function readParent(text: string): string | undefined {
  const read = message.parse(JSON.parse(text));
  return "params" in read ? read.params[0]?.parents[0] : undefined;
}

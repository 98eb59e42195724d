/** The node's events in the words of the port: what we subscribe to, and what a message of the wire says. */
import { printable } from "../../../daemon/rpc-failure.ts";
import type { BllvmEvents } from "../bllvm-node.ts";
import type { EventPayload, EventTypeName } from "../wire/events.ts";

/** Events of the node, without those that we make of them. */
export type NodeEventName = Exclude<keyof BllvmEvents, "ChainTipUpdated">;

/** What we subscribe to, as far as the node's version has it; the first four are in all. */
export const SUBSCRIBED = [
  "NewBlock",
  "BlockDisconnected",
  "ChainReorg",
  "BlockMined",
  "BlockTemplateUpdated",
  "MiningDifficultyChanged",
  "NodeShutdown",
  "DataMaintenance",
] as const satisfies readonly (NodeEventName & EventTypeName)[];

/** One event with its name. */
export type NodeEvent = { [N in NodeEventName]: { readonly name: N; readonly event: BllvmEvents[N] } }[NodeEventName];

/**
 * What the message says; `undefined` for an event that we did not subscribe to. Byte strings are copies, texts are one line of 200
 * characters at most: any module may have written them.
 */
export function nodeEvent(payload: EventPayload): NodeEvent | undefined {
  switch (payload.name) {
    case "NewBlock": {
      const { blockHash, height } = payload.value;
      return { name: "NewBlock", event: { blockHash: Uint8Array.from(blockHash), height: Number(height) } };
    }
    case "BlockDisconnected": {
      const { hash, height } = payload.value;
      return { name: "BlockDisconnected", event: { hash: Uint8Array.from(hash), height: Number(height) } };
    }
    case "ChainReorg": {
      const { oldTip, newTip } = payload.value;
      return { name: "ChainReorg", event: { oldTip: Uint8Array.from(oldTip), newTip: Uint8Array.from(newTip) } };
    }
    case "BlockMined": {
      const { blockHash, height, minerId } = payload.value;
      const event = {
        blockHash: Uint8Array.from(blockHash),
        height: Number(height),
        minerId: minerId === null ? undefined : printable(minerId),
      };
      return { name: "BlockMined", event };
    }
    case "BlockTemplateUpdated": {
      const { prevHash, height, txCount } = payload.value;
      const event = { prevHash: Uint8Array.from(prevHash), height: Number(height), txCount: Number(txCount) };
      return { name: "BlockTemplateUpdated", event };
    }
    case "MiningDifficultyChanged": {
      const { oldDifficulty, newDifficulty, height } = payload.value;
      const event = { oldNBits: oldDifficulty, newNBits: newDifficulty, height: Number(height) };
      return { name: "MiningDifficultyChanged", event };
    }
    case "NodeShutdown": {
      const { reason, timeoutSeconds } = payload.value;
      return { name: "NodeShutdown", event: { reason: printable(reason), timeoutS: Number(timeoutSeconds) } };
    }
    case "DataMaintenance": {
      const { operation, urgency, reason } = payload.value;
      return {
        name: "DataMaintenance",
        event: { operation: printable(operation), urgency: printable(urgency), reason: printable(reason) },
      };
    }
    default:
      return undefined;
  }
}

/**
 * Which message a frame is, among the tables that a connection speaks (spec 3.4). The channel bit takes no part in the
 * look-up. A message of an unknown extension is no fault: the receiver discards it, or forwards it along its channel.
 */
import type { Frame } from "./frame.ts";
import { checkDirection, type Message, type MessageTable, type Receiver } from "./table.ts";

/** What a look-up needs of a codec; every `Codec` is one. */
export interface Vocabulary {
  readonly table: MessageTable;
  readonly extensionType: number;
  readonly byType: ReadonlyMap<number, string>;
  decode(type: number, payload: Uint8Array): { readonly name: string };
}

/** A frame that no table knows. */
export type Unknown =
  /** No table has this extension type: discard, or forward by channel id when `channel` is set and we are a proxy. */
  | { readonly kind: "unknown-extension"; readonly extensionType: number; readonly channel: boolean }
  /** The extension is ours, but it has no such message. The spec is silent; SRI and firmware log it and go on. */
  | { readonly kind: "unknown-message"; readonly extensionType: number; readonly msgType: number };

/** The row of a frame, or why there is none. */
export type Lookup<C extends Vocabulary> =
  | { readonly kind: "known"; readonly codec: C; readonly name: string; readonly row: Message }
  | Unknown;

/** A decoded frame, or why it is not. */
export type Understood<C extends Vocabulary> =
  | { readonly kind: "message"; readonly message: ReturnType<C["decode"]> }
  | Unknown;

/** Finds the row of `frame` among `codecs`; where two have a type, the first wins. Never throws. */
export function lookup<C extends Vocabulary>(codecs: readonly C[], frame: Frame): Lookup<C> {
  let extensionKnown = false;
  for (const codec of codecs) {
    if (codec.extensionType !== frame.extensionType) continue;
    extensionKnown = true;
    const name = codec.byType.get(frame.msgType);
    if (name !== undefined) return { kind: "known", codec, name, row: codec.table[name] as Message };
  }
  const { extensionType, channel, msgType } = frame;
  return extensionKnown
    ? { kind: "unknown-message", extensionType, msgType }
    : { kind: "unknown-extension", extensionType, channel };
}

/**
 * Finds, checks and decodes `frame` as `receiver`. A wrong channel bit is tolerated, as SRI does. Throws `Fault` (drop):
 * `message-direction` and what `Codec.decode` throws.
 */
export function understand<C extends Vocabulary>(
  codecs: readonly C[],
  frame: Frame,
  receiver: Receiver,
): Understood<C> {
  const found = lookup(codecs, frame);
  if (found.kind !== "known") return found;
  checkDirection(found.name, found.row, receiver);
  return { kind: "message", message: found.codec.decode(frame.msgType, frame.payload) as ReturnType<C["decode"]> };
}

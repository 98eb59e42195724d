/** Frames of all subprotocols, as messages with a name: what tests send and expect. */
import { understand } from "../../src/sv2/dialect.ts";
import type { Frame } from "../../src/sv2/frame.ts";
import { CHAIN_STATISTICS, chainStatistics } from "../../src/sv2/messages/chain-statistics.ts";
import { COMMON, common } from "../../src/sv2/messages/common.ts";
import { DECLARATION, declaration } from "../../src/sv2/messages/declaration.ts";
import { EXTENSIONS_NEGOTIATION, extensions } from "../../src/sv2/messages/extensions.ts";
import { MERGE_MINING, mergeMining } from "../../src/sv2/messages/merge-mining.ts";
import { MINING, mining } from "../../src/sv2/messages/mining.ts";
import { TEMPLATES, templates } from "../../src/sv2/messages/templates.ts";
import type { Receiver, Value } from "../../src/sv2/table.ts";

/** The mining protocol has a message of the same name, which is the one that tests send. */
const { SetNewPrevHash: _, ...TEMPLATE_ROWS } = TEMPLATES;

const TABLES = {
  ...COMMON,
  ...MINING,
  ...DECLARATION,
  ...TEMPLATE_ROWS,
  ...EXTENSIONS_NEGOTIATION,
  ...CHAIN_STATISTICS,
  ...MERGE_MINING,
} as const;

/** The name of any message of such a connection. */
export type Name = keyof typeof TABLES;

/** The fields of message `N`. */
export type Fields<N extends Name> = Value<(typeof TABLES)[N]>;

/** A decoded message. */
export type Message<N extends Name = Name> = {
  [K in N]: { readonly name: K; readonly value: Fields<K>; readonly tlv: Uint8Array | undefined };
}[N];

/** The whole plain frame of a message. */
export function encodeMessage<N extends Name>(name: N, value: Fields<N>, tlv?: Uint8Array): Uint8Array {
  for (const codec of [common, mining, declaration, templates, extensions, chainStatistics, mergeMining]) {
    if (name in codec.table)
      return (codec.encode as (n: Name, v: unknown, t?: Uint8Array) => Uint8Array)(name, value, tlv);
  }
  throw new TypeError(`no message is called ${name}`);
}

/** The message of a frame that `receiver` got; byte strings in it are copies. `undefined` for an unknown extension. */
export function decodeMessage(frame: Frame, receiver: Receiver): Message | undefined {
  const copy: Frame = { ...frame, payload: frame.payload.slice() };
  const understood = understand(
    [mining, declaration, templates, extensions, common, chainStatistics, mergeMining],
    copy,
    receiver,
  );
  return understood.kind === "message" ? (understood.message as Message) : undefined;
}

/** All SV2 tables, for tests that are derived from their rows. */
import { common } from "../../src/sv2/messages/common.ts";
import { declaration } from "../../src/sv2/messages/declaration.ts";
import { extensions } from "../../src/sv2/messages/extensions.ts";
import { mining } from "../../src/sv2/messages/mining.ts";
import { templates } from "../../src/sv2/messages/templates.ts";
import type { Codec, Message, MessageTable } from "../../src/sv2/table.ts";

/** A codec whose messages are not known by type. */
export type AnyCodec = Codec<MessageTable>;

/** The codecs by the name of their protocol. */
export const CODECS: Readonly<Record<string, AnyCodec>> = {
  common: common as unknown as AnyCodec,
  mining: mining as unknown as AnyCodec,
  declaration: declaration as unknown as AnyCodec,
  templates: templates as unknown as AnyCodec,
  extensions: extensions as unknown as AnyCodec,
};

/** Every row of every table. */
export const ROWS: readonly { readonly codec: AnyCodec; readonly name: string; readonly row: Message }[] =
  Object.values(CODECS).flatMap((codec) => Object.entries(codec.table).map(([name, row]) => ({ codec, name, row })));

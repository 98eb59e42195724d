/** All SV2 tables, for tests that are derived from their rows. */
import { chainStatistics } from "../../src/sv2/messages/chain-statistics.ts";
import { common } from "../../src/sv2/messages/common.ts";
import { declaration } from "../../src/sv2/messages/declaration.ts";
import { extensions } from "../../src/sv2/messages/extensions.ts";
import { mergeMining } from "../../src/sv2/messages/merge-mining.ts";
import { mining } from "../../src/sv2/messages/mining.ts";
import { templates } from "../../src/sv2/messages/templates.ts";
import type { Codec, Message, MessageTable } from "../../src/sv2/table.ts";

/** A codec whose messages are not known by type. */
export type AnyCodec = Codec<MessageTable>;

/** The codecs of the specification's protocols, by name. */
export const CODECS: Readonly<Record<string, AnyCodec>> = {
  common: common as unknown as AnyCodec,
  mining: mining as unknown as AnyCodec,
  declaration: declaration as unknown as AnyCodec,
  templates: templates as unknown as AnyCodec,
  extensions: extensions as unknown as AnyCodec,
};

/** Codecs of extensions that are ours and not the specification's. */
export const OWN_CODECS: readonly AnyCodec[] = [
  chainStatistics as unknown as AnyCodec,
  mergeMining as unknown as AnyCodec,
];

/** A row and the codec of its table. */
export interface TableRow {
  readonly codec: AnyCodec;
  readonly name: string;
  readonly row: Message;
}

/** Every row of every table of the specification. */
export const ROWS: readonly TableRow[] = rowsOf(Object.values(CODECS));

/** Every row of every table. */
export const ALL_ROWS: readonly TableRow[] = [...ROWS, ...rowsOf(OWN_CODECS)];

function rowsOf(codecs: readonly AnyCodec[]): TableRow[] {
  return codecs.flatMap((codec) => Object.entries(codec.table).map(([name, row]) => ({ codec, name, row })));
}

/** The reference page of all messages, made from the tables: `docs/sv2-messages.md` is what this returns. */

import { CHAIN_STATISTICS, CHAIN_STATISTICS_TYPE } from "./messages/chain-statistics.ts";
import { COMMON } from "./messages/common.ts";
import { DECLARATION } from "./messages/declaration.ts";
import { EXTENSIONS_NEGOTIATION, EXTENSIONS_NEGOTIATION_TYPE } from "./messages/extensions.ts";
import { MERGE_MINING, MERGE_MINING_TYPE } from "./messages/merge-mining.ts";
import { MINING } from "./messages/mining.ts";
import { TEMPLATES } from "./messages/templates.ts";
import type { Field } from "./primitives.ts";
import type { Message, MessageTable } from "./table.ts";

/** One table with what the page says above it. */
export interface ReferenceSection {
  readonly title: string;
  readonly extensionType: number;
  readonly table: MessageTable;
}

/** All tables in the order of the page. */
export const REFERENCE: readonly ReferenceSection[] = [
  { title: "Common", extensionType: 0, table: COMMON },
  { title: "Mining", extensionType: 0, table: MINING },
  { title: "Job declaration", extensionType: 0, table: DECLARATION },
  { title: "Template distribution", extensionType: 0, table: TEMPLATES },
  { title: "Extensions negotiation", extensionType: EXTENSIONS_NEGOTIATION_TYPE, table: EXTENSIONS_NEGOTIATION },
  { title: "Chain statistics (ours, experimental)", extensionType: CHAIN_STATISTICS_TYPE, table: CHAIN_STATISTICS },
  { title: "Merge mining (ours, experimental)", extensionType: MERGE_MINING_TYPE, table: MERGE_MINING },
];

const TO = { server: "client → server", client: "server → client", both: "both ways" } as const;

/** The page as Markdown, ending with a line feed. */
export function renderReference(sections: readonly ReferenceSection[]): string {
  const lines = [
    "# SV2 messages",
    "",
    "Generated from the tables in `src/sv2/messages`; do not edit. Fields are in wire order. Section numbers are those of the",
    "Stratum V2 specification (stratum-mining/sv2-spec). All integers are little-endian.",
  ];
  for (const { title, extensionType, table } of sections) {
    lines.push("", `## ${title}`, "", `Extension type ${hex(extensionType, 4)}.`);
    for (const [name, row] of Object.entries(table)) lines.push(...renderMessage(name, row));
  }
  return `${lines.join("\n")}\n`;
}

function renderMessage(name: string, row: Message): string[] {
  const traits = [
    `\`${hex(row.type, 2)}\``,
    TO[row.to],
    row.channel ? "channel bit" : "no channel bit",
    `spec ${row.spec}`,
  ];
  if (row.tlv === true) traits.push("may carry TLVs");
  const fields = Object.entries(row.fields).map(([field, type]) => `| \`${field}\` | ${typeName(type)} |`);
  return ["", `### ${name}`, "", `${traits.join(" · ")}`, "", row.doc, "", "| field | type |", "|---|---|", ...fields];
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** The spec's spelling of a type: `OPTION[U32]`. */
function typeName(type: Field<unknown>): string {
  const name = type.kind.toUpperCase();
  return type.of === undefined ? name : `${name}[${typeName(type.of)}]`;
}

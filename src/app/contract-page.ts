/**
 * The reference page of the plugin contract, made of the comments in its sources: what an author of a plugin reads and what the
 * compiler checks cannot differ, and a field without a comment makes no page.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RULES } from "../kit/checks.ts";
import { PLUGIN_API } from "../merge/plugin.ts";
import { PACKAGE_FOLDER } from "./version.ts";

/** The parts of the page: a heading, and the types under it with the file that declares them. */
const PARTS: readonly { readonly title: string; readonly types: readonly (readonly [name: string, file: string])[] }[] =
  [
    {
      title: "What a plugin is",
      types: [
        ["ChainPlugin", "src/merge/plugin.ts"],
        ["ChainPolicy", "src/merge/plugin.ts"],
        ["Chain", "src/merge/plugin.ts"],
      ],
    },
    {
      title: "What it is given",
      types: [
        ["Host", "src/merge/plugin.ts"],
        ["ChainMeter", "src/merge/plugin.ts"],
        ["Proof", "src/merge/plugin.ts"],
        ["SubmittedBlock", "src/merge/plugin.ts"],
      ],
    },
    {
      title: "What it gives",
      types: [
        ["AuxWork", "src/mining/aux.ts"],
        ["AuxPowCommitment", "src/merge/plugin.ts"],
        ["OutputCommitment", "src/merge/plugin.ts"],
        ["Outcome", "src/merge/plugin.ts"],
        ["BlockStatus", "src/merge/plugin.ts"],
      ],
    },
    {
      title: "What its rehearsal is",
      types: [
        ["Rehearsal", "src/kit/rehearsal.ts"],
        ["Stage", "src/kit/rehearsal.ts"],
        ["Ability", "src/kit/rehearsal.ts"],
        ["Answer", "src/kit/rehearsal.ts"],
        ["Serving", "src/kit/rehearsal.ts"],
      ],
    },
  ];

const FILES = [...new Set(PARTS.flatMap(({ types }) => types.map(([, file]) => file)))];
/** Files whose every exported type must be on the page. */
const WHOLE: readonly string[] = ["src/merge/plugin.ts", "src/kit/rehearsal.ts"];
/** The union of the two kinds of commitments, which both are. */
const TOLD = "Commitment";

/** `docs/plugin-contract.md`. Throws `TypeError` when a type or a field is not documented. */
export function renderContract(): string {
  const texts = new Map(FILES.map((file) => [file, readFileSync(join(PACKAGE_FOLDER, file), "utf8")]));
  const shown = new Set(PARTS.flatMap(({ types }) => types.map(([name]) => name)));
  for (const file of WHOLE) {
    for (const [, name = ""] of (texts.get(file) ?? "").matchAll(/^export (?:interface|type) (\w+)/gm)) {
      if (!shown.has(name) && name !== TOLD) throw new TypeError(`${file}: ${name} is not on the page of the contract`);
    }
  }
  const parts = PARTS.map(({ title, types }) => {
    const sections = types.map(([name, file]) => section(name, texts.get(file) ?? "", file));
    return `## ${title}\n\n${sections.join("\n\n")}`;
  });
  const rules = RULES.map(({ id, says, advice }) => `| \`${id}\` | ${cell(says)} | ${cell(advice)} |`);
  return `# The plugin contract

Generated from the sources by \`npm run docs\`. [plugins.md](plugins.md) is the tutorial.

This is version ${PLUGIN_API}, \`api: ${PLUGIN_API}\`. It changes only when a plugin of the old version could not work any more. \`?\` marks what may be left out. Bytes are
\`Uint8Array\`. *Internal* byte order is that in which hashes are computed; daemons print hashes in the reverse, *display* order. Amounts are \`bigint\`
in the coin's base unit.

${parts.join("\n\n")}

## The rules

What \`bllvm-stratum-v2 plugin check\` and the \`checks\` of \`bllvm-stratum-v2/kit\` look at, in this order.

| rule | what it says of the plugin | when it does not hold |
|---|---|---|
${rules.join("\n")}
`;
}

function section(name: string, text: string, file: string): string {
  const declared = new RegExp(`^export (interface|type) ${name}\\b[^{;=]*`, "m").exec(text);
  if (declared === null) throw new TypeError(`${file}: there is no exported ${name}`);
  const doc = comment(text.slice(text.lastIndexOf("/**", declared.index), declared.index));
  const rest = text.slice(declared.index + declared[0].length);
  if (declared[1] === "type") {
    const definition = rest
      .slice(1, rest.indexOf(";"))
      .replaceAll(/\s+/g, " ")
      .replace(/^[\s|]+/, "");
    return `### ${name}\n\n${sentence(doc)}\n\n\`${definition}\``;
  }
  const rows = fields(rest.slice(1, rest.indexOf("\n}"))).map(({ field, type, doc: meaning }) => {
    if (meaning === "") throw new TypeError(`${file}: ${name}.${field} has no comment`);
    return `| \`${field}\` | \`${cell(type)}\` | ${cell(sentence(meaning))} |`;
  });
  return `### ${name}\n\n${sentence(doc)}\n\n| field | type | meaning |\n|---|---|---|\n${rows.join("\n")}`;
}

/** The members of an interface's body with the comments before them. */
function fields(body: string): readonly { readonly field: string; readonly type: string; readonly doc: string }[] {
  const member = /(?:\/\*\*([\s\S]*?)\*\/\s*)?^ {2}(?:readonly )?(\w+\??)(?:: )?([\s\S]*?);$/gm;
  return [...body.matchAll(member)].map(([, doc = "", field = "", type = ""]) => ({
    field,
    type: type.replaceAll(/\s+/g, " "),
    doc: comment(doc),
  }));
}

/** The text of a comment on one line. */
function comment(text: string): string {
  return text
    .replace(/^\s*\/\*\*/, "")
    .replace(/\*\/\s*$/, "")
    .replaceAll(/^\s*\* ?/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

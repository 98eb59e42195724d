/** The files that are written from tables, so that no page can say something else than the program does. */
import { renderControlApi } from "../host/control-api.ts";
import { FAULTS, RETIRED } from "../kernel/fault.ts";
import type { FaultRow } from "../kernel/faults/row.ts";
import { METRICS, type MetricRow } from "../kernel/meter.ts";
import { REFERENCE, renderReference as renderMessages } from "../sv2/reference.ts";
import { renderReference as renderConfiguration, renderExample } from "./config/example.ts";
import { renderContract } from "./contract-page.ts";

/** Each generated file: its path from the package's folder and the function that writes its text. */
export const GENERATED_PAGES: readonly { readonly path: string; readonly render: () => string }[] = [
  { path: "config.toml.example", render: renderExample },
  { path: "docs/configuration.md", render: renderConfiguration },
  { path: "docs/control-api.md", render: renderControlApi },
  { path: "docs/faults.md", render: renderFaults },
  { path: "docs/metrics.md", render: renderMetrics },
  { path: "docs/plugin-contract.md", render: renderContract },
  { path: "docs/sv2-messages.md", render: () => renderMessages(REFERENCE) },
];

const ACTS: Readonly<Record<FaultRow["act"], string>> = {
  reply: "answered to the miner with an SV2 error message",
  drop: "the peer's connection is closed; nobody else is touched",
  retry: "tried again by itself, with backoff",
  isolate: "for the author of the plugin",
  halt: "for the operator",
};

/** `docs/faults.md`. */
function renderFaults(): string {
  const rows = Object.entries(FAULTS as Readonly<Record<string, FaultRow>>)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(
      ([code, row]) =>
        `| \`${code}\` | ${row.act} | ${cell(row.what)} | ${cell(row.help)} | ${row.wire === undefined ? "" : `\`${row.wire}\``} |`,
    );
  const acts = Object.entries(ACTS).map(([act, meaning]) => `- \`${act}\`: ${meaning}`);
  const retired = RETIRED.length === 0 ? "" : `\nRetired codes, never used again: ${RETIRED.join(", ")}.\n`;
  return `# Faults\n\nGenerated from \`src/kernel/faults\` by \`npm run docs\`. A log line of a failure carries its code.\n\n${acts.join("\n")}\n\n| code | act | what happened | what to do | SV2 error code |\n|---|---|---|---|---|\n${rows.join("\n")}\n${retired}`;
}

/** `docs/metrics.md`. */
function renderMetrics(): string {
  const rows = Object.entries(METRICS as Readonly<Record<string, MetricRow>>).map(
    ([name, row]) =>
      `| \`${name}\` | ${row.kind} | ${row.labels.map((label) => `\`${label}\``).join(", ")} | ${cell(row.help)} |`,
  );
  return `# Metrics\n\nGenerated from \`src/kernel/meter.ts\` by \`npm run docs\`. Durations are in seconds.\n\n| metric | kind | labels | what it tells |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

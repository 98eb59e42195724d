/** Requests of the control API that read the ledger, as a table. */

/** A report by its name in the path. */
export type ReportName = "rewards" | "blocks" | "workers" | "effort";

/** A row of the table. */
export interface ReportRow {
  readonly name: ReportName;
  readonly doc: string;
  /** Query parameters that it takes. */
  readonly takes: readonly string[];
}

/** All reports. */
export const REPORTS: readonly ReportRow[] = [
  {
    name: "rewards",
    doc: "What each chain paid, what became of it and who is owed what; with `worker`, or `workers=true` page by page, by worker.",
    takes: ["chain", "since", "worker", "workers", "limit", "after"],
  },
  {
    name: "blocks",
    doc: "Found blocks, newest first; with `block` (a key, a hash, a Bitcoin header's hash) everything that happened to it.",
    takes: ["chain", "since", "worker", "state", "block", "limit", "after"],
  },
  {
    name: "workers",
    doc: "Who had shares since a time (24h when left out), those with most work first: shares, work, how much of it was for other pools, hashrates, what each is owed; with `pool` work for that pool alone, with `accounts=true` by account.",
    takes: ["chain", "pool", "since", "worker", "accounts", "limit", "after"],
  },
  {
    name: "effort",
    doc: "Work since each chain's last block over its difficulty, and luck since a time (30d when left out).",
    takes: ["chain", "since"],
  },
];

/** What the page says of them. */
export const REPORTS_PAGE = `The reports (\`rewards\`, \`blocks\`, \`workers\`, \`effort\`) take query parameters: \`chain\`; \`since\`, an ISO date or how long ago (\`24h\`, \`7d\`);
\`worker\`, a whole identity; \`limit\`, 1 to 1000, 100 when left out; \`after\`, the \`next\` of the page before. Each answers with \`coins\`, symbol and decimals by
chain, and amounts in base units as decimal text. One report is made at a time, on a connection of its own that only reads: mining and found blocks do
not wait for it.`;

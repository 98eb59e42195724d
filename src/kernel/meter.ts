/** The metrics port. Names and labels are rows of one table, so that nothing is counted that is not documented. */

/** Every metric: its kind, its help text (with the unit) and its label names. */
export const METRICS = {
  connections: { kind: "gauge", help: "Open miner connections", labels: [] },
  connections_refused_total: { kind: "counter", help: "Connections closed at the door, by reason", labels: ["reason"] },
  connections_dropped_total: {
    kind: "counter",
    help: "Connections closed for a fault, by fault code",
    labels: ["code"],
  },
  handshakes_total: { kind: "counter", help: "Completed Noise handshakes", labels: [] },
  handshake_seconds: { kind: "histogram", help: "CPU time of the responder's side of one Noise handshake", labels: [] },
  channels: { kind: "gauge", help: "Open mining channels, by kind", labels: ["kind"] },
  custom_jobs_total: {
    kind: "counter",
    help: "Jobs that miners declared and set (SetCustomMiningJob), by result: accepted, or the error code",
    labels: ["result"],
  },
  declaration_tokens_total: { kind: "counter", help: "Mining job tokens given to declaring clients", labels: [] },
  declarations_total: {
    kind: "counter",
    help: "Declared jobs that were judged, by result: accepted, or the error code",
    labels: ["result"],
  },
  declaration_seconds: {
    kind: "histogram",
    help: "Time from a declaration whose transactions are all there to its answer",
    labels: [],
  },
  declared_jobs: { kind: "gauge", help: "Declared jobs that are kept", labels: [] },
  declared_bytes: { kind: "gauge", help: "Bytes that declared jobs hold: transactions, and lists of them", labels: [] },
  declaring_bytes: { kind: "gauge", help: "Bytes of declarations that were not answered yet", labels: [] },
  templates_served_total: {
    kind: "counter",
    help: "Templates sent to clients of the template server, by kind: future, refresh",
    labels: ["kind"],
  },
  template_source_up: { kind: "gauge", help: "Whether a source of templates has one now", labels: ["source"] },
  template_source_switches_total: {
    kind: "counter",
    help: "Changes of the source that templates are taken from, by the new one",
    labels: ["to"],
  },
  template_provider_failures_total: {
    kind: "counter",
    help: "Connections to template providers that ended",
    labels: ["provider"],
  },
  jobs_total: { kind: "counter", help: "Jobs made, by cause", labels: ["cause"] },
  job_fanout_seconds: {
    kind: "histogram",
    help: "Time from a new job to its last message handed to the sockets",
    labels: [],
  },
  shares_accepted_total: { kind: "counter", help: "Accepted shares", labels: [] },
  shares_accepted_difficulty_total: {
    kind: "counter",
    help: "Sum of the channel difficulty of accepted shares",
    labels: [],
  },
  shares_forwarded_total: {
    kind: "counter",
    help: "Shares good enough for another pool's job, by pool and by what became of them there: accepted, refused, unanswered, unsent",
    labels: ["pool", "answer"],
  },
  shares_rejected_total: { kind: "counter", help: "Rejected shares, by SV2 error code", labels: ["error_code"] },
  blocks_found_total: { kind: "counter", help: "Bitcoin blocks found", labels: [] },
  blocks_submitted_total: { kind: "counter", help: "Bitcoin block submissions, by answer", labels: ["answer"] },
  template_seconds: { kind: "histogram", help: "Time that a node took to answer getblocktemplate", labels: ["node"] },
  aux_chain_up: { kind: "gauge", help: "1 while the chain's plugin runs, 0 while it is isolated", labels: ["chain"] },
  aux_chain_restarts_total: {
    kind: "counter",
    help: "Times that a chain's plugin was started again",
    labels: ["chain"],
  },
  aux_daemon_up: { kind: "gauge", help: "1 while a chain's daemon answers, else 0", labels: ["chain", "daemon"] },
  aux_call_seconds: {
    kind: "histogram",
    help: "Time of a call of a chain's plugin, by call",
    labels: ["chain", "call"],
  },
  aux_height: { kind: "gauge", help: "Height of the chain's newest work", labels: ["chain"] },
  aux_work_total: {
    kind: "counter",
    help: "Work taken from a chain, by what changed: tip, better, gone",
    labels: ["chain", "change"],
  },
  aux_commitments_dropped_total: {
    kind: "counter",
    help: "Jobs that went out without a chain's commitment, by reason",
    labels: ["chain", "reason"],
  },
  aux_job_seconds: {
    kind: "histogram",
    help: "Time from a chain's new work to the job that commits to it",
    labels: ["chain"],
  },
  aux_blocks_found_total: { kind: "counter", help: "Shares that solved a chain's work", labels: ["chain"] },
  aux_blocks_submitted_total: {
    kind: "counter",
    help: "Final answers to a chain's blocks, by verdict",
    labels: ["chain", "verdict"],
  },
  aux_lost_total: {
    kind: "counter",
    help: "Solutions that were not submitted, by reason: parent_version, chain_id, proof, overflow, spare",
    labels: ["chain", "reason"],
  },
  aux_plugin_total: {
    kind: "counter",
    help: "Whatever a chain's plugin counts, by its own name",
    labels: ["chain", "name"],
  },
  aux_plugin_value: {
    kind: "gauge",
    help: "Whatever a chain's plugin measures, by its own name",
    labels: ["chain", "name"],
  },
  ledger_rewards_total: {
    kind: "counter",
    help: "What was done about a block's reward in the books, by step: distribute, correct, reverse, finish",
    labels: ["chain", "step"],
  },
  ledger_block_checks_total: {
    kind: "counter",
    help: "Questions to chains what became of a block, by answer: confirmed, mature, uncle, orphaned, unknown, none",
    labels: ["chain", "answer"],
  },
  ledger_records_waiting: {
    kind: "gauge",
    help: "News of found blocks that wait for the ledger's database",
    labels: [],
  },
  ledger_shares_credited_total: { kind: "counter", help: "Accepted shares whose credit is in the ledger", labels: [] },
  ledger_shares_lost_total: {
    kind: "counter",
    help: "Accepted shares that nobody gets credit for: memory was full while the database was away, or the server stopped without it",
    labels: [],
  },
  ledger_flush_seconds: {
    kind: "histogram",
    help: "Time that it took to write the credit that had come together",
    labels: [],
  },
  ledger_unwritten_shares: { kind: "gauge", help: "Accepted shares whose credit is in memory only", labels: [] },
  ledger_compaction_seconds: {
    kind: "histogram",
    help: "Time that one transaction of compaction took",
    labels: [],
  },
  ledger_rows_compacted_total: {
    kind: "counter",
    help: "Rows of credit that compaction took away, by why: joined, expired",
    labels: ["why"],
  },
  ledger_up: {
    kind: "gauge",
    help: "1 while the ledger's database is open and takes what is written, else 0",
    labels: [],
  },
  ledger_failures_total: {
    kind: "counter",
    help: "Times that the ledger's database could not be opened or used, by fault code",
    labels: ["code"],
  },
  bllvm_up: { kind: "gauge", help: "1 while the bllvm node serves this module, else 0", labels: [] },
  bllvm_connections_total: {
    kind: "counter",
    help: "Connections to the bllvm node that ended, by why: node, held, stopped, fault",
    labels: ["why"],
  },
  bllvm_requests_total: {
    kind: "counter",
    help: "Requests to the bllvm node, by what became of them: answered, failed, closed, timeout, aborted, refused",
    labels: ["request", "outcome"],
  },
  bllvm_events_total: { kind: "counter", help: "Events of the bllvm node, by name", labels: ["event"] },
  bllvm_ignored_total: {
    kind: "counter",
    help: "Messages of the bllvm node that nobody waits for, by kind: answer, repeated, event, other",
    labels: ["kind"],
  },
  bllvm_invocations_total: {
    kind: "counter",
    help: "Questions of the bllvm node to this module, by answer: answered, error, busy, late",
    labels: ["answer"],
  },
  bllvm_log_lines_dropped_total: {
    kind: "counter",
    help: "Lines that did not get into the bllvm node's log, by why: away, rate, slow",
    labels: ["why"],
  },
  bllvm_events_published_total: {
    kind: "counter",
    help: "Events published to the bllvm node's other modules, by event",
    labels: ["event"],
  },
  bllvm_events_left_out_total: {
    kind: "counter",
    help: "Events that were not published, by event and reason: worse (the miner had a better share in that interval), rate, full, replaced (by a newer one), away, failed, off",
    labels: ["event", "reason"],
  },
  bllvm_events_waiting: {
    kind: "gauge",
    help: "Rewards and pool connections that wait to be published",
    labels: [],
  },
  bllvm_api_calls_total: {
    kind: "counter",
    help: "Calls of the module API and the node's command line, by method and answer: ok, error",
    labels: ["method", "answer"],
  },
  upstream_connected: {
    kind: "gauge",
    help: "1 while a connection to the pool above is usable, else 0",
    labels: ["pool"],
  },
  upstream_channels: { kind: "gauge", help: "Channels that are open at the pool above", labels: ["pool"] },
  upstream_declarations_total: {
    kind: "counter",
    help: "Jobs that we declared to a pool, by result: accepted, the pool's error code, no-answer, connection-lost, too-many",
    labels: ["pool", "result"],
  },
  upstream_declare_seconds: {
    kind: "histogram",
    help: "Time from a declaration of ours to the pool's answer",
    labels: ["pool"],
  },
  upstream_jobs_total: { kind: "counter", help: "Jobs made of those of the pool above", labels: ["pool"] },
  upstream_shares_sent_total: { kind: "counter", help: "Shares sent to the pool above", labels: ["pool"] },
  upstream_shares_accepted_total: {
    kind: "counter",
    help: "Shares that the pool above accepted, as it counts",
    labels: ["pool"],
  },
  upstream_shares_rejected_total: {
    kind: "counter",
    help: "Shares that the pool above refused, by SV2 error code; other for codes of its own",
    labels: ["pool", "error_code"],
  },
  upstream_shares_unanswered_total: {
    kind: "counter",
    help: "Shares that the pool above did not answer within ten seconds, or before the connection ended; a later answer is counted too",
    labels: ["pool"],
  },
  upstream_shares_unsent_total: {
    kind: "counter",
    help: "Shares for the pool above that were not sent, by why: gone (their connection or channel), full (too many wait for an answer)",
    labels: ["pool", "why"],
  },
  upstream_acknowledgements_odd_total: {
    kind: "counter",
    help: "Answers of the pool above that fit no share: acknowledgements with another count, and refusals of unknown shares",
    labels: ["pool"],
  },
  upstream_active: {
    kind: "gauge",
    help: "1 for the upstream pool that is mined for, else 0",
    labels: ["pool"],
  },
  upstream_switches_total: {
    kind: "counter",
    help: "Times that miners were moved to a pool, or to own templates: solo",
    labels: ["to"],
  },
  upstream_failures_total: {
    kind: "counter",
    help: "Attempts to reach an upstream pool that failed, and connections to it that were lost",
    labels: ["pool"],
  },
  node_up: { kind: "gauge", help: "1 while the node answers, else 0", labels: ["node"] },
} as const satisfies Readonly<Record<string, MetricRow>>;

/** One metric of the table. */
export interface MetricRow {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

/** A metric's name. */
export type MetricName = keyof typeof METRICS;

/** The label values that metric `N` wants. */
export type MetricLabels<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]["labels"][number], string>>;

type Args<N extends MetricName> = (typeof METRICS)[N]["labels"] extends readonly [] ? [] : [labels: MetricLabels<N>];

/** Records measurements. */
export interface Meter {
  /** Adds `value` to a counter. */
  count<N extends MetricName>(name: N, value: number, ...labels: Args<N>): void;
  /** Sets a gauge. */
  gauge<N extends MetricName>(name: N, value: number, ...labels: Args<N>): void;
  /** Records one observation in a histogram; durations in seconds. */
  observe<N extends MetricName>(name: N, value: number, ...labels: Args<N>): void;
}

/** A meter that records nothing. */
export const silentMeter: Meter = { count() {}, gauge() {}, observe() {} };

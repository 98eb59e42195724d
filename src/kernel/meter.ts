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
  shares_rejected_total: { kind: "counter", help: "Rejected shares, by SV2 error code", labels: ["error_code"] },
  blocks_found_total: { kind: "counter", help: "Bitcoin blocks found", labels: [] },
  blocks_submitted_total: { kind: "counter", help: "Bitcoin block submissions, by answer", labels: ["answer"] },
  template_seconds: { kind: "histogram", help: "Time that a node took to answer getblocktemplate", labels: ["node"] },
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

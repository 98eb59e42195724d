/** Where templates come from: nodes, providers, or both. A chapter of the container. */

import { sigops } from "../bitcoin/script.ts";
import { outputSize } from "../bitcoin/transaction.ts";
import { connectTcp } from "../daemon/socket.ts";
import { MAX_DIRECT_OUTPUT } from "../mining/job-payout.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS } from "../node/bitcoind/job-source.ts";
import type { OutputConstraints } from "../node/templates/output-constraints.ts";
import { TemplateProviders } from "../node/templates/providers.ts";
import { dialServer } from "./dialers.ts";
import type { LedgerTools } from "./ledger-parts.ts";
import { payoutReserveOf } from "./settings.ts";
import { TOKENS } from "./tokens.ts";

/** What is reserved is a multiple of this, bytes: a commitment that is a byte longer changes nothing. */
const STEP_BYTES = 64;

/** Sigops that are reserved beside the payout's own: a channel's own payout may be an old script. */
const SPARE_SIGOPS = 4;

/** From dialling a provider to its first template, ms: its node may be assembling one. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Registers the sources and the choice among them. */
export function registerTemplates({ settings, part, get, log }: LedgerTools): void {
  const { config, network, nodes, providers, payoutScript } = settings;
  const { templates } = config;

  part(TOKENS.nodeSource, () => {
    const rpcs = get(TOKENS.nodes);
    if (rpcs.length === 0) return undefined;
    const sources = rpcs.map((rpc, index) => {
      const zmqAddress = nodes[index]?.zmqAddress;
      const isLastResort = index >= nodes.length;
      return zmqAddress === undefined ? { rpc, isLastResort } : { rpc, zmqAddress, isLastResort };
    });
    return new BitcoindJobSource(
      {
        nodes: sources,
        clock: get(TOKENS.clock),
        log: log("templates"),
        meter: get(TOKENS.meter),
        connect: connectTcp,
      },
      {
        ...JOB_SOURCE_DEFAULTS,
        network,
        notice: templates.notice,
        pollMs: templates.poll_s * 1000,
        askMs: templates.poll_s * 1000,
        refreshMs: templates.refresh_s * 1000,
        feeRise: templates.fee_rise_percent / 100,
        emptyAfterMs: templates.empty_first_job ? templates.empty_after_s * 1000 : undefined,
        staleTipMs: templates.stale_tip_s * 1000,
        failbackMs: templates.failback_s * 1000,
      },
    );
  });

  part(TOKENS.providers, () => {
    if (providers.length === 0) return undefined;
    const nodeSource = get(TOKENS.nodeSource);
    const merge = get(TOKENS.mergeMining);
    const chainsOf = (): readonly string[] =>
      get(TOKENS.pluginHost)
        .chains()
        .flatMap(({ name, state }) => (state === "disabled" ? [] : [name]));
    return new TemplateProviders(
      {
        clock: get(TOKENS.clock),
        random: get(TOKENS.random),
        log: log("templates"),
        meter: get(TOKENS.meter),
        crypto: get(TOKENS.noise).crypto,
        dial: dialServer(),
        ...(nodeSource === undefined ? {} : { nodes: nodeSource }),
        constraints: () => constraintsOf(payoutScript, payoutReserveOf(config), merge.outputBytes(chainsOf())),
      },
      {
        providers,
        prefer: templates.prefer,
        failbackMs: templates.failback_s * 1000,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        fetch: templates.provider_transactions,
        startWaitMs: JOB_SOURCE_DEFAULTS.startWaitMs,
      },
    );
  });

  part(TOKENS.jobSource, () => {
    const source = get(TOKENS.providers) ?? get(TOKENS.nodeSource);
    if (source === undefined) throw new TypeError("own templates need a node or a provider");
    return source;
  });
}

/** What our outputs take: the payout, a channel's own payout where there are such, and the chains'. */
function constraintsOf(payoutScript: Uint8Array | undefined, reserve: number, chains: number): OutputConstraints {
  const payout = payoutScript === undefined ? MAX_DIRECT_OUTPUT : outputSize({ value: 0n, script: payoutScript });
  const bytes = Math.ceil((payout + reserve + chains) / STEP_BYTES) * STEP_BYTES;
  return { bytes, sigops: (payoutScript === undefined ? 1 : sigops(payoutScript)) + SPARE_SIGOPS };
}

/**
 * What makes the composed server a module of the bllvm node, beside its sources of work: events out, events in, and the API that other modules and
 * the node's command line reach. Parts to be started behind the server's own and stopped before them.
 */
import type { DependencyContainer, InjectionToken } from "tsyringe";
import type { Part } from "../../kernel/lifecycle.ts";
import type { BllvmInvocation, BllvmInvocationAnswer, BllvmNode } from "../../node/bllvm/bllvm-node.ts";
import { MERGE_CHANNELS_DEFAULTS, MergeChannels } from "../../node/bllvm/module-api/merge-channels.ts";
import { API_VERSION, METHODS, MODULE_API_DEFAULTS, ModuleApi } from "../../node/bllvm/module-api/module-api.ts";
import { EventPublisher, PUBLISHER_DEFAULTS } from "../../node/bllvm/publisher/event-publisher.ts";
import { miningOptionsOf } from "../mining-options.ts";
import { TOKENS } from "../tokens.ts";
import { apiPorts } from "./api/api-ports.ts";
import { moduleConversations } from "./api/conversation.ts";
import { NODE_CLI, NODE_CLI_SUBCOMMANDS, NodeCli } from "./api/node-cli.ts";
import { NodeEventsToBus } from "./events/node-events.ts";
import { PublishedEvents } from "./events/published-events.ts";

/** What serves and is served. */
export interface ModuleParts {
  /** What listens, in the order in which it starts: before there are jobs, or the first would not be heard. */
  readonly events: readonly Part[];
  /** What needs the server. */
  readonly parts: readonly Part[];
  /** Answers the node, as `BllvmNode.serve` wants it; for tests without a node. */
  readonly handle: (invocation: BllvmInvocation) => Promise<BllvmInvocationAnswer>;
}

/** The parts for the server of `container` on `node`; the API is registered with the node at once, nothing else begins before the parts start. */
export function moduleParts(container: DependencyContainer, node: BllvmNode): ModuleParts {
  const get = <T>(token: InjectionToken<T>): T => container.resolve(token);
  const [clock, meter, bus, settings] = [get(TOKENS.clock), get(TOKENS.meter), get(TOKENS.bus), get(TOKENS.settings)];
  const log = get(TOKENS.log).child({ part: "module" });
  const { bllvm } = settings.config;
  const publisher = new EventPublisher(
    { node, clock, log, meter },
    { ...PUBLISHER_DEFAULTS, enabled: bllvm.publish_events, shareEventsPerS: bllvm.share_events_per_s },
  );
  const [status, reports] = [get(TOKENS.status), get(TOKENS.reports)];
  const published = new PublishedEvents({ bus, publisher, log, coins: () => reports.coins() });
  const server = get(TOKENS.miningServer);
  const [payouts, blockSink, jobIds, jobs] = [
    get(TOKENS.payouts),
    get(TOKENS.recordedBlocks),
    get(TOKENS.jobIds),
    get(TOKENS.jobs),
  ];
  const channels = new MergeChannels(
    {
      clock,
      log,
      jobs,
      open: moduleConversations(
        {
          clock,
          log,
          meter,
          bus,
          extranonces: get(TOKENS.extranonces),
          authoriser: get(TOKENS.authoriser),
          ...(payouts === undefined ? {} : { payouts }),
          shares: get(TOKENS.credit),
          blocks: (found) => blockSink.submit(found),
          currentJob: () => jobs.current(),
          nextJobId: () => jobIds.next(),
          onHashed: get(TOKENS.mergeMining).hashed,
        },
        miningOptionsOf(settings),
      ),
    },
    MERGE_CHANNELS_DEFAULTS,
  );
  const ports = apiPorts({ status, reports, jobs, server, channels });
  const api = new ModuleApi({ ports, clock, log, meter }, MODULE_API_DEFAULTS);
  const cli = new NodeCli({ status, reports, log, meter, miners: ports.miners });
  const handle = (invocation: BllvmInvocation): Promise<BllvmInvocationAnswer> =>
    invocation.type === "Cli"
      ? cli.run(invocation.subcommand, invocation.args)
      : api.handle(invocation.method, invocation.params, invocation.callerModuleId);
  node.serve({
    methods: METHODS,
    apiVersion: API_VERSION,
    cli: { ...NODE_CLI, subcommands: NODE_CLI_SUBCOMMANDS },
    handler: handle,
  });
  return { events: [publisher, published, new NodeEventsToBus({ node, bus })], parts: [channels], handle };
}

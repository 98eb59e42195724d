/** The job declaration server's parts and how they hang together: a chapter of the container, of which nothing is made without `listen_addr`. */

import { subsidy } from "../bitcoin/coinbase.ts";
import { NETWORKS } from "../bitcoin/network.ts";
import { outputSize, type TxOutput } from "../bitcoin/transaction.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { MergeMining } from "../merge/merge-mining.ts";
import { proposeBlock } from "../node/bitcoind/proposal.ts";
import { CommitmentSubscription } from "../pool/declaration/commitment-subscription.ts";
import { DeclarationPeer } from "../pool/declaration/declaration-peer.ts";
import { Declarations } from "../pool/declaration/declarations.ts";
import { PeerServer } from "../pool/peer-server.ts";
import type { ServerLimits } from "../pool/server-options.ts";
import { TcpTransport } from "../pool/transports/tcp.ts";
import type { LedgerTools } from "./ledger-parts.ts";
import { parseHostPort, type Settings } from "./settings.ts";
import { TOKENS } from "./tokens.ts";

/** Longest message of a declaring client: the transactions of a block. */
const FRAME_BYTES = 4_200_000;

/** Bytes of unfinished messages of all clients together. */
const UNFINISHED_BYTES = 64_000_000;

/** A declaration comes in one burst of megabytes; a message counts once for each 256 bytes. */
const MESSAGES_PER_SECOND = 20_000;

/** Declaring clients are silent between blocks and templates, ms. */
const IDLE_TIMEOUT_MS = 3_600_000;

/** Bytes of outputs that go with tokens: what a client surely has room for. */
const TOKEN_OUTPUT_BYTES = 400;

/** Registers tokens, declared jobs and their server. */
export function registerDeclaration({ settings, part, get, log }: LedgerTools, limits: ServerLimits): void {
  const { config, network, payoutScript } = settings;
  const keys = config.job_declaration;
  const { listen_addr } = keys;

  part(TOKENS.declarations, () => {
    if (listen_addr === undefined || payoutScript === undefined) return undefined;
    const merge = get(TOKENS.mergeMining);
    const { halvingInterval } = NETWORKS[network];
    return new Declarations(
      {
        clock: get(TOKENS.clock),
        random: get(TOKENS.random),
        log: log("job declaration"),
        meter: get(TOKENS.meter),
        template: () => get(TOKENS.jobSource).current(),
        subsidy: (height) => subsidy(height, halvingInterval),
        propose: (block) => proposeBlock(get(TOKENS.nodes), block),
        payoutScript,
        outputs: () => tokenOutputs(merge, settings),
        recognise: merge.recognise,
      },
      {
        validation: keys.validation,
        leastValuePercent: keys.least_value_percent,
        tokenLifetimeMs: keys.token_lifetime_s * 1000,
        tokensPerClient: keys.tokens_per_client,
        declaredBytes: keys.declared_bytes,
      },
    );
  });

  part(TOKENS.declarationServer, () => {
    const declarations = get(TOKENS.declarations);
    if (listen_addr === undefined || declarations === undefined) return undefined;
    const [clock, merge, sink] = [get(TOKENS.clock), get(TOKENS.mergeMining), get(TOKENS.recordedBlocks)];
    return new PeerServer<DeclarationPeer>(
      {
        transports: [new TcpTransport({ clock, log: log("job declaration") }, parseHostPort(listen_addr))],
        door: get(TOKENS.door),
        noise: get(TOKENS.noise),
        clock,
        log: log("job declaration"),
        meter: get(TOKENS.meter),
        peer: ({ connection, send, waiting, log: own }) =>
          new DeclarationPeer(
            {
              connection,
              send,
              clock,
              log: own,
              declarations,
              blocks: (found) => sink.submit(found),
              subscription: new CommitmentSubscription({ send, waiting, live: (room) => merge.liveCommitments(room) }),
            },
            { coinbaseOnly: keys.coinbase_only },
          ),
      },
      {
        name: "job declaration server",
        unfinishedBytes: UNFINISHED_BYTES,
        limits: {
          ...limits,
          connections: keys.clients,
          frameBytes: FRAME_BYTES,
          messagesPerSecond: MESSAGES_PER_SECOND,
          idleTimeoutMs: IDLE_TIMEOUT_MS,
        },
      },
    );
  });
}

/** What keeps the declaration server up to date: our templates, and chains' new work. To be started before it. */
export function declarationNews({ get, settings }: Pick<LedgerTools, "get" | "settings">): Part | undefined {
  const [declarations, server] = [get(TOKENS.declarations), get(TOKENS.declarationServer)];
  if (declarations === undefined || server === undefined) return undefined;
  const subscriptions: (() => void)[] = [];
  const { validation } = settings.config.job_declaration;
  return {
    name: "news for declaring clients",
    async start() {
      const source = get(TOKENS.jobSource);
      const current = source.current();
      if (current !== undefined) declarations.useTemplate(current);
      const timer = get(TOKENS.clock).every(1000, () => declarations.tick());
      const tell = (): void => server.each((peer) => peer.commitmentsChanged());
      subscriptions.push(
        () => timer.cancel(),
        source.onTemplate((template) => declarations.useTemplate(template)),
        // Jobs of ours are made first, on which commitments are placed.
        get(TOKENS.jobs).onJob(tell),
      );
      if (validation !== "node") {
        get(TOKENS.log).warn(
          `declared jobs are not checked by a node (validation = "${validation}"): a client may declare blocks that the network refuses, and its shares are paid all the same`,
        );
      }
    },
    async stop() {
      for (const unsubscribe of subscriptions.splice(0)) unsubscribe();
    },
  };
}

/** The outputs that go with a token (docs/job-declaration.md): of chains that are wanted, as far as there is room. */
function tokenOutputs(merge: MergeMining, { config }: Settings): readonly TxOutput[] {
  const { commit_outputs: wanted, fresh_s } = config.job_declaration;
  if (wanted === "none") return [];
  const isWanted = (chain: string): boolean =>
    wanted === "auto" ? (merge.freshnessMs(chain) ?? 0) >= fresh_s * 1000 : wanted.includes(chain);
  const room = { scriptSigBytes: 0, outputBytes: TOKEN_OUTPUT_BYTES };
  const live = merge.liveCommitments(room, isWanted);
  const outputs = live.outputs.map(({ script }) => ({ value: 0n, script }));
  return outputs.reduce((sum, output) => sum + outputSize(output), 0) <= TOKEN_OUTPUT_BYTES ? outputs : [];
}

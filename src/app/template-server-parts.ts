/** The template server's parts, and the sink for blocks that pay somebody else: a chapter of the container. */
import { join } from "node:path";
import { diskFiles } from "../daemon/files.ts";
import type { Part } from "../kernel/lifecycle.ts";
import { BlockJournal } from "../node/bitcoind/journal.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS } from "../node/bitcoind/submit.ts";
import { PeerServer } from "../pool/peer-server.ts";
import type { ServerLimits } from "../pool/server-options.ts";
import { ServedTemplates } from "../pool/templates/served-templates.ts";
import { TemplatePeer } from "../pool/templates/template-peer.ts";
import { TcpTransport } from "../pool/transports/tcp.ts";
import type { LedgerTools } from "./ledger-parts.ts";
import { blockNodes, providersPart } from "./provider-blocks.ts";
import { parseHostPort } from "./settings.ts";
import { TOKENS } from "./tokens.ts";

/** Finished blocks of others whose journal files are kept. */
const JOURNAL_KEEP = 20;

/** A template client says little. */
const FRAME_BYTES = 65_536;

/** Bytes of unfinished messages of all clients together. */
const UNFINISHED_BYTES = 4_000_000;

/** The transactions of a block, and then some: what one answer may have waiting. */
const BUFFER_BYTES = 9_000_000;

/** A pool that has no miners is silent, ms. */
const IDLE_TIMEOUT_MS = 86_400_000;

/** Registers the server, what it serves, and where solutions go. */
export function registerTemplateServer({ settings, part, get, log }: LedgerTools, limits: ServerLimits): void {
  const { listen_addr, clients, max_output_bytes: maxOutputBytes } = settings.config.template_server;

  part(
    TOKENS.othersBlocks,
    () =>
      new BitcoindBlockSink(
        {
          nodes: blockNodes({ get, log }),
          // A folder of its own: what is found there pays us nothing, and is none of the ledger's.
          journal: new BlockJournal(
            { files: diskFiles, log: log("others' blocks") },
            { folder: join(settings.dataDir, "blocks-of-others"), keep: JOURNAL_KEEP },
          ),
          clock: get(TOKENS.clock),
          log: log("others' blocks"),
          meter: get(TOKENS.meter),
          ...providersPart(get(TOKENS.providers)),
        },
        { ...BLOCK_SINK_DEFAULTS, name: "submission of others' blocks" },
      ),
  );

  part(TOKENS.templateServer, () => {
    if (listen_addr === undefined) return undefined;
    const [clock, meter, sink] = [get(TOKENS.clock), get(TOKENS.meter), get(TOKENS.othersBlocks)];
    const served = new ServedTemplates({ clock });
    const server = new PeerServer<TemplatePeer>(
      {
        transports: [new TcpTransport({ clock, log: log("templates") }, parseHostPort(listen_addr))],
        door: get(TOKENS.door),
        noise: get(TOKENS.noise),
        clock,
        log: log("template server"),
        meter,
        peer: ({ connection, send, waiting, log: own }) =>
          new TemplatePeer(
            {
              connection,
              send,
              waiting,
              clock,
              log: own,
              meter,
              served,
              transactionsOf: async (template) =>
                template.transactions ?? (await get(TOKENS.providers)?.transactionsOf(template)),
              blocks: (found) => sink.submit(found),
            },
            { maxOutputBytes },
          ),
      },
      {
        name: "template server",
        unfinishedBytes: UNFINISHED_BYTES,
        limits: {
          ...limits,
          connections: clients,
          frameBytes: FRAME_BYTES,
          bufferBytes: BUFFER_BYTES,
          idleTimeoutMs: IDLE_TIMEOUT_MS,
        },
      },
    );
    return { server, served };
  });
}

/** The template server with what keeps it up to date; nothing where there is none. */
export function templateServerParts({ get }: Pick<LedgerTools, "get">): readonly Part[] {
  const both = get(TOKENS.templateServer);
  if (both === undefined) return [];
  const { server, served } = both;
  let unsubscribe: (() => void) | undefined;
  const news: Part = {
    name: "news for template clients",
    async start() {
      const source = get(TOKENS.jobSource);
      const current = source.current();
      if (current !== undefined) served.use(current);
      unsubscribe = source.onTemplate((template) => {
        const isNewTip = served.use(template) === "newBlock";
        server.each((peer) => peer.newTemplate(isNewTip));
      });
    },
    async stop() {
      unsubscribe?.();
    },
  };
  return [news, server];
}

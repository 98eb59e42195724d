/**
 * Templates and declared jobs, over real sockets with Noise in one process: from a new block to the work of a template provider and of a
 * long-polled node, from DeclareMiningJob to its answer, and what a declared job keeps in memory.
 */

import { configSchema } from "../../src/app/config/schema.ts";
import { dialServer } from "../../src/app/dialers.ts";
import { rpcClient } from "../../src/app/parts.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { parseServerUrl } from "../../src/client/url.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import type { JobSource } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS } from "../../src/node/bitcoind/job-source.ts";
import { proposeBlock } from "../../src/node/bitcoind/proposal.ts";
import { TemplateProviders } from "../../src/node/templates/providers.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { DeclarationPeer } from "../../src/pool/declaration/declaration-peer.ts";
import { Declarations } from "../../src/pool/declaration/declarations.ts";
import { declaredCoinbase } from "../../src/pool/declaration/declared-coinbase.ts";
import { Door } from "../../src/pool/door.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { PeerServer, type PeerSurroundings, type ServedPeer } from "../../src/pool/peer-server.ts";
import { SERVER_DEFAULTS } from "../../src/pool/server-options.ts";
import { ServedTemplates } from "../../src/pool/templates/served-templates.ts";
import { TemplatePeer } from "../../src/pool/templates/template-peer.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { Declarator, type JobDraft, type Token } from "../../src/upstream/declaration/declarator.ts";
import { customFields, customHalves } from "../support/custom-client.ts";
import { FakeJobSource, makeTemplate } from "../support/fake-chain.ts";
import { pause, until } from "../support/until.ts";
import { median } from "./clients.ts";

/** What a full block has. */
const TRANSACTIONS = 4000;
/** What the embedded node can fill a block with. */
const OF_NODE = 1000;
const ROUNDS = 15;
const PAYOUT = Uint8Array.of(0, 20, ...new Uint8Array(20));
const EXTRANONCE_SIZE = 20;
const [clock, random, log, meter] = [systemClock, systemRandom(), silentLog, new MemoryMeter()];
const never = new AbortController().signal;

/** One figure. */
export interface DeclarationFigure {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

const inMs = (all: readonly number[]): Pick<DeclarationFigure, "value" | "note"> => ({
  value: `${median(all).toFixed(1)} ms`,
  note: `worst ${Math.max(...all).toFixed(1)} ms`,
});

async function serve<P extends ServedPeer>(peer: (surroundings: PeerSurroundings) => P): Promise<PeerServer<P>> {
  const crypto = nodeCrypto({ log });
  const limits = {
    ...SERVER_DEFAULTS.limits,
    messagesPerSecond: 1_000_000,
    frameBytes: 8_000_000,
    bufferBytes: 16_000_000,
  };
  const identity = new StaticIdentity(
    { crypto, clock, random },
    { authoritySecretKey: generateAuthoritySecretKey(random) },
  );
  const noise = { crypto, identity, ephemeralKeys: new EphemeralKeyPool({ crypto, random }, { capacity: 10 }) };
  const server = new PeerServer(
    {
      transports: [new TcpTransport({}, { host: "127.0.0.1", port: 0 })],
      door: new Door({ clock, meter }, limits),
      noise,
      clock,
      log,
      meter,
      peer,
    },
    { name: "bench", unfinishedBytes: 64_000_000, limits },
  );
  await server.start(never);
  return server;
}

/** From the node's new block, or the provider's new template, to the work made of it. */
async function templateFigures(node: DevnetNode, source: JobSource): Promise<DeclarationFigure[]> {
  const first = source.current() as Template;
  const provided = new FakeJobSource(first);
  const served = new ServedTemplates({ clock });
  served.use(first);
  const server = await serve(
    ({ connection, send, waiting }) =>
      new TemplatePeer(
        {
          connection,
          send,
          waiting,
          clock,
          log,
          meter,
          served,
          transactionsOf: async (template) => template.transactions,
          blocks: () => undefined,
        },
        { maxOutputBytes: 10_000 },
      ),
  );
  provided.onTemplate((template) => {
    const isNew = served.use(template) === "newBlock";
    server.each((peer) => peer.newTemplate(isNew));
  });
  const address = parseServerUrl(`stratum2+tcp://${server.addresses[0]}`);
  const client = new TemplateProviders(
    {
      clock,
      random,
      log,
      meter,
      crypto: nodeCrypto({ log }),
      dial: dialServer(),
      constraints: () => ({ bytes: 200, sigops: 4 }),
    },
    {
      providers: [{ name: "bench", url: "bench", address }],
      prefer: "providers",
      failbackMs: 0,
      connectTimeoutMs: 10_000,
      fetch: false,
      startWaitMs: 10_000,
    },
  );
  await client.start(never);
  const [byNode, byProvider, wholes]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const fromNode = next(source, ({ transactions = [] }) => transactions.length >= OF_NODE / 2);
    await node.call("generatetoaddress", [1, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]);
    const minedMs = performance.now();
    const template = await fromNode;
    byNode.push(performance.now() - minedMs);
    const fromProvider = next(client, ({ height }) => height === template.height);
    const offeredMs = performance.now();
    provided.offer(template, "newBlock");
    const got = await fromProvider;
    byProvider.push(performance.now() - offeredMs);
    const askedMs = performance.now();
    if ((await client.transactionsOf(got))?.length !== template.transactions?.length)
      throw new Error("some are missing");
    wholes.push(performance.now() - askedMs);
    await pause(100);
  }
  await client.stop();
  await server.stop();
  return [
    {
      name: `new block to template of ${OF_NODE.toLocaleString("en")} transactions, getblocktemplate long-polled`,
      ...inMs(byNode),
    },
    { name: "template of a provider to template here, TDP", ...inMs(byProvider) },
    { name: "its transactions fetched (RequestTransactionData)", ...inMs(wholes) },
  ];
}

function next(source: JobSource, isWanted: (template: Template) => boolean): Promise<Template> {
  return new Promise((resolve) => {
    const stop = source.onTemplate((template) => {
      if (!isWanted(template)) return;
      stop();
      resolve(template);
    });
  });
}

function declarationsOf(
  validation: "node" | "structure",
  template: Template,
  propose?: (block: Uint8Array) => ReturnType<typeof proposeBlock>,
) {
  return new Declarations(
    {
      clock,
      random,
      log,
      meter,
      template: () => template,
      subsidy: () => 0n,
      ...(propose === undefined ? {} : { propose }),
      payoutScript: PAYOUT,
      outputs: () => [],
      recognise: (job) => job,
    },
    { validation, leastValuePercent: 0, tokenLifetimeMs: 600_000, tokensPerClient: 32, declaredBytes: 2 ** 40 },
  );
}

function draftOf(template: Template): Omit<JobDraft, "token"> {
  const fields = customFields({
    height: template.height,
    prevHash: template.prevHash,
    nBits: template.nBits,
    ntime: template.curTime,
    outputs: [{ value: template.coinbaseValue, script: PAYOUT }, ...template.coinbase.outputs],
  });
  const { prefix, suffix } = customHalves(fields, EXTRANONCE_SIZE, new Uint8Array(32));
  const { transactions = [], version, wtxids = transactions.map((raw) => sha256d(raw)) } = template;
  return { version, coinbasePrefix: prefix, coinbaseSuffix: suffix, wtxids, transactions };
}

/** From DeclareMiningJob to DeclareMiningJob.Success. */
async function declareFigures(
  validation: "node" | "structure",
  template: Template,
  propose?: (block: Uint8Array) => ReturnType<typeof proposeBlock>,
): Promise<DeclarationFigure[]> {
  const figures: DeclarationFigure[] = [];
  const draft = draftOf(template);
  for (const isKnown of [true, false]) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // What one round taught the server must not help the next.
      const declarations = declarationsOf(validation, template, propose);
      if (isKnown) declarations.useTemplate(template);
      const server = await serve(
        ({ connection, send }) =>
          new DeclarationPeer(
            { connection, send, clock, log, declarations, blocks: () => undefined },
            { coinbaseOnly: true },
          ),
      );
      const over = new AbortController();
      const declarator = new Declarator(
        { clock, random, log, meter, crypto: nodeCrypto({ log }), dial: dialServer() },
        {
          pool: "bench",
          address: parseServerUrl(`stratum2+tcp://${server.addresses[0]}`),
          userIdentifier: "bench",
          mode: "full_template",
          connectTimeoutMs: 10_000,
          answerTimeoutMs: 60_000,
        },
      );
      const ended = declarator.run({ onToken() {}, onCommitments() {} }, over.signal);
      await until("a token", () => declarator.isReady, 10_000);
      const { token } = declarator.takeToken() as Token;
      const beganMs = performance.now();
      const verdict = await declarator.declare({ ...draft, token });
      times.push(performance.now() - beganMs);
      if (!("token" in verdict)) throw new Error(`${verdict.errorCode} ${verdict.details}`);
      over.abort();
      await ended;
      await server.stop();
    }
    const what = isKnown ? "known" : "sent";
    const count = draft.transactions.length.toLocaleString("en");
    figures.push({
      name: `declare to success, ${count} transactions ${what}, validation = "${validation}"`,
      ...inMs(times),
    });
  }
  return figures;
}

/** What a declared job keeps, when the server knows its transactions already. */
async function memoryFigure(template: Template): Promise<DeclarationFigure> {
  const jobs = 64;
  const declarations = declarationsOf("structure", template);
  declarations.useTemplate(template);
  const draft = draftOf(template);
  const coinbase = declaredCoinbase(draft.coinbasePrefix, draft.coinbaseSuffix);
  if ("errorCode" in coinbase) throw new Error(coinbase.errorCode);
  const judge = async (client: number): Promise<void> => {
    const allocation = {
      client,
      userIdentifier: "bench",
      outputs: [{ value: 0n, script: PAYOUT }],
      coinbaseOnly: false,
    };
    const wtxids = draft.wtxids.map((wtxid) => wtxid.slice());
    const verdict = await declarations.judge(client, { allocation, coinbase, version: 1, wtxids, provided: new Map() });
    if (!("token" in verdict)) throw new Error(verdict.errorCode);
  };
  await judge(0);
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const [before, counted] = [used(), declarations.declaredBytes];
  for (let client = 1; client <= jobs; client++) await judge(client);
  const perJob = (used() - before) / jobs;
  const countedPerJob = (declarations.declaredBytes - counted) / jobs;
  return {
    name: "memory of a declared job beside its transactions",
    value: `${Math.round(perJob / 1024)} KiB`,
    note: `counted as ${Math.round(countedPerJob / 1024)} KiB; its transactions are ${Math.round(draft.transactions.reduce((sum, { length }) => sum + length, 0) / 1024)} KiB, kept once for all jobs that have them`,
  };
}

/** All of them. */
export async function declarationFigures(): Promise<DeclarationFigure[]> {
  const node = new DevnetNode(
    { clock, random, log },
    { initialBlocks: 110, transactions: { atLeast: OF_NODE, atMost: 2 * OF_NODE } },
  );
  await node.start(never);
  const credentials = { kind: "password", user: node.user, password: node.password } as const;
  const rpc = rpcClient({ name: "devnet", url: node.url, credentials, zmqAddress: undefined }, configSchema.parse({}));
  const source = new BitcoindJobSource(
    { nodes: [{ rpc }], clock, log, meter, connect: connectTcp },
    { ...JOB_SOURCE_DEFAULTS, network: "regtest", notice: "longpoll", emptyAfterMs: undefined },
  );
  await source.start(never);
  const figures = await templateFigures(node, source);
  const ofNode = source.current() as Template;
  const made = makeTemplate({ height: 840_000, prevHash: random.bytes(32), transactions: TRANSACTIONS });
  const full = { ...made, wtxids: (made.transactions ?? []).map((raw) => sha256d(raw)) };
  figures.push(...(await declareFigures("structure", full)));
  figures.push(...(await declareFigures("structure", ofNode)));
  figures.push(...(await declareFigures("node", ofNode, (block) => proposeBlock([rpc], block))));
  figures.push(await memoryFigure(full));
  await source.stop();
  rpc.close();
  await node.stop();
  return figures;
}

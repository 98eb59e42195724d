/** The client with a scripted node: fake clock, fake sockets, and a node's end that answers what it is told to. */
import { equal, fromHex } from "../../src/kernel/bytes.ts";
import type { BllvmState } from "../../src/node/bllvm/bllvm-node.ts";
import { BllvmClient, type BllvmClientOptions } from "../../src/node/bllvm/client/client.ts";
import type { ModuleMessage } from "../../src/node/bllvm/wire/codec.ts";
import type { ResponsePayload } from "../../src/node/bllvm/wire/responses.ts";
import type { Schema } from "../../src/node/bllvm/wire/schema.ts";
import vectors from "../vectors/bllvm-ipc.json" with { type: "json" };
import { FakeClock } from "./fake-clock.ts";
import { type FakeUnixPeer, fakeUnix } from "./fake-unix.ts";
import { recordingLog } from "./recording-log.ts";
import { recordingMeter } from "./recording-meter.ts";
import { seededRandom } from "./seeded-random.ts";

/** The frame of that name in `test/vectors/bllvm-ipc.json`, made by the node's own code. */
export function golden(name: string): Uint8Array {
  const vector = (vectors as { readonly name: string; readonly frame: string }[]).find((each) => each.name === name);
  if (vector === undefined) throw new Error(`no vector ${name}`);
  return fromHex(vector.frame);
}

/** A hash that begins with `n`. */
export function hashOf(n: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? n & 0xff : i === 1 ? n >> 8 : 7));
}

/** What the scripted node does. */
export interface Script {
  nodeVersion: string;
  schema: Schema;
  tip: { blockHash: Uint8Array; height: number };
  /** Requests at which it closes the connection. */
  closesAt: Set<string>;
  /** Requests that it leaves unanswered. */
  silentAt: Set<string>;
}

/** Everything of a test. */
export function clientWorld(options: Partial<BllvmClientOptions> = {}, seed = 1) {
  const clock = new FakeClock();
  const { connect, peers } = fakeUnix();
  const log = recordingLog();
  const meter = recordingMeter();
  const script: Script = {
    nodeVersion: "0.1.54",
    schema: "s3",
    tip: { blockHash: hashOf(1), height: 100 },
    closesAt: new Set(),
    silentAt: new Set(),
  };
  const files = { held: false };
  const read = async (): Promise<string> => {
    if (files.held) return "";
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  };
  const client = new BllvmClient(
    { clock, random: seededRandom(seed), log, meter, connect, files: { read } },
    {
      path: "/run/node.sock",
      moduleName: "bllvm-stratum-v2",
      moduleVersion: "0.1.0",
      family: "socket",
      wire: "auto",
      ...options,
    },
  );
  const states: BllvmState[] = [];
  client.onState((state) => states.push(state));
  const last = (): FakeUnixPeer => {
    const peer = peers.at(-1);
    if (peer === undefined) throw new Error("no connection was made");
    return peer;
  };
  /** Plays the node on `peer`: opens it, and answers from now on. */
  const serve = (peer = last()): FakeUnixPeer => {
    peer.schema = script.schema;
    peer.onMessage = (message) => {
      if (message.type === "Request") answer(peer, message, script);
    };
    peer.open();
    return peer;
  };
  /** Lets promises settle. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) await Promise.resolve();
  };
  /** Moves time on in small steps, with what promises do in between. */
  const pass = async (ms: number, stepMs = 50): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      clock.advance(Math.min(stepMs, left));
      await settle();
    }
  };
  /** As `pass`, and every connection that is made is served. */
  const passServed = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      await pass(Math.min(50, left));
      const peer = peers.at(-1);
      if (peer !== undefined && !peer.destroyed && peer.onMessage === undefined) serve(peer);
      await settle();
    }
  };
  const start = async (): Promise<void> => {
    await client.start(new AbortController().signal);
    await settle();
  };
  const up = async (): Promise<FakeUnixPeer> => {
    await start();
    const peer = serve();
    await settle();
    return peer;
  };
  const phases = (): string[] => states.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
  return {
    client,
    clock,
    peers,
    last,
    log,
    meter,
    script,
    files,
    states,
    phases,
    serve,
    settle,
    pass,
    passServed,
    start,
    up,
  };
}

type Request = Extract<ModuleMessage, { type: "Request" }>;

function answer(peer: FakeUnixPeer, { correlationId, request }: Request, script: Script): void {
  if (script.closesAt.has(request.name)) {
    // The client is still in the middle of writing: a real close comes in another turn.
    queueMicrotask(() => peer.close());
    return;
  }
  if (script.silentAt.has(request.name)) return;
  const payload = payloadFor(request, script);
  queueMicrotask(() => peer.say({ type: "Response", correlationId, success: true, payload, error: null }));
}

function headerWith(bits: bigint) {
  const [prevBlockHash, merkleRoot] = [hashOf(0), hashOf(9)];
  return { version: 1n, prevBlockHash, merkleRoot, timestamp: 1_700_000_000n, bits, nonce: 5n };
}

/** What a healthy node answers. */
export function payloadFor(request: Request["request"], { nodeVersion, tip }: Script): ResponsePayload {
  const height = BigInt(tip.height);
  switch (request.name) {
    case "Handshake":
      return { name: "HandshakeAck", value: { nodeVersion } };
    case "SubscribeEvents":
      return { name: "SubscribeAck", value: {} };
    case "GetChainTip":
      return { name: "Hash", value: { hash: tip.blockHash } };
    case "GetBlockHeight":
      return { name: "U64", value: { value: height } };
    case "GetChainInfo":
      return {
        name: "ChainInfo",
        value: {
          chainInfo: { tipHash: tip.blockHash, height, difficulty: 1, chainWork: 1n, isSynced: true },
        },
      };
    case "GetBlockHeader":
      if (!equal(request.value.hash, tip.blockHash)) return { name: "BlockHeader", value: { header: null } };
      return { name: "BlockHeader", value: { header: headerWith(0x1d00ffffn) } };
    case "GetBlock":
      return { name: "Block", value: { block: null } };
    case "GetBlockByHeight":
      return { name: "BlockByHeight", value: { block: null } };
    case "GetNetworkStats":
      return {
        name: "NetworkStats",
        value: { networkStats: { peerCount: 8n, hashRate: 1, bytesSent: 0n, bytesReceived: 0n } },
      };
    case "GetSyncStatus":
      return {
        name: "NodeSyncStatus",
        value: { syncStatus: { phase: "Synced", progress: 1, isSynced: true, errorMessage: null } },
      };
    case "PublishEvent":
      return { name: "EventPublished", value: {} };
    case "RegisterModuleApi":
      return { name: "ModuleApiRegistered", value: {} };
    case "RegisterCliSpec":
      return { name: "Bool", value: { value: true } };
    case "QueueReceivedBlock":
      return { name: "ReceivedBlockQueued", value: {} };
    default:
      throw new Error(`the script has no answer to ${request.name}`);
  }
}

/**
 * Many SV2 clients in a process of their own, so that the server's process is measured alone. Driven by its parent: `open`
 * connects and opens a channel on each, `shares` sends as many shares as asked and waits for all acknowledgements, and every
 * round of jobs is reported once the last client has its job.
 */
import { dialServer } from "../../src/app/dialers.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import type { Dial, Link } from "../../src/client/link.ts";
import { parseServerUrl, type ServerAddress } from "../../src/client/url.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { Connection } from "../../src/sv2/connection.ts";
import { common } from "../../src/sv2/messages/common.ts";
import { mining } from "../../src/sv2/messages/mining.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";

/** What the parent asks. */
export type ToClients =
  | {
      readonly kind: "open";
      readonly port: number;
      readonly count: number;
      readonly channel: "standard" | "extended";
      /** The server's address in place of TCP at `port`. */
      readonly url?: string;
      /** Whether streams over QUIC have a connection each; else they share. */
      readonly apart?: boolean;
    }
  | { readonly kind: "shares"; readonly perConnection: number; readonly connections: number }
  | { readonly kind: "roundTrips"; readonly rounds: number };

/** What it is told. Times are ms since the Unix epoch with fractions, comparable between processes of one machine. */
export type FromClients =
  | { readonly kind: "opened"; readonly ms: number }
  | { readonly kind: "jobs"; readonly lastMs: number }
  /** From a share to its acknowledgement, one at a time, each in ms. */
  | { readonly kind: "roundTrips"; readonly ms: readonly number[] }
  | { readonly kind: "acknowledged"; readonly ms: number; readonly rejected: number };

const crypto = nodeCrypto({ log: silentLog });
const random = systemRandom();
/** Handshakes under way at a time. */
const IN_FLIGHT = 64;
const EASIEST_TARGET = new Uint8Array(32).fill(0xff);

const now = (): number => performance.timeOrigin + performance.now();
const tell = (message: FromClients): void => void process.send?.(message);

class Client {
  readonly #connection: Connection;
  readonly #channel: "standard" | "extended";
  readonly #onReady: () => void;
  readonly #onJob: () => void;
  readonly #onAck: (accepted: number, rejected: number) => void;
  #link: Link | undefined;
  #sentSetup = false;
  #channelId = 0;
  #jobId = 0;
  #minNtime = 0;
  #version = 0;
  #ready = false;
  #sequence = 0;

  constructor(
    dial: Dial,
    server: ServerAddress,
    channel: "standard" | "extended",
    on: { ready(): void; job(): void; ack(accepted: number, rejected: number): void },
  ) {
    this.#channel = channel;
    this.#onReady = on.ready;
    this.#onJob = on.job;
    this.#onAck = on.ack;
    const noise = server.noise ? new NoiseInitiator({ crypto, clock: systemClock, random }, {}) : undefined;
    this.#connection = new Connection({ noise }, { role: "client", maxFrameSize: 0xffff });
    const listener = {
      onData: (bytes: Uint8Array) => this.#receive(bytes),
      onClose(reason: string) {
        throw new Error(reason);
      },
    };
    void dial(server, listener, new AbortController().signal).then((link) => {
      this.#link = link;
      this.#flush();
      this.#setUp();
    });
  }

  share(): void {
    const sequenceNumber = this.#sequence++;
    const share = {
      channelId: this.#channelId,
      sequenceNumber,
      jobId: this.#jobId,
      nonce: sequenceNumber,
      ntime: this.#minNtime,
      version: this.#version,
    };
    const frame =
      this.#channel === "standard"
        ? mining.encode("SubmitSharesStandard", share)
        : mining.encode("SubmitSharesExtended", { ...share, extranonce: new Uint8Array(16) });
    this.#link?.write(this.#connection.send(frame));
  }

  #flush(): void {
    for (let out = this.#connection.output(); out !== undefined; out = this.#connection.output())
      this.#link?.write(out);
  }

  #receive(bytes: Uint8Array): void {
    const frames = this.#connection.receive(bytes);
    this.#flush();
    this.#setUp();
    for (const { msgType, payload } of frames) {
      if (msgType === 0x01) this.#open();
      else if (msgType >= 0x10) this.#message(msgType, payload);
    }
  }

  #setUp(): void {
    if (!this.#connection.established || this.#sentSetup) return;
    this.#sentSetup = true;
    const text = {
      endpointHost: "",
      endpointPort: 0,
      vendor: "bench",
      hardwareVersion: "",
      firmware: "",
      deviceId: "",
    };
    const flags = this.#channel === "standard" ? 1 : 0;
    const setup = common.encode("SetupConnection", { protocol: 0, minVersion: 2, maxVersion: 2, flags, ...text });
    this.#link?.write(this.#connection.send(setup));
  }

  #open(): void {
    const channel = { requestId: 1, userIdentity: "bench", nominalHashRate: 1e12, maxTarget: EASIEST_TARGET };
    const frame =
      this.#channel === "standard"
        ? mining.encode("OpenStandardMiningChannel", channel)
        : mining.encode("OpenExtendedMiningChannel", { ...channel, minExtranonceSize: 8 });
    this.#link?.write(this.#connection.send(frame));
  }

  #message(type: number, payload: Uint8Array): void {
    const message = mining.decode(type, payload);
    switch (message.name) {
      case "OpenStandardMiningChannelSuccess":
      case "OpenExtendedMiningChannelSuccess":
        this.#channelId = message.value.channelId;
        break;
      case "NewMiningJob":
      case "NewExtendedMiningJob":
        this.#jobId = message.value.jobId;
        this.#version = message.value.version;
        if (message.value.minNtime !== null) this.#onJob();
        break;
      case "SetNewPrevHash":
        this.#minNtime = message.value.minNtime;
        if (this.#ready) this.#onJob();
        else {
          this.#ready = true;
          this.#onReady();
        }
        break;
      case "SubmitSharesSuccess":
        this.#onAck(message.value.newSubmitsAcceptedCount, 0);
        break;
      case "SubmitSharesError":
        this.#onAck(0, 1);
        break;
      default:
    }
  }
}

const clients: Client[] = [];
let withJob = 0;
let pending = 0;
let rejected = 0;
let acknowledged: (() => void) | undefined;

process.on("message", (message: ToClients) => {
  if (message.kind === "open") void open(message);
  else if (message.kind === "shares") shares(message);
  else void roundTrips(message);
});
process.on("disconnect", () => process.exit(0));

async function open({ port, count, channel, url, apart }: Extract<ToClients, { kind: "open" }>): Promise<void> {
  const server = parseServerUrl(url ?? `tcp://127.0.0.1:${port}`);
  const shared = dialServer();
  const started = now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await new Promise<void>((resolve) => {
        const client = new Client(apart === true ? dialServer() : shared, server, channel, {
          ready: resolve,
          job() {
            withJob += 1;
            if (withJob < clients.length) return;
            withJob = 0;
            tell({ kind: "jobs", lastMs: now() });
          },
          ack(accepted, refused) {
            pending -= accepted + refused;
            rejected += refused;
            acknowledged?.();
            if (pending === 0) tell({ kind: "acknowledged", ms: now(), rejected });
          },
        });
        clients.push(client);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, lane));
  tell({ kind: "opened", ms: now() - started });
}

function shares({ perConnection, connections }: Extract<ToClients, { kind: "shares" }>): void {
  rejected = 0;
  const active = clients.slice(0, connections);
  pending = active.length * perConnection;
  let sent = 0;
  // In slices, so that acknowledgements are read meanwhile and no buffer holds a whole round.
  const slice = (): void => {
    for (let i = 0; i < 20 && sent < perConnection; i++, sent++) for (const client of active) client.share();
    if (sent < perConnection) setImmediate(slice);
  };
  slice();
}

async function roundTrips({ rounds }: Extract<ToClients, { kind: "roundTrips" }>): Promise<void> {
  const times: number[] = [];
  pending = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) {
    const startedMs = now();
    await new Promise<void>((resolve) => {
      acknowledged = resolve;
      clients[0]?.share();
    });
    times.push(now() - startedMs);
  }
  acknowledged = undefined;
  tell({ kind: "roundTrips", ms: times });
}

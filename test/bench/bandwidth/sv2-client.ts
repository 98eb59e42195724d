/** The miners' end of one SV2 connection: a device with a channel, or a proxy with a farm behind it. Counts what it says and hears. */
import type { Connection } from "../../../src/sv2/connection.ts";
import { understand } from "../../../src/sv2/dialect.ts";
import type { Frame } from "../../../src/sv2/frame.ts";
import { common } from "../../../src/sv2/messages/common.ts";
import { extensions, WORKER_TRACKING_TYPE } from "../../../src/sv2/messages/extensions.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import { encodeUserIdentity } from "../../../src/sv2/tlv.ts";
import type { Link } from "./links.ts";
import { Sv2Channel } from "./sv2-channel.ts";
import type { Tally } from "./tally.ts";

/** What a client works with. */
export interface Sv2ClientDeps {
  readonly link: Link;
  readonly connection: Connection;
  readonly tally: Tally;
}

/** Options of a client. */
export interface Sv2ClientOptions {
  /** Whether Noise encrypts: a frame is 16 bytes longer for its header and 16 for each 65,519 bytes of its payload. */
  readonly noise: boolean;
}

/** The largest target: any hash meets it. */
const EASIEST_TARGET = new Uint8Array(32).fill(0xff);
const FRAME_HEADER = 6;
const MAC = 16;
const NOISE_BLOCK = 65_519;

/** A client. Its calls write at once; what comes back is there when the network has settled. */
export class Sv2Client {
  readonly channels: Sv2Channel[] = [];
  /** Shares accepted and refused so far. */
  accepted = 0;
  refused = 0;
  readonly #deps: Sv2ClientDeps;
  readonly #options: Sv2ClientOptions;

  constructor(deps: Sv2ClientDeps, options: Sv2ClientOptions) {
    this.#deps = deps;
    this.#options = options;
    deps.link.onData((bytes) => this.#receive(bytes));
    this.#handshake();
  }

  /** SetupConnection as a small device fills it in. `standardJobs`: each standard channel wants jobs of its own. */
  setup(standardJobs: boolean): void {
    this.#send(
      "SetupConnection",
      common.encode("SetupConnection", {
        protocol: 0,
        minVersion: 2,
        maxVersion: 2,
        flags: standardJobs ? 1 : 0,
        endpointHost: "pool.example.com",
        endpointPort: 3333,
        vendor: "bench",
        hardwareVersion: "",
        firmware: "",
        deviceId: "",
      }),
    );
  }

  /** Asks for extension 0x0002: shares name their worker. */
  nameWorkers(): void {
    const value = { requestId: 1, requestedExtensions: [WORKER_TRACKING_TYPE] };
    this.#send("RequestExtensions", extensions.encode("RequestExtensions", value));
  }

  /** Opens a channel. `hashrate`: what it claims, hashes a second. */
  open(kind: "standard" | "extended", userIdentity: string, hashrate: number): void {
    const request = { requestId: 1, userIdentity, nominalHashRate: hashrate, maxTarget: EASIEST_TARGET };
    if (kind === "standard") {
      this.#send("OpenStandardMiningChannel", mining.encode("OpenStandardMiningChannel", request));
    } else {
      const value = { ...request, minExtranonceSize: 8 };
      this.#send("OpenExtendedMiningChannel", mining.encode("OpenExtendedMiningChannel", value));
    }
  }

  /** Submits a share of a channel. `worker`: named where extension 0x0002 is spoken. */
  share(channel: Sv2Channel, late: boolean, worker: string | undefined): void {
    const share = channel.find(late);
    if (share.extranonce.length === 0) {
      this.#send("SubmitSharesStandard", mining.encode("SubmitSharesStandard", share));
    } else {
      const tlv = worker === undefined ? undefined : encodeUserIdentity(worker);
      this.#send("SubmitSharesExtended", mining.encode("SubmitSharesExtended", share, tlv));
    }
  }

  #send(name: string, frame: Uint8Array): void {
    const bytes = this.#deps.connection.send(frame);
    this.#deps.tally.add(name, bytes.length);
    this.#deps.link.write(bytes);
  }

  #receive(bytes: Uint8Array): void {
    const wasEstablished = this.#deps.connection.established;
    const frames = this.#deps.connection.receive(bytes);
    if (!wasEstablished) this.#deps.tally.add("handshake", bytes.length);
    this.#handshake();
    for (const frame of frames) this.#hear({ ...frame, payload: frame.payload.slice() });
    this.#deps.connection.check();
  }

  #handshake(): void {
    const { connection, link, tally } = this.#deps;
    for (let out = connection.output(); out !== undefined; out = connection.output()) {
      tally.add("handshake", out.length);
      link.write(out);
    }
  }

  #hear(frame: Frame): void {
    const understood = understand([mining, extensions, common], frame, "client");
    if (understood.kind !== "message") throw new Error("the server says what nobody asked it for");
    const { message } = understood;
    this.#deps.tally.add(message.name, this.#wireSize(frame.payload.length));
    switch (message.name) {
      case "OpenStandardMiningChannelSuccess":
      case "OpenExtendedMiningChannelSuccess":
        this.channels.push(new Sv2Channel(message.value));
        break;
      case "NewMiningJob":
      case "NewExtendedMiningJob":
        for (const channel of this.#addressed(message.value.channelId)) channel.takeJob(message.value);
        break;
      case "SetNewPrevHash":
        for (const channel of this.#addressed(message.value.channelId)) channel.takePrevHash(message.value);
        break;
      case "SetTarget":
        for (const channel of this.#addressed(message.value.channelId)) channel.setTarget(message.value.maximumTarget);
        break;
      case "SubmitSharesSuccess":
        this.accepted += message.value.newSubmitsAcceptedCount;
        break;
      case "SubmitSharesError":
        if (message.value.errorCode !== "stale-share")
          throw new Error(`a share was refused: ${message.value.errorCode}`);
        this.refused += 1;
        break;
      default:
    }
  }

  #addressed(channelId: number): Sv2Channel[] {
    return this.channels.filter((channel) => channel.isAddressedBy(channelId));
  }

  #wireSize(payload: number): number {
    const macs = this.#options.noise ? MAC * (1 + Math.ceil(payload / NOISE_BLOCK)) : 0;
    return FRAME_HEADER + payload + macs;
  }
}

/**
 * The client's side of the mining protocol on one connection (spec 3.6, 5.3, extensions 0x0001 and 0x0002), without a
 * socket: SetupConnection, extensions, one channel, its jobs and its shares. Frames come in through `receive`, go out through
 * `send`, and what happens is told as events.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Bus } from "../../kernel/events.ts";
import type { Log } from "../../kernel/log.ts";
import { MINING_FLAGS, MINING_SUCCESS_FLAGS, PROTOCOL, PROTOCOL_VERSION } from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { common } from "../../sv2/messages/common.ts";
import { extensions, WORKER_TRACKING_TYPE } from "../../sv2/messages/extensions.ts";
import { mining } from "../../sv2/messages/mining.ts";
import type { Decoded } from "../../sv2/table.ts";
import { type MinerChannel, violation } from "./channel.ts";
import { ChannelClient } from "./channel-client.ts";
import type { MinerEvents } from "./events.ts";
import type { Solution, Work } from "./work.ts";

/** BIP320's general purpose bits: what version rolling may change unless told otherwise. */
export const BIP320_VERSION_MASK = 0x1fffe000;

/** The easiest target there is, 2^256 - 1. */
const ANY_TARGET: Uint8Array = new Uint8Array(32).fill(0xff);

/** How long an answer about extensions is waited for, ms; there is none from a server that does not know 0x0001. */
const EXTENSIONS_TIMEOUT_MS = 2_000;

/** How a client introduces itself and what it asks for. */
export interface ClientOptions {
  /** Kind of channel; a standard one gets merkle roots, an extended one makes them. */
  readonly channel: "standard" | "extended";
  /** REQUIRES_STANDARD_JOBS: this client cannot process extended jobs, not even a group's. */
  readonly requiresStandardJobs: boolean;
  /** Whom the shares are for, e.g. `account.worker`; at most 255 bytes. */
  readonly userIdentity: string;
  /** Hashes a second that it announces. */
  readonly nominalHashrate: number;
  /** The easiest target that it takes, `Uint8Array(32)` little-endian. Default: any. */
  readonly maxTarget?: Uint8Array;
  /** Extranonce bytes that it asks for on an extended channel. */
  readonly minExtranonceSize: number;
  /** Version bits that it rolls where a job allows it; 0 for none. */
  readonly versionMask: number;
  /** Asks for extension 0x0002 and names this worker, at most 32 bytes, in every share of an extended channel. */
  readonly workerIdentity?: string | undefined;
  /** Host and port that it believes to talk to, for SetupConnection. */
  readonly endpointHost: string;
  readonly endpointPort: number;
  /** What SetupConnection says of the device. */
  readonly vendor: string;
  readonly hardwareVersion: string;
  readonly firmware: string;
  readonly deviceId: string;
  /** How long a server may take to answer a step of the setup, ms. */
  readonly setupTimeoutMs: number;
}

/** What a client works with. */
export interface ClientDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Bus<MinerEvents>;
  /** Takes whole plain frames. */
  readonly send: (frame: Uint8Array) => void;
  /** What to search from now on; `undefined` when there is nothing. */
  readonly onWork: (work: Work | undefined) => void;
  /** The conversation is over: the connection should be closed. Called at most once. */
  readonly onEnd: (reason: string) => void;
}

/** Where the conversation stands. */
export type ClientState = "new" | "setup" | "extensions" | "opening" | "mining" | "ended";

const SPOKEN = [mining, common, extensions] as const;

type Message = Decoded<typeof mining.table> | Decoded<typeof common.table> | Decoded<typeof extensions.table>;

/** One conversation. */
export class MinerClient {
  readonly #deps: ClientDeps;
  readonly #options: ClientOptions;
  #state: ClientState = "new";
  #deadline: Timer | undefined;
  #flags = 0;
  #extensions: readonly number[] = [];
  #requestId = 0;
  #channel: ChannelClient | undefined;

  constructor(deps: ClientDeps, options: ClientOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Where the conversation stands. */
  get state(): ClientState {
    return this.#state;
  }

  /** The open channel, once there is one. */
  get channel(): MinerChannel | undefined {
    return this.#channel?.channel;
  }

  /** Begins with SetupConnection. */
  start(): void {
    const { endpointHost, endpointPort, vendor, hardwareVersion, firmware, deviceId } = this.#options;
    this.#enter("setup");
    this.#deps.send(
      common.encode("SetupConnection", {
        protocol: PROTOCOL.mining,
        minVersion: PROTOCOL_VERSION,
        maxVersion: PROTOCOL_VERSION,
        flags: this.#options.requiresStandardJobs ? MINING_FLAGS.requiresStandardJobs : 0,
        endpointHost,
        endpointPort,
        vendor,
        hardwareVersion,
        firmware,
        deviceId,
      }),
    );
  }

  /**
   * Takes a frame of the server. Throws `Fault` when the server breaks the format, or the protocol (`server-violation`):
   * the connection is to be closed then.
   */
  receive(frame: Frame): void {
    if (this.#state === "ended") return;
    const understood = understand(SPOKEN, frame, "client");
    if (understood.kind === "message") this.#take(understood.message);
    else this.#deps.log.debug("a message that this client does not know was passed over", { ...understood });
  }

  /** Sends a share, unless its job is not valid any more. */
  submit(solution: Solution): void {
    if (this.#state === "mining") this.#channel?.submit(solution);
  }

  /** Announces another hash rate, and optionally the easiest target to be given from now on. */
  updateChannel(nominalHashrate: number, maximumTarget: Uint8Array = this.#options.maxTarget ?? ANY_TARGET): void {
    if (this.#state === "mining") this.#channel?.update(nominalHashrate, maximumTarget);
  }

  /** Says goodbye: closes the channel. Nothing is told any more. */
  close(reason: string): void {
    if (this.#state === "mining") this.#channel?.close(reason);
    this.#enter("ended");
  }

  /** The connection is gone: nothing is sent or told any more. */
  abandon(): void {
    this.#enter("ended");
  }

  #enter(state: ClientState): void {
    this.#state = state;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    if (state !== "mining" && state !== "ended") {
      const patience = state === "extensions" ? EXTENSIONS_TIMEOUT_MS : this.#options.setupTimeoutMs;
      this.#deadline = this.#deps.clock.after(patience, () => this.#late());
    }
  }

  #end(reason: string): void {
    this.#enter("ended");
    this.#deps.onWork(undefined);
    this.#deps.onEnd(reason);
  }

  #late(): void {
    if (this.#state !== "extensions") {
      this.#end(`the server did not answer in state ${this.#state}`);
      return;
    }
    // A server without extension 0x0001 ignores the request (0x0001 §4.3).
    this.#deps.log.info("the server does not negotiate extensions; going on without");
    this.#openChannel();
  }

  #take(message: Message): void {
    switch (message.name) {
      case "SetupConnectionSuccess":
        this.#onSetup(message.value.usedVersion, message.value.flags);
        return;
      case "SetupConnectionError":
        this.#refused("setup", message.value.errorCode);
        return;
      case "RequestExtensionsSuccess":
        this.#onExtensions(message.value.requestId, message.value.supportedExtensions);
        return;
      case "RequestExtensionsError":
        this.#onExtensionsError(message.value.requestId, message.value.requiredExtensions);
        return;
      case "OpenStandardMiningChannelSuccess":
        this.#onChannel("standard", { ...message.value, extranonceSize: 0 });
        return;
      case "OpenExtendedMiningChannelSuccess":
        this.#onChannel("extended", message.value);
        return;
      case "OpenMiningChannelError":
        this.#refused("channel", message.value.errorCode);
        return;
      case "Reconnect":
        this.#deps.events.emit("reconnect", { host: message.value.newHost, port: message.value.newPort });
        this.#end("the server asks to reconnect");
        return;
      case "SetGroupChannel":
        this.#onGroup(message.value.groupChannelId, message.value.channelIds);
        return;
      case "ChannelEndpointChanged":
        // Extensions negotiated along the channel are void (spec 3.6.4); those of this client belong to the connection.
        return;
      case "SetupConnection":
      case "RequestExtensions":
      case "OpenStandardMiningChannel":
      case "OpenExtendedMiningChannel":
        return;
      default:
        if (this.#channel === undefined) {
          throw violation("a channel's message came before the channel", { message: message.name });
        }
        this.#channel.receive(message);
        return;
    }
  }

  #onSetup(usedVersion: number, flags: number): void {
    if (this.#state !== "setup") throw violation("SetupConnection.Success came twice", {});
    if (usedVersion !== PROTOCOL_VERSION) throw violation("the server chose another version", { usedVersion });
    this.#flags = flags;
    if ((flags & MINING_SUCCESS_FLAGS.requiresExtendedChannels) !== 0 && this.#options.channel === "standard") {
      this.#refused("setup", "the server opens no standard channels");
    } else if (this.#options.workerIdentity === undefined) {
      this.#openChannel();
    } else {
      this.#requestExtensions([WORKER_TRACKING_TYPE]);
    }
  }

  #requestExtensions(requestedExtensions: readonly number[]): void {
    this.#enter("extensions");
    this.#requestId += 1;
    this.#deps.send(extensions.encode("RequestExtensions", { requestId: this.#requestId, requestedExtensions }));
  }

  #onExtensions(requestId: number, supported: readonly number[]): void {
    // An answer after the deadline: the client has gone on without.
    if (this.#state !== "extensions") return;
    if (requestId !== this.#requestId) {
      throw violation("an answer about extensions came that nothing asked for", { requestId });
    }
    if (supported.some((type) => type !== WORKER_TRACKING_TYPE)) {
      throw violation("the server supports extensions that were not requested", { supported: supported.join(" ") });
    }
    this.#extensions = [...supported];
    this.#openChannel();
  }

  #onExtensionsError(requestId: number, required: readonly number[]): void {
    if (required.length > 0) {
      this.#refused("extensions", `the server requires extensions ${required.map(hex).join(" ")}`);
    } else {
      this.#onExtensions(requestId, []);
    }
  }

  #openChannel(): void {
    this.#deps.events.emit("setup", { flags: this.#flags, extensions: this.#extensions });
    this.#enter("opening");
    const { channel, userIdentity, nominalHashrate, maxTarget = ANY_TARGET, minExtranonceSize } = this.#options;
    this.#requestId += 1;
    const open = { requestId: this.#requestId, userIdentity, nominalHashRate: nominalHashrate, maxTarget };
    this.#deps.send(
      channel === "standard"
        ? mining.encode("OpenStandardMiningChannel", open)
        : mining.encode("OpenExtendedMiningChannel", { ...open, minExtranonceSize }),
    );
  }

  #onChannel(
    kind: "standard" | "extended",
    opened: {
      readonly requestId: number;
      readonly channelId: number;
      readonly groupChannelId: number;
      readonly target: Uint8Array;
      readonly extranoncePrefix: Uint8Array;
      readonly extranonceSize: number;
    },
  ): void {
    const { requestId, channelId, groupChannelId, extranonceSize } = opened;
    if (this.#state !== "opening" || requestId !== this.#requestId || kind !== this.#options.channel) {
      throw violation("a channel was opened that was not asked for", { requestId, kind });
    }
    if (kind === "extended" && extranonceSize < this.#options.minExtranonceSize) {
      throw violation("the extranonce is smaller than asked for", { extranonceSize });
    }
    if (channelId === groupChannelId) throw violation("a group has the id of a channel", { channelId });
    const target = opened.target.slice();
    const extranoncePrefix = opened.extranoncePrefix.slice();
    const fixedVersion = (this.#flags & MINING_SUCCESS_FLAGS.requiresFixedVersion) !== 0;
    const { events, send, onWork } = this.#deps;
    const { requiresStandardJobs, versionMask, workerIdentity } = this.#options;
    this.#channel = new ChannelClient(
      { events, send, onWork, onClosed: (reason) => this.#end(`the server closed the channel: ${reason}`) },
      { kind, channelId, groupChannelId, target, extranoncePrefix, extranonceSize },
      {
        versionMask: fixedVersion ? 0 : versionMask,
        requiresStandardJobs,
        workerIdentity: this.#extensions.includes(WORKER_TRACKING_TYPE) ? workerIdentity : undefined,
      },
    );
    this.#enter("mining");
    events.emit("channel", { kind, channelId, groupChannelId, extranoncePrefix, extranonceSize, target });
  }

  #onGroup(groupChannelId: number, channelIds: readonly number[]): void {
    const channel = this.#channel?.channel;
    if (channel === undefined) throw violation("SetGroupChannel came before a channel", { groupChannelId });
    if (channelIds.includes(channel.opening.channelId)) channel.setGroup(groupChannelId);
  }

  #refused(step: MinerEvents["refused"]["step"], code: string): void {
    this.#deps.events.emit("refused", { step, code });
    this.#end(`refused at ${step}: ${code}`);
  }
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, "0")}`;
}

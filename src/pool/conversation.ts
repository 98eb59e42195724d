/**
 * The talk with one client from its first frame on, without a socket: SetupConnection (spec 3.6), negotiation of
 * extensions (0x0001), then mining messages to the mining side. Frames come in, frames go out through `send`.
 */
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { peerText } from "../kernel/peer-text.ts";
import type { MiningMessage } from "../mining/downstream.ts";
import {
  MINING_FLAGS,
  MINING_SUCCESS_FLAGS,
  PROTOCOL,
  PROTOCOL_VERSION,
  SETUP_CONNECTION_ERROR,
  type SetupConnectionErrorCode,
} from "../sv2/codes.ts";
import { understand } from "../sv2/dialect.ts";
import type { Frame } from "../sv2/frame.ts";
import { type CHAIN_STATISTICS, CHAIN_STATISTICS_TYPE, chainStatistics } from "../sv2/messages/chain-statistics.ts";
import { type COMMON, common } from "../sv2/messages/common.ts";
import { extensions } from "../sv2/messages/extensions.ts";
import { mining } from "../sv2/messages/mining.ts";
import type { Value } from "../sv2/table.ts";
import { type ExtensionOffer, missingExtensions, negotiate } from "./extension-negotiation.ts";

/** What the client asked for in SetupConnection and may rely on. */
export interface Agreement {
  /** Its channels get a NewMiningJob each and are never grouped; extended channels are refused (spec 5.3.1). */
  readonly requiresStandardJobs: boolean;
  /** It will send SetCustomMiningJob. */
  readonly requiresWorkSelection: boolean;
  /** It must not get jobs that forbid version rolling. */
  readonly requiresVersionRolling: boolean;
}

/** The mining side of a connection, as far as the conversation needs it. */
export interface MiningSide {
  /** Takes one message; may throw `Fault` (drop). */
  receive(message: MiningMessage): void;
  /** Which extensions are in use from now on. */
  useExtensions(types: ReadonlySet<number>): void;
}

/** Where a client's subscription to chain statistics goes (extension 0x4353). */
export interface StatisticsSide {
  /** Takes a subscription in the place of the one before. */
  subscribe(subscription: Value<typeof CHAIN_STATISTICS.SubscribeChainStatistics>): void;
  /** The extension is not in use any more. */
  end(): void;
}

/** What a conversation works with. */
export interface ConversationDeps {
  /** Takes whole plain frames for the client. */
  readonly send: (frame: Uint8Array) => void;
  /** Makes the mining side once SetupConnection was accepted. */
  readonly open: (agreement: Agreement) => MiningSide;
  /** Left out where chain statistics are not offered. */
  readonly statistics?: StatisticsSide | undefined;
  readonly log: Log;
}

/** Options of `Conversation`. */
export interface ConversationOptions {
  readonly extensions: ExtensionOffer;
  /** Whether no version bit may be rolled: clients that must roll are refused, the others told. Default false. */
  readonly fixedVersion?: boolean;
}

type SetupConnection = Value<typeof COMMON.SetupConnection>;

/** The subprotocols that a frame to a mining server may belong to; the busiest first. */
const SPOKEN = [mining, extensions, common] as const;

/** The same once chain statistics were negotiated: before, their messages are those of any unknown extension. */
const SPOKEN_WITH_STATISTICS = [...SPOKEN, chainStatistics] as const;

const KNOWN_FLAGS =
  MINING_FLAGS.requiresStandardJobs | MINING_FLAGS.requiresWorkSelection | MINING_FLAGS.requiresVersionRolling;

/** One client's conversation. */
export class Conversation {
  readonly #deps: ConversationDeps;
  readonly #offer: ExtensionOffer;
  readonly #fixedVersion: boolean;
  #side: MiningSide | undefined;
  /** Whether mining messages are welcome: set up, and the required extensions negotiated. */
  #open = false;
  #spoken: typeof SPOKEN | typeof SPOKEN_WITH_STATISTICS = SPOKEN;
  #refusals = 0;

  constructor(deps: ConversationDeps, options: ConversationOptions) {
    this.#deps = deps;
    this.#offer = options.extensions;
    this.#fixedVersion = options.fixedVersion ?? false;
  }

  /** Whether SetupConnection was accepted and nothing that the server requires is outstanding. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Takes the next frame. Returns a fault when the client was told no and the connection is to be closed once that was
   * sent. Throws `Fault` (drop) for what deserves no answer.
   */
  receive(frame: Frame): Fault | undefined {
    const understood = understand<(typeof SPOKEN_WITH_STATISTICS)[number]>(this.#spoken, frame, "server");
    if (understood.kind === "unknown-extension") {
      // Spec 3.4.1: we are the endpoint of the connection and of its channels, so there is nobody to forward it to.
      this.#deps.log.debug("ignored a frame of an unknown extension", {
        extensionType: understood.extensionType,
        msgType: frame.msgType,
      });
      return undefined;
    }
    if (understood.kind === "unknown-message") {
      throw new Fault("message-unknown", { extensionType: understood.extensionType, type: understood.msgType });
    }
    const { message } = understood;
    switch (message.name) {
      case "SetupConnection":
        return this.#setup(message.value);
      case "RequestExtensions":
        return this.#negotiate(message.value.requestId, message.value.requestedExtensions);
      case "SubscribeChainStatistics":
        this.#deps.statistics?.subscribe(message.value);
        return undefined;
      default:
        this.#mining(message as MiningMessage);
        return undefined;
    }
  }

  #mining(message: MiningMessage): void {
    const side = this.#side;
    if (side === undefined) throw new Fault("setup-expected", { message: message.name });
    if (!this.#open) throw new Fault("extension-required", { message: message.name, missing: this.#missing() });
    side.receive(message);
  }

  #setup(setup: SetupConnection): Fault | undefined {
    if (this.#side !== undefined) throw new Fault("setup-repeated");
    const refusal = judgeSetup(setup, this.#fixedVersion);
    if (refusal !== undefined) {
      this.#deps.send(common.encode("SetupConnectionError", refusal));
      const { protocol, minVersion, maxVersion, flags, vendor } = setup;
      return new Fault("setup-refused", {
        errorCode: refusal.errorCode,
        protocol,
        minVersion,
        maxVersion,
        flags,
        vendor: peerText(vendor),
      });
    }
    const agreement: Agreement = {
      requiresStandardJobs: (setup.flags & MINING_FLAGS.requiresStandardJobs) !== 0,
      requiresWorkSelection: (setup.flags & MINING_FLAGS.requiresWorkSelection) !== 0,
      requiresVersionRolling: (setup.flags & MINING_FLAGS.requiresVersionRolling) !== 0,
    };
    this.#side = this.#deps.open(agreement);
    this.#open = this.#offer.required.length === 0;
    // Custom work names a coinbase, which a standard channel has no part in; SRI sets the flag in the same case.
    const flags =
      (this.#fixedVersion ? MINING_SUCCESS_FLAGS.requiresFixedVersion : 0) |
      (agreement.requiresWorkSelection ? MINING_SUCCESS_FLAGS.requiresExtendedChannels : 0);
    this.#deps.send(common.encode("SetupConnectionSuccess", { usedVersion: PROTOCOL_VERSION, flags }));
    this.#deps.log.debug("connection set up", {
      ...agreement,
      vendor: peerText(setup.vendor),
      hardware: peerText(setup.hardwareVersion),
      firmware: peerText(setup.firmware),
      device: peerText(setup.deviceId),
    });
    return undefined;
  }

  #negotiate(requestId: number, requested: readonly number[]): Fault | undefined {
    const side = this.#side;
    if (side === undefined) throw new Fault("setup-expected", { message: "RequestExtensions" });
    const answer = negotiate(requested, this.#offer);
    if (answer.kind === "success") {
      side.useExtensions(new Set(answer.accepted));
      this.#useStatistics(answer.accepted.includes(CHAIN_STATISTICS_TYPE));
      this.#open = true;
      this.#deps.send(
        extensions.encode("RequestExtensionsSuccess", { requestId, supportedExtensions: answer.accepted }),
      );
      return undefined;
    }
    const { unsupported, missing } = answer;
    this.#deps.send(
      extensions.encode("RequestExtensionsError", {
        requestId,
        unsupportedExtensions: unsupported,
        requiredExtensions: missing,
      }),
    );
    // One more try: the first answer is how a client learns what is required (0x0001 §4, example 6).
    this.#refusals += 1;
    return missing.length > 0 && this.#refusals > 1
      ? new Fault("extension-required", { missing: missing.join(" ") })
      : undefined;
  }

  #useStatistics(isNegotiated: boolean): void {
    this.#spoken = isNegotiated ? SPOKEN_WITH_STATISTICS : SPOKEN;
    if (!isNegotiated) this.#deps.statistics?.end();
  }

  #missing(): string {
    return missingExtensions([], this.#offer).join(" ") || "1";
  }
}

/** Why SetupConnection is refused, as the fields of its Error; SRI's checks in SRI's order. */
function judgeSetup(
  setup: SetupConnection,
  fixedVersion: boolean,
): { flags: number; errorCode: SetupConnectionErrorCode } | undefined {
  if (setup.protocol !== PROTOCOL.mining) return { flags: 0, errorCode: SETUP_CONNECTION_ERROR.unsupportedProtocol };
  if (setup.minVersion > PROTOCOL_VERSION || setup.maxVersion < PROTOCOL_VERSION) {
    return { flags: 0, errorCode: SETUP_CONNECTION_ERROR.protocolVersionMismatch };
  }
  const known = fixedVersion ? KNOWN_FLAGS & ~MINING_FLAGS.requiresVersionRolling : KNOWN_FLAGS;
  const unsupported = (setup.flags & ~known) >>> 0;
  if (unsupported !== 0) return { flags: unsupported, errorCode: SETUP_CONNECTION_ERROR.unsupportedFeatureFlags };
  return undefined;
}

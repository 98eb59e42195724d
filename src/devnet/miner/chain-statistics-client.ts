/**
 * The client's side of extension 0x4353 (docs/extension-chain-statistics.md) on a connection that carries nothing else, without a
 * socket: SetupConnection, negotiation, a subscription, and its renewal, since a client that only listens is taken for gone.
 */
import type { ClientConversation } from "../../client/session.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { peerText } from "../../kernel/peer-text.ts";
import { PROTOCOL, PROTOCOL_VERSION } from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { type CHAIN_STATISTICS, CHAIN_STATISTICS_TYPE, chainStatistics } from "../../sv2/messages/chain-statistics.ts";
import { common } from "../../sv2/messages/common.ts";
import { extensions, WORKER_TRACKING_TYPE } from "../../sv2/messages/extensions.ts";
import type { Value } from "../../sv2/table.ts";
import { violation } from "./channel.ts";

/** A chain as the server tells of it. */
export interface ReportedChain {
  /** `bitcoin`, or the server's name for it; fit to be shown. */
  readonly chain: string;
  /** `undefined` while there is no work. */
  readonly height: number | undefined;
  /** 1 for 2^32 hashes on average; `undefined` while there is no work. */
  readonly difficulty: number | undefined;
  /** Whether the server's newest job commits to it. */
  readonly inJob: boolean;
  /** Solutions since the server's start. */
  readonly found: number;
  /** Blocks that the chain accepted since then. */
  readonly accepted: number;
}

/** What a client works with. */
export interface ChainStatisticsClientDeps {
  readonly clock: Clock;
  /** Takes whole plain frames. */
  readonly send: (frame: Uint8Array) => void;
  /** Takes each complete report, Bitcoin first. */
  readonly onReport: (chains: readonly ReportedChain[]) => void;
  /** The server does not let us subscribe, and will not the next time either. */
  readonly onRefused: (reason: string) => void;
  /** The conversation is over: the connection should be closed. Called at most once. */
  readonly onEnd: (reason: string) => void;
}

/** What it says. */
export interface ChainStatisticsClientOptions {
  /** Host and port that it believes to talk to. */
  readonly endpointHost: string;
  readonly endpointPort: number;
  /** Seconds between reports; a server raises it to 5. */
  readonly intervalS: number;
  /** How long a server may take for an answer, ms. */
  readonly setupTimeoutMs: number;
}

const SPOKEN = [chainStatistics, common, extensions] as const;

/** The only subscription of the connection. */
const REQUEST_ID = 1;

/** Subscriptions are renewed at least this often, s: timers end at 24 days. */
const LONGEST_RENEWAL_S = 3600;

/** One conversation. */
export class ChainStatisticsClient implements ClientConversation {
  readonly #deps: ChainStatisticsClientDeps;
  readonly #options: ChainStatisticsClientOptions;
  #state: "new" | "setup" | "extensions" | "subscribing" | "subscribed" | "ended" = "new";
  #timer: Timer | undefined;
  /** What came of a report so far; its field `remaining` holds it below 256 chains. */
  #report: ReportedChain[] = [];
  #expected: number | undefined;

  constructor(deps: ChainStatisticsClientDeps, options: ChainStatisticsClientOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): void {
    const { endpointHost, endpointPort } = this.#options;
    this.#enter("setup");
    this.#deps.send(
      common.encode("SetupConnection", {
        protocol: PROTOCOL.mining,
        minVersion: PROTOCOL_VERSION,
        maxVersion: PROTOCOL_VERSION,
        flags: 0,
        endpointHost,
        endpointPort,
        vendor: "bllvm-stratum-v2",
        hardwareVersion: "chain statistics",
        firmware: "",
        deviceId: "",
      }),
    );
  }

  receive(frame: Frame): void {
    if (this.#state === "ended") return;
    const understood = understand<(typeof SPOKEN)[number]>(SPOKEN, frame, "client");
    if (understood.kind !== "message") return;
    const { message } = understood;
    switch (message.name) {
      case "SetupConnectionSuccess":
        this.#mustBe("setup", message.name);
        this.#negotiate();
        return;
      case "SetupConnectionError":
        this.#refused(message.value.errorCode);
        return;
      case "RequestExtensionsSuccess":
        this.#mustBe("extensions", message.name);
        if (message.value.supportedExtensions.includes(CHAIN_STATISTICS_TYPE)) this.#subscribe();
        else this.#refused(refusal([]));
        return;
      case "RequestExtensionsError":
        this.#refused(refusal(message.value.requiredExtensions));
        return;
      case "SubscribeChainStatisticsSuccess":
        this.#granted(message.value);
        return;
      case "ChainStatistics":
        this.#take(message.value);
        return;
      default:
        return;
    }
  }

  close(_reason: string): void {
    this.#enter("ended");
  }

  abandon(): void {
    this.#enter("ended");
  }

  #enter(state: "setup" | "extensions" | "subscribing" | "subscribed" | "ended"): void {
    this.#state = state;
    this.#timer?.cancel();
    if (state === "subscribed" || state === "ended") return;
    this.#timer = this.#deps.clock.after(this.#options.setupTimeoutMs, () => {
      // A server without extension 0x0001 ignores the request.
      if (state === "extensions") this.#refused("the server does not negotiate extensions");
      else this.#end(`the server did not answer in state ${state}`);
    });
  }

  #mustBe(state: "setup" | "extensions", message: string): void {
    if (this.#state !== state) throw violation("an answer came that nothing asked for", { message });
  }

  /** Worker tracking too, which servers may require of everybody. */
  #negotiate(): void {
    this.#enter("extensions");
    const requestedExtensions = [WORKER_TRACKING_TYPE, CHAIN_STATISTICS_TYPE];
    this.#deps.send(extensions.encode("RequestExtensions", { requestId: REQUEST_ID, requestedExtensions }));
  }

  #subscribe(): void {
    this.#enter("subscribing");
    this.#ask();
  }

  #ask(): void {
    const { intervalS: interval } = this.#options;
    this.#deps.send(chainStatistics.encode("SubscribeChainStatistics", { requestId: REQUEST_ID, interval }));
  }

  #granted({ requestId, silenceLimit }: Value<typeof CHAIN_STATISTICS.SubscribeChainStatisticsSuccess>): void {
    if ((this.#state !== "subscribing" && this.#state !== "subscribed") || requestId !== REQUEST_ID) {
      throw violation("a subscription was granted that nothing asked for", { requestId });
    }
    this.#enter("subscribed");
    const renewalS = Math.min(LONGEST_RENEWAL_S, Math.max(1, silenceLimit / 3));
    this.#timer = this.#deps.clock.after(renewalS * 1000, () => this.#ask());
  }

  #take(statistics: Value<typeof CHAIN_STATISTICS.ChainStatistics>): void {
    const { requestId, remaining, chain, height, difficulty, inJob, found, accepted } = statistics;
    if (this.#state !== "subscribed" || requestId !== REQUEST_ID) {
      throw violation("statistics came that nothing asked for", { requestId });
    }
    if (this.#expected !== undefined && remaining !== this.#expected) {
      throw violation("the parts of a report do not follow each other", { remaining, expected: this.#expected });
    }
    this.#report.push({
      chain: peerText(chain),
      height: height === null ? undefined : Number(height),
      difficulty: difficulty ?? undefined,
      inJob,
      found,
      accepted,
    });
    this.#expected = remaining === 0 ? undefined : remaining - 1;
    if (this.#expected !== undefined) return;
    const report = this.#report;
    this.#report = [];
    this.#deps.onReport(report);
  }

  #refused(reason: string): void {
    this.#deps.onRefused(peerText(reason));
    this.#end(`refused: ${peerText(reason)}`);
  }

  #end(reason: string): void {
    this.#enter("ended");
    this.#deps.onEnd(reason);
  }
}

function refusal(required: readonly number[]): string {
  const lacking = required.filter((type) => type !== WORKER_TRACKING_TYPE && type !== CHAIN_STATISTICS_TYPE);
  return lacking.length === 0
    ? "the server has no chain statistics"
    : `the server requires extensions ${lacking.join(" ")}`;
}

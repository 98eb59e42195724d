/**
 * Watches a server's chains: a connection that carries statistics alone beside the one that mines. With a `Dial` that shares QUIC
 * connections it is another stream of the miner's own.
 */
import type { Dial } from "../../client/link.ts";
import { runSession } from "../../client/session.ts";
import type { ServerAddress } from "../../client/url.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Random } from "../../kernel/random.ts";
import type { NoiseCrypto } from "../../sv2/noise/crypto.ts";
import { NoiseInitiator } from "../../sv2/noise/handshake.ts";
import { Backoff } from "./backoff.ts";
import { ChainStatisticsClient, type ReportedChain } from "./chain-statistics-client.ts";

/** What watching works with. */
export interface ChainWatchDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: NoiseCrypto;
  readonly dial: Dial;
  /** Takes each report. */
  readonly onReport: (chains: readonly ReportedChain[]) => void;
  /** The server does not tell; the watch is over. */
  readonly onRefused: (reason: string) => void;
}

/** Whom to ask and how often. */
export interface ChainWatchOptions {
  readonly server: ServerAddress;
  /** Seconds between reports, 1 to 65,535. */
  readonly intervalS: number;
  /** How long a server may take for an answer, ms. Default 10,000. */
  readonly setupTimeoutMs?: number;
}

const BACKOFF = { minMs: 1_000, maxMs: 60_000 };

/** The longest payload taken, bytes: no message of this conversation comes near. */
const MAX_FRAME_SIZE = 4096;

/** Silence on top of three intervals after which the server is taken for gone, ms. */
const PATIENCE_MS = 30_000;

/** Asks and comes back whenever the connection ends, until it is stopped or refused. */
export class ChainWatch implements Part {
  readonly name = "chain watch";
  readonly #deps: ChainWatchDeps;
  readonly #options: ChainWatchOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isRefused = false;

  constructor(deps: ChainWatchDeps, options: ChainWatchOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(_signal: AbortSignal): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#deps;
    const { signal } = this.#stopping;
    const backoff = new Backoff({ random }, BACKOFF);
    while (!this.#isRefused && !signal.aborted) {
      await this.#connect(() => backoff.reset());
      if (this.#isRefused || signal.aborted) return;
      try {
        await sleep(clock, backoff.next(), signal);
      } catch {
        return;
      }
    }
  }

  #connect(onWorking: () => void): Promise<string> {
    const { clock, random, crypto, dial, onReport, onRefused } = this.#deps;
    const { server, intervalS, setupTimeoutMs = 10_000 } = this.#options;
    const { host: endpointHost, port: endpointPort, authorityPublicKey } = server;
    return runSession(
      {
        clock,
        dial,
        noise: server.noise ? new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey }) : undefined,
        client: (send, onEnd) =>
          new ChainStatisticsClient(
            {
              clock,
              send,
              onEnd,
              onReport: (chains) => {
                onWorking();
                onReport(chains);
              },
              onRefused: (reason) => {
                this.#isRefused = true;
                onRefused(reason);
              },
            },
            { endpointHost, endpointPort, intervalS, setupTimeoutMs },
          ),
        onEstablished: () => undefined,
      },
      {
        server,
        goodbye: "the watch stops",
        maxFrameSize: MAX_FRAME_SIZE,
        handshakeTimeoutMs: setupTimeoutMs,
        idleTimeoutMs: 3 * intervalS * 1000 + PATIENCE_MS,
      },
      this.#stopping.signal,
    );
  }
}

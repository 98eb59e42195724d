/**
 * One connection to a server of a small subprotocol, templates or job declaration: it has to be of use within a time, and ends with a fault where there is one.
 * Its silence is the conversation's own business.
 */
import { withSignals } from "../kernel/abort.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Random } from "../kernel/random.ts";
import type { NoiseCrypto } from "../sv2/noise/crypto.ts";
import { NoiseInitiator } from "../sv2/noise/handshake.ts";
import type { Dial } from "./link.ts";
import { type ClientSessionDeps, runSession } from "./session.ts";
import type { ServerAddress } from "./url.ts";

/** From the open stream to the complete handshake, ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

const NEVER_MS = 0x7fff_ffff;

/** What a connection is made with. */
export interface ServiceSessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: NoiseCrypto;
  readonly dial: Dial;
  /** As `ClientSessionDeps.client`. */
  readonly client: ClientSessionDeps["client"];
  /** What is wrong when it was of no use in time. */
  readonly tooLate: () => Fault;
}

/** Options of `ServiceSession`. */
export interface ServiceSessionOptions {
  readonly server: ServerAddress;
  /** The longest payload that is taken from the server, bytes. */
  readonly maxFrameSize: number;
  /** From dialling to `arrived`, ms. */
  readonly connectTimeoutMs: number;
}

/** How a connection ended. */
export interface ServiceEnd {
  /** In words; the fault's, where there is one. */
  readonly reason: string;
  readonly fault: Fault | undefined;
}

/** The connection; one object serves one. */
export class ServiceSession {
  readonly #deps: ServiceSessionDeps;
  readonly #options: ServiceSessionOptions;
  #fault: Fault | undefined;
  #deadline: Timer | undefined;

  constructor(deps: ServiceSessionDeps, options: ServiceSessionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** It is of use: the deadline is met. */
  arrived(): void {
    this.#deadline?.cancel();
  }

  /** What it ends for, unless something was told before. */
  blame(fault: Fault): void {
    this.#fault ??= fault;
  }

  /** Dials and talks until the end. Never rejects. */
  async run(signal: AbortSignal): Promise<ServiceEnd> {
    const { clock, random, crypto, dial, client, tooLate } = this.#deps;
    const { server, maxFrameSize, connectTimeoutMs } = this.#options;
    const { authorityPublicKey } = server;
    const over = new AbortController();
    this.#deadline = clock.after(connectTimeoutMs, () => {
      this.blame(tooLate());
      over.abort();
    });
    const key = authorityPublicKey === undefined ? {} : { authorityPublicKey };
    const deps: ClientSessionDeps = {
      clock,
      dial,
      noise: server.noise ? new NoiseInitiator({ crypto, clock, random }, key) : undefined,
      client,
      onEstablished: () => undefined,
      onFailure: (error) => {
        if (error instanceof Fault) this.blame(error);
      },
    };
    const limits = {
      server,
      goodbye: "",
      maxFrameSize,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      idleTimeoutMs: NEVER_MS,
    };
    const reason = await withSignals([signal, over.signal], (both) => runSession(deps, limits, both));
    this.#deadline.cancel();
    return { reason: this.#fault === undefined ? reason : describe(this.#fault), fault: this.#fault };
  }
}

/**
 * Why a connection to a pool ended, from what was seen of it: a session ends with words only, and an operator is owed what to do. The first
 * cause counts; what follows from it does not.
 */
import type { Dial } from "../client/link.ts";
import type { ServerAddress } from "../client/url.ts";
import { concat } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { isStratumV1, speaksStratumV1 } from "./sv1-probe.ts";

/** Bytes of the pool's first words that are kept. */
const MAX_FIRST_WORDS = 512;

/** What an ending works with. */
export interface EndingDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly dial: Dial;
}

/** Which connection it is. */
export interface EndingOptions {
  readonly pool: string;
  readonly address: ServerAddress;
}

/** An end in words, with its fault, and where the pool sent us. */
export interface Explained {
  readonly reason: string;
  readonly fault: Fault | undefined;
  readonly moveTo: ServerAddress | undefined;
}

/** What a connection had seen when it ended. */
export class Ending {
  readonly #deps: EndingDeps;
  readonly #options: EndingOptions;
  #cause: Error | undefined;
  #moveTo: ServerAddress | undefined;
  #wasReached = false;
  #isEstablished = false;
  #hungUp: string | undefined;
  #firstWords: Uint8Array = new Uint8Array(0);

  constructor(deps: EndingDeps, options: EndingOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The handshake is complete. */
  established(): void {
    this.#isEstablished = true;
  }

  /** Something went wrong. */
  failed(cause: unknown): void {
    if (this.#moveTo !== undefined) return;
    this.#cause ??= cause instanceof Error ? cause : new TypeError(String(cause));
  }

  /** The pool sends us elsewhere, and we go. */
  moves(to: ServerAddress): void {
    if (this.#cause === undefined) this.#moveTo ??= to;
  }

  /** The way to the pool, watched. */
  readonly dial: Dial = async (server, listener, signal) => {
    const link = await this.#deps.dial(
      server,
      {
        onData: (bytes) => {
          this.#listen(bytes);
          // No act of Noise looks like this, and a V1 pool keeps such a connection open.
          if (!this.#isEstablished && isStratumV1(this.#firstWords)) listener.onClose("it answers in Stratum V1");
          else listener.onData(bytes);
        },
        onClose: (reason) => {
          this.#hungUp ??= reason;
          listener.onClose(reason);
        },
      },
      signal,
    );
    this.#wasReached = true;
    return link;
  };

  /** Says why it ended in `stage`. A pool that did not finish the handshake is asked whether it speaks Stratum V1. Never rejects. */
  async explain(stage: string, signal: AbortSignal): Promise<Explained> {
    const cause = this.#cause;
    if (this.#moveTo !== undefined) {
      return { reason: "the pool asks us to connect elsewhere", fault: undefined, moveTo: this.#moveTo };
    }
    const isOurs = cause === undefined && signal.aborted;
    const isUnfinished = this.#wasReached && !this.#isEstablished && !isAboutCertificate(cause);
    if (isUnfinished && !isOurs) return faulty(await this.#noHandshake(signal));
    if (cause instanceof Fault) return faulty(cause);
    if (cause !== undefined) {
      this.#deps.log.error(`serving the connection failed unexpectedly: ${describe(cause)}`, { error: cause });
      return { reason: describe(cause), fault: undefined, moveTo: undefined };
    }
    if (isOurs) return { reason: "stopped", fault: undefined, moveTo: undefined };
    const words = this.#hungUp ?? "the connection ended";
    const reason = stage === "ready" ? words : `${words} before there was work (${stage})`;
    return { reason, fault: undefined, moveTo: undefined };
  }

  async #noHandshake(signal: AbortSignal): Promise<Fault> {
    const { pool, address } = this.#options;
    const { host, port } = address;
    const words = this.#firstWords;
    const speaksV1 = async (): Promise<boolean> =>
      address.transport === "tcp" && (isStratumV1(words) || (await speaksStratumV1(this.#deps, address, signal)));
    if (await speaksV1()) return new Fault("upstream-stratum-v1", { pool, host, port });
    const got = words.length > 0 ? `${words.length} bytes of something else` : (this.#hungUp ?? "nothing");
    const cause = this.#cause === undefined ? {} : { cause: this.#cause };
    return new Fault("upstream-not-stratum-v2", { pool, host, port, got }, cause);
  }

  #listen(bytes: Uint8Array): void {
    const room = MAX_FIRST_WORDS - this.#firstWords.length;
    if (!this.#isEstablished && room > 0) this.#firstWords = concat(this.#firstWords, bytes.subarray(0, room));
  }
}

function faulty(fault: Fault): Explained {
  return { reason: describe(fault), fault, moveTo: undefined };
}

/** It speaks Stratum V2 then, and somebody's clock or key is wrong. */
function isAboutCertificate(cause: Error | undefined): boolean {
  return cause instanceof Fault && cause.code.startsWith("certificate-");
}

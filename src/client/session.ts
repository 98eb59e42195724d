/**
 * One connection of a client from dialling to its end: stream, Noise and conversation joined, with the deadlines that keep
 * a silent server from holding the client.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import { Connection } from "../sv2/connection.ts";
import type { Frame } from "../sv2/frame.ts";
import type { NoiseHandshake } from "../sv2/noise/ports.ts";
import type { Dial, Link } from "./link.ts";
import type { ServerAddress } from "./url.ts";

/** What is said on a connection. */
export interface ClientConversation {
  /** Frames may flow: begins with SetupConnection. */
  start(): void;
  /** Takes a frame of the server. Throws `Fault` for one that costs it the connection. */
  receive(frame: Frame): void;
  /** Says goodbye; nothing is sent afterwards. */
  close(reason: string): void;
  /** The connection is gone: nothing is sent or told any more. Also called after `close`. */
  abandon(): void;
}

/** What a session joins. */
export interface ClientSessionDeps {
  readonly clock: Clock;
  readonly dial: Dial;
  /** A fresh initiator, or `undefined` for a plain connection. */
  readonly noise: NoiseHandshake | undefined;
  /** Makes the conversation; `send` takes whole plain frames, `end` closes the connection. */
  readonly client: (send: (frame: Uint8Array) => void, end: (reason: string) => void) => ClientConversation;
  /** Called when frames may flow. */
  readonly onEstablished: () => void;
  /** Called when an error ends the session, right before: the reason is words only. */
  readonly onFailure?: (error: unknown) => void;
}

/** Limits of a session. */
export interface ClientSessionOptions {
  readonly server: ServerAddress;
  /** What is said at the end on our initiative (CloseChannel's reason). */
  readonly goodbye: string;
  /** The longest payload that is taken from the server, bytes. */
  readonly maxFrameSize: number;
  /** From the open stream to the complete handshake, ms. */
  readonly handshakeTimeoutMs: number;
  /** Silence after which the server is taken for gone, ms. */
  readonly idleTimeoutMs: number;
}

/**
 * Dials and talks until the connection ends; resolves with the reason in a few words. Never rejects: whatever goes wrong is a
 * reason. `signal` ends it, after CloseChannel was sent.
 */
export function runSession(
  deps: ClientSessionDeps,
  options: ClientSessionOptions,
  signal: AbortSignal,
): Promise<string> {
  const { clock } = deps;
  const connection = new Connection({ noise: deps.noise }, { role: "client", maxFrameSize: options.maxFrameSize });
  return new Promise((resolve) => {
    let link: Link | undefined;
    let watchdog: Timer | undefined;
    let begun = false;
    let ended = false;

    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      watchdog?.cancel();
      signal.removeEventListener("abort", onAbort);
      client.abandon();
      link?.end();
      resolve(reason);
    };
    const fail = (error: unknown): void => {
      if (!ended) deps.onFailure?.(error);
      end(describe(error));
    };
    const watch = (timeoutMs: number, reason: string): void => {
      watchdog?.cancel();
      watchdog = clock.after(timeoutMs, () => end(reason));
    };
    const flush = (): void => {
      for (let act = connection.output(); act !== undefined; act = connection.output()) link?.write(act);
    };
    const client = deps.client((frame) => link?.write(connection.send(frame)), end);
    const onAbort = (): void => {
      client.close(options.goodbye);
      end("stopped");
    };
    const begin = (): void => {
      if (begun || !connection.established) return;
      begun = true;
      watch(options.idleTimeoutMs, `the server was silent for ${options.idleTimeoutMs} ms`);
      deps.onEstablished();
      client.start();
    };
    const receive = (bytes: Uint8Array): void => {
      const frames = connection.receive(bytes);
      flush();
      begin();
      for (const frame of frames) {
        if (ended) return;
        client.receive(frame);
      }
      connection.check();
      if (begun && !ended) {
        watch(options.idleTimeoutMs, `the server was silent for ${options.idleTimeoutMs} ms`);
      }
    };

    signal.addEventListener("abort", onAbort, { once: true });
    deps
      .dial(
        options.server,
        {
          onData(bytes) {
            if (ended) return;
            try {
              receive(bytes);
            } catch (error) {
              fail(error);
            }
          },
          onClose: end,
        },
        signal,
      )
      .then((opened) => {
        link = opened;
        if (ended) return opened.destroy();
        watch(options.handshakeTimeoutMs, `no handshake within ${options.handshakeTimeoutMs} ms`);
        flush();
        begin();
        return undefined;
      })
      .catch(fail);
  });
}

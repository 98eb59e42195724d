/** The byte stream to a server, and TCP as the real one. */
import { connect } from "node:net";
import { Fault } from "../../kernel/fault.ts";

/** What a stream tells its owner. */
export interface LinkListener {
  readonly onData: (bytes: Uint8Array) => void;
  /** The stream ended; called once. `reason` in a few words. */
  readonly onClose: (reason: string) => void;
}

/** An open stream. */
export interface Link {
  /** Sends `bytes`; does nothing once the stream ended. */
  write(bytes: Uint8Array): void;
  /** Sends what was written and ends the stream. */
  end(): void;
  /** Ends the stream at once. */
  destroy(): void;
}

/** Opens a stream to a host and port. Rejects with `Fault("server-unreachable")`, or the signal's reason. */
export type Dial = (host: string, port: number, listener: LinkListener, signal: AbortSignal) => Promise<Link>;

/** How long TCP may take to connect, ms: SRI's figure. */
const CONNECT_TIMEOUT_MS = 5_000;

/** How long a server may take to hang up after we did, ms. */
const END_TIMEOUT_MS = 2_000;

/** `Dial` over TCP. Shares leave at once (TCP_NODELAY). */
export const dialTcp: Dial = (host, port, listener, signal) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, timeout: CONNECT_TIMEOUT_MS });
    let failure: Error | undefined;
    let open = false;
    const abort = (): void => {
      reject(signal.reason);
      socket.destroy();
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    socket.on("timeout", () => socket.destroy(open ? undefined : new Error(`no answer for ${CONNECT_TIMEOUT_MS} ms`)));
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("data", (bytes: Uint8Array) => listener.onData(bytes));
    socket.on("close", () => {
      signal.removeEventListener("abort", abort);
      const reason = failure?.message ?? "the server closed the connection";
      if (open) listener.onClose(reason);
      else reject(new Fault("server-unreachable", { host, port, reason }, { cause: failure }));
    });
    socket.on("connect", () => {
      open = true;
      socket.setTimeout(0);
      resolve({
        write(bytes) {
          if (socket.writable) socket.write(bytes);
        },
        end() {
          socket.setTimeout(END_TIMEOUT_MS);
          socket.end();
        },
        destroy: () => void socket.destroy(),
      });
    });
    return undefined;
  });

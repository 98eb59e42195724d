/** A Node socket as a link: what dialling over TCP and over TLS have in common. */
import type { Socket } from "node:net";
import { Fault } from "../kernel/fault.ts";
import { CONNECT_TIMEOUT_MS, END_TIMEOUT_MS, type Link, type LinkListener, MAX_WAITING, NOT_TAKEN } from "./link.ts";
import type { ServerAddress } from "./url.ts";

/** How a socket becomes a link. */
export interface SocketLinkOptions {
  readonly server: Pick<ServerAddress, "host" | "port">;
  /** The event that says that bytes may flow. */
  readonly openedBy: "connect" | "secureConnect";
  /** Looks at the open socket: a fault ends it instead. */
  readonly check?: () => Fault | undefined;
  /** The fault of an error before that, where it means more than that nobody is there. */
  readonly explain?: (error: Error) => Fault | undefined;
}

/** Resolves once the socket is open and checked. Rejects with `Fault("server-unreachable")`, a fault of the options, or the signal's reason. */
export function linkOver(
  socket: Socket,
  options: SocketLinkOptions,
  listener: LinkListener,
  signal: AbortSignal,
): Promise<Link> {
  const { host, port } = options.server;
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    let open = false;
    const abort = (): void => {
      reject(signal.reason);
      socket.destroy();
    };
    socket.on("error", (error) => {
      failure = error;
    });
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    socket.setTimeout(CONNECT_TIMEOUT_MS);
    socket.on("timeout", () => socket.destroy(open ? undefined : new Error(`no answer for ${CONNECT_TIMEOUT_MS} ms`)));
    socket.on("close", () => {
      signal.removeEventListener("abort", abort);
      const reason = failure?.message ?? "the server closed the connection";
      if (open) return listener.onClose(reason);
      const explained = failure === undefined ? undefined : options.explain?.(failure);
      reject(explained ?? new Fault("server-unreachable", { host, port, reason }, { cause: failure }));
    });
    socket.on(options.openedBy, () => {
      const fault = options.check?.();
      if (fault !== undefined) {
        reject(fault);
        socket.destroy();
        return;
      }
      open = true;
      socket.on("data", (bytes: Uint8Array) => listener.onData(bytes));
      socket.setTimeout(0);
      resolve({
        write(bytes) {
          if (!socket.writable) return;
          socket.write(bytes);
          if (socket.writableLength > MAX_WAITING) socket.destroy(new Error(NOT_TAKEN));
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
}

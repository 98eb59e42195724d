/** A stream over TCP, Stratum V2's own transport. */
import { connect } from "node:net";
import { Fault } from "../kernel/fault.ts";
import { CONNECT_TIMEOUT_MS, type Dial, END_TIMEOUT_MS } from "./link.ts";

/** `Dial` over TCP. Shares leave at once (TCP_NODELAY). */
export const dialTcp: Dial = ({ host, port }, listener, signal) =>
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

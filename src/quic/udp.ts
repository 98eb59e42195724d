/** One UDP socket. Sending never fails for its caller: a datagram that the system refuses is a lost one, and QUIC repeats those. */
import { createSocket } from "node:dgram";
import type { HostPort } from "./quiche.ts";

/** A bound socket. */
export interface UdpSocket {
  readonly local: HostPort;
  send(datagram: Uint8Array, to: HostPort): void;
  close(): Promise<void>;
}

/** What a socket tells. */
export interface UdpListener {
  /** The bytes belong to the listener. */
  onDatagram(bytes: Uint8Array, from: HostPort): void;
  onError(error: Error): void;
}

/** Binds a socket; port 0 lets the system choose. Rejects with the system's error. */
export type OpenUdp = (host: string, port: number, listener: UdpListener) => Promise<UdpSocket>;

/** What the kernel may hold for us while we are busy, bytes; it may give less (`net.core.rmem_max`). */
const KERNEL_BUFFER_BYTES = 4 * 1024 * 1024;

/** `OpenUdp` on Node's sockets. */
export const openUdp: OpenUdp = (host, port, listener) =>
  new Promise((resolve, reject) => {
    const socket = createSocket({
      type: host.includes(":") ? "udp6" : "udp4",
      recvBufferSize: KERNEL_BUFFER_BYTES,
      sendBufferSize: KERNEL_BUFFER_BYTES,
      // Only addresses are sent to; the resolver would cost a turn of the loop for each datagram.
      lookup: (name, _options, done) => done(null, name, name.includes(":") ? 6 : 4),
    });
    socket.once("error", reject);
    socket.on("message", (bytes, { address, port: from }) => listener.onDatagram(bytes, { host: address, port: from }));
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off("error", reject);
      socket.on("error", (error) => listener.onError(error));
      const bound = socket.address();
      let open = true;
      resolve({
        local: { host: bound.address, port: bound.port },
        send(datagram, to) {
          if (!open) return;
          try {
            socket.send(datagram, to.port, to.host, () => undefined);
          } catch {
            // No address to send to: a forged datagram may say that it is from port 0.
          }
        },
        close: () =>
          new Promise<void>((closed) => {
            if (!open) return closed();
            open = false;
            socket.close(() => closed());
            return undefined;
          }),
      });
    });
  });

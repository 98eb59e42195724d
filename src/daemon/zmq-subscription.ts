/** One connection to bitcoind's ZMQ publisher, from its opening to its end. */
import { Fault } from "../kernel/fault.ts";
import type { ClientSocket, ConnectSocket } from "./socket.ts";
import { hashBlockNotice, ZmtpSubscriber, zmqEndpoint } from "./zmq.ts";

/** Where to subscribe, and who is told. */
export interface Subscription {
  /** The node's name, for messages. */
  readonly node: string;
  /** `tcp://host:port` of `-zmqpubhashblock`. */
  readonly address: string;
  /** The publisher took the subscription. */
  readonly onSubscribed?: () => void;
  /** A new best block, display-order hex. */
  readonly onHash: (hash: string) => void;
}

/**
 * Subscribes to new blocks. Never resolves: rejects with `Fault("node-zmq")` when the connection ends or the peer is no
 * publisher, and with the signal's reason when that aborts.
 */
export function subscribeToBlocks(
  connect: ConnectSocket,
  subscription: Subscription,
  signal: AbortSignal,
): Promise<never> {
  const { node, address, onSubscribed, onHash } = subscription;
  const { host, port } = zmqEndpoint(address);
  return new Promise((_resolve, reject) => {
    signal.throwIfAborted();
    const subscriber = new ZmtpSubscriber({}, { topic: "hashblock" });
    let socket: ClientSocket | undefined;
    let isOver = false;
    const end = (error: unknown): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener("abort", onAbort);
      const isZmq = error instanceof Fault && error.code === "node-zmq";
      reject(isZmq ? new Fault("node-zmq", { node, address, ...error.data }) : error);
      socket?.destroy();
    };
    const onAbort = (): void => end(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    socket = connect(host, port, {
      onOpen: () => socket?.write(subscriber.greeting()),
      onData(bytes) {
        try {
          const wasSubscribed = subscriber.subscribed;
          const { messages, reply } = subscriber.receive(bytes);
          if (reply !== undefined) socket?.write(reply);
          if (subscriber.subscribed && !wasSubscribed) onSubscribed?.();
          for (const message of messages) {
            const notice = hashBlockNotice(message);
            if (notice !== undefined) onHash(notice.hash);
          }
        } catch (error) {
          end(error);
        }
      },
      onClose(error) {
        const code = error !== undefined && "code" in error ? String(error.code) : "it closed the connection";
        end(new Fault("node-zmq", { node, address, reason: code }));
      },
    });
  });
}

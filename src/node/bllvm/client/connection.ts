/**
 * One connection to the node, from its opening to its end. The node serves its connections in one loop, and a connection whose
 * handshake fails ends that loop for all modules: one that begins with anything else, that closes before its first frame, or that is
 * gone when the node wants to write the answer. So the handshake goes out as soon as the socket opens, and as long as it is not
 * answered we do not close. Source: blvm-node `src/module/ipc/server.rs` 512-613.
 */
import { printable } from "../../../daemon/rpc-failure.ts";
import type { ConnectUnix, UnixSocket } from "../../../daemon/socket.ts";
import { Fault } from "../../../kernel/fault.ts";
import { wireCodec } from "../wire/codec.ts";
import { FrameSlicer } from "../wire/frames.ts";

/** Bytes that may wait for a node that does not read; a block has up to 4 MB. */
const MOST_BUFFERED = 16 << 20;

/** Why a connection ended: `node` closed it, `refused` it never opened, `fault` it broke a rule, and the others we wanted. */
export type EndReason = "node" | "refused" | "fault" | "held" | "stopped";

/** What a connection tells. Nothing follows `onEnd`. */
export interface ConnectionEvents {
  /** It is open and the handshake is written. */
  onOpen(): void;
  /** The node took the handshake. */
  onServed(nodeVersion: string): void;
  /** A message after the handshake; a thrown `Fault` ends the connection. */
  onPayload(payload: Uint8Array): void;
  onEnd(reason: EndReason, error: Error | undefined): void;
}

/** Who we say we are. */
export interface ConnectionOptions {
  /** The node's socket. */
  readonly path: string;
  /** The manifest's name, given as id too: capabilities are registered under the name and looked up by the id. */
  readonly moduleName: string;
  readonly moduleVersion: string;
  readonly handshakeId: bigint;
  /** Longest payload that the node may send. */
  readonly maxPayload: number;
}

/** The same in every version, from the handshake to its answer. */
const CODEC = wireCodec("s3");

/** One connection. */
export class Connection {
  readonly #connect: ConnectUnix;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #slicer: FrameSlicer;
  #socket: UnixSocket | undefined;
  #state: "opening" | "open" | "served" | "over" = "opening";

  constructor(deps: { readonly connect: ConnectUnix }, options: ConnectionOptions, events: ConnectionEvents) {
    this.#connect = deps.connect;
    this.#options = options;
    this.#events = events;
    this.#slicer = new FrameSlicer({ maxPayload: options.maxPayload });
  }

  /** Opens it. Call once. */
  open(): void {
    this.#socket = this.#connect(this.#options.path, {
      onOpen: () => this.#onOpen(),
      onData: (bytes) => this.#onData(bytes),
      onClose: (error) => this.end(this.#state === "opening" ? "refused" : "node", error),
    });
  }

  /** Whether the node answered the handshake, so that closing harms nobody. */
  get isServed(): boolean {
    return this.#state === "served";
  }

  /** Bytes that the node has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket?.bufferedBytes ?? 0;
  }

  /** Writes a frame. Ends the connection when too much waits already. */
  write(frame: Uint8Array): void {
    if (this.#state === "over") return;
    if (this.bufferedBytes + frame.length > MOST_BUFFERED) {
      this.end("fault", new Fault("bllvm-away", { reason: "it does not read what is sent to it" }));
    } else {
      this.#socket?.write(frame);
    }
  }

  /** Ends it; `onEnd` is called at once, the first time. */
  end(reason: EndReason, error?: Error): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#socket?.destroy();
    this.#events.onEnd(reason, error);
  }

  #onOpen(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    const { moduleName, moduleVersion, handshakeId } = this.#options;
    this.#socket?.write(
      CODEC.encode({
        type: "Request",
        correlationId: handshakeId,
        request: { name: "Handshake", value: { moduleId: moduleName, moduleName, version: moduleVersion } },
      }),
    );
    this.#events.onOpen();
  }

  #onData(bytes: Uint8Array): void {
    try {
      for (const payload of this.#state === "over" ? [] : this.#slicer.push(bytes)) {
        if (this.#state === "open") this.#onAck(payload);
        else if (this.#state === "served") this.#events.onPayload(payload);
      }
    } catch (error) {
      // Whatever the peer sent must not end the process; a mistake of our own is told as what it is.
      this.end("fault", error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onAck(payload: Uint8Array): void {
    const message = CODEC.decode(payload);
    if (message.type !== "Response" || message.correlationId !== this.#options.handshakeId) {
      throw new Fault("bllvm-message-invalid", { reason: `the handshake was answered with a ${message.type}` });
    }
    if (message.payload?.name !== "HandshakeAck") {
      throw new Fault("bllvm-message-invalid", {
        reason: `the handshake was refused: ${printable(message.error ?? "no words")}`,
      });
    }
    this.#state = "served";
    this.#events.onServed(printable(message.payload.value.nodeVersion));
  }
}

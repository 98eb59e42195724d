/**
 * One connection that the node serves (blvm-node `src/module/ipc/server.rs`, `handle_connection` and `handle_message`): first
 * the handshake, whose failure is the whole server's, then messages one after the other until one of them fails.
 */
import type { Socket } from "node:net";
import { EventChannel } from "./event-hub.ts";
import { FrameCutter } from "./frames.ts";
import type { AnyEvent, AnyInvocation, AnyRequest, EventTypeName, FakeMessage, LogMessage, Wire } from "./messages.ts";

/** The handshake failed: the node's `?` carries this out of its accept loop. */
export class HandshakeFailure extends Error {}

/** What came of an invocation. */
export type InvocationAnswer = Extract<FakeMessage, { type: "InvocationResult" }>;

/** What a connection asks of the node. */
export interface ConnectionHost {
  readonly wire: Wire;
  readonly nodeVersion: string;
  /** Answers are dropped that wait to be written when a request fails. */
  readonly losesQueuedResponses: boolean;
  /** Resolves when the node, which hangs now, goes on; `undefined` while it does not hang. */
  readonly hang: () => Promise<void> | undefined;
  /** An id for a module that did not say one. */
  readonly fallbackId: () => string;
  readonly onGreeted: (connection: IpcConnection) => void;
  readonly onRequest: (connection: IpcConnection, request: AnyRequest) => void;
  readonly onLog: (connection: IpcConnection, log: LogMessage) => void;
  readonly onSubscribe: (connection: IpcConnection, types: readonly EventTypeName[], channel: EventChannel) => void;
  /** The response's payload. Rejects when the request fails. */
  readonly answer: (
    connection: IpcConnection,
    request: AnyRequest,
  ) => Promise<Extract<FakeMessage, { type: "Response" }>["payload"]>;
  readonly onClosed: (connection: IpcConnection) => void;
}

/** A module's connection. */
export class IpcConnection {
  /** `module_id` of the handshake, or the fallback. Empty before. */
  moduleId = "";
  /** The handshake's other fields. */
  handshake: { readonly moduleName: string; readonly version: string } | undefined;
  /** Requests that came, in order. */
  readonly requests: AnyRequest[] = [];
  /** Why the node closed it; `undefined` while it is open and when the module closed it. */
  closedBecause: string | undefined;
  /** Whether it is closed. */
  closed = false;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #cutter: FrameCutter;
  readonly #channel: EventChannel;
  readonly #pending = new Map<bigint, (answer: InvocationAnswer) => void>();
  #outgoing: Uint8Array[] = [];
  #flushing = false;

  constructor(deps: { readonly socket: Socket; readonly host: ConnectionHost }) {
    this.#host = deps.host;
    this.#socket = deps.socket;
    this.#cutter = new FrameCutter(deps.host.wire.maxPayload);
    this.#channel = new EventChannel({ deliver: (event) => this.#deliver(event) });
    // A write to a module that went away is no matter: reading ends too.
    this.#socket.on("error", () => undefined);
  }

  /**
   * Serves the connection to its end. Rejects with `HandshakeFailure` when it does not get past the first frame.
   */
  async serve(): Promise<void> {
    const payloads = this.#payloads();
    try {
      await this.#greet(payloads);
      await this.#handleAll(payloads);
    } finally {
      await payloads.return(undefined);
      this.close();
    }
  }

  /** Sends a frame as it is, past all queues. */
  sendRaw(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  /** Asks the module and waits for its answer. Rejects when the connection ends before. */
  invoke(correlationId: bigint, invocation: AnyInvocation): Promise<InvocationAnswer> {
    if (this.closed) return Promise.reject(new Error("the module is not connected"));
    this.#queue({ type: "Invocation", correlationId, invocation });
    return new Promise((resolve, reject) => {
      this.#pending.set(correlationId, resolve);
      this.#socket.once("close", () => {
        if (this.#pending.delete(correlationId)) reject(new Error("the module hung up before it answered"));
      });
    });
  }

  /** Ends it from the node's side, at once. */
  close(because?: string): void {
    if (this.closed) return;
    this.closed = true;
    this.closedBecause = because;
    this.#channel.close();
    this.#socket.destroy();
    this.#host.onClosed(this);
  }

  async #greet(payloads: AsyncGenerator<Uint8Array>): Promise<void> {
    const first = await payloads.next().catch((error: unknown) => {
      throw new HandshakeFailure(`failed to read handshake: ${String(error)}`);
    });
    if (first.done === true) throw new HandshakeFailure("connection closed before handshake");
    let message: FakeMessage;
    try {
      message = this.#host.wire.decode(first.value);
    } catch (error) {
      throw new HandshakeFailure(`undecodable first frame: ${String(error)}`);
    }
    if (message.type !== "Request") throw new HandshakeFailure("first message must be a handshake request");
    this.#note(message.request);
    if (message.request.name !== "Handshake") {
      this.moduleId = this.#host.fallbackId();
    } else {
      const { moduleId, moduleName, version } = message.request.value;
      Object.assign(this, { moduleId, handshake: { moduleName, version } });
      await this.#writeAck(message.correlationId);
    }
    this.#host.onGreeted(this);
  }

  #writeAck(correlationId: bigint): Promise<void> {
    const { nodeVersion, wire } = this.#host;
    const payload = { name: "HandshakeAck", value: { nodeVersion } } as const;
    const ack = wire.frame({ type: "Response", correlationId, success: true, payload, error: null });
    return new Promise((resolve, reject) => {
      this.#socket.write(ack, (error) => {
        if (error) reject(new HandshakeFailure(`failed to send handshake ack: ${error.message}`));
        else resolve();
      });
    });
  }

  async #handleAll(payloads: AsyncGenerator<Uint8Array>): Promise<void> {
    try {
      for await (const payload of payloads) {
        await this.#handle(this.#host.wire.decode(payload));
        if (this.closed) return;
      }
    } catch (error) {
      if (this.#host.losesQueuedResponses) this.#outgoing = [];
      else await this.#flush();
      this.close(error instanceof Error ? error.message : String(error));
    }
  }

  async #handle(message: FakeMessage): Promise<void> {
    if (message.type === "Log") return this.#host.onLog(this, message);
    if (message.type === "InvocationResult") {
      this.#pending.get(message.correlationId)?.(message);
      this.#pending.delete(message.correlationId);
      return;
    }
    if (message.type !== "Request") return;
    const { request, correlationId } = message;
    this.#note(request);
    // Registered before anybody asks whether the module may.
    if (request.name === "SubscribeEvents") this.#host.onSubscribe(this, request.value.eventTypes, this.#channel);
    const payload = await this.#host.answer(this, request);
    this.#queue({ type: "Response", correlationId, success: true, payload, error: null });
  }

  #note(request: AnyRequest): void {
    this.requests.push(request);
    this.#host.onRequest(this, request);
  }

  #deliver(event: AnyEvent): void {
    try {
      this.#queue({ type: "Event", event });
    } catch (error) {
      // This version of the protocol cannot carry the event; the node logs that and goes on.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  #queue(message: FakeMessage): void {
    this.#outgoing.push(this.#host.wire.frame(message));
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    await this.#whileHanging();
    this.#flushing = false;
    for (const frame of this.#outgoing.splice(0)) if (!this.closed) this.#socket.write(frame);
  }

  /** A node that hangs has stopped reading and writing: the module's bytes stay where they are. */
  async #whileHanging(): Promise<void> {
    const hang = this.#host.hang();
    if (hang === undefined || this.#socket.destroyed) return;
    await Promise.race([hang, new Promise((resolve) => this.#socket.once("close", resolve))]);
  }

  async *#payloads(): AsyncGenerator<Uint8Array> {
    // The socket outlives this loop: what waits to be written may still have to go out.
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      await this.#whileHanging();
      if (this.#socket.destroyed) return;
      yield* this.#cutter.push(chunk);
    }
  }
}

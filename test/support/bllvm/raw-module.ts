/** A module that is nothing but a socket: for tests of the fake node itself, and for a second module beside the tested one. */
import { connect, type Socket } from "node:net";
import { until } from "../until.ts";
import { FrameCutter } from "./frames.ts";
import { type AnyRequest, type AnyResponse, type FakeMessage, type Wire, wireOf } from "./messages.ts";

/** One connection to a node. */
export class RawModule {
  /** Messages that came, in order. */
  readonly received: FakeMessage[] = [];
  /** Whether the node closed it, or the connection broke. */
  closed = false;
  readonly #socket: Socket;
  readonly #wire: Wire;
  #correlation = 0n;

  private constructor(socket: Socket, wire: Wire) {
    this.#socket = socket;
    this.#wire = wire;
    const cutter = new FrameCutter(wire.maxPayload);
    socket.on("data", (chunk) => {
      for (const payload of cutter.push(chunk)) this.received.push(wire.decode(payload));
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.closed = true;
    });
  }

  /** Connects and says nothing. Rejects as `connect` does. */
  static async connect(path: string, wire = wireOf("s3")): Promise<RawModule> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new RawModule(socket, wire);
  }

  /** Connects and sends a handshake; with `wait` (the default) resolves when it is acknowledged. */
  static async greet(
    path: string,
    moduleId = "raw",
    options: { readonly wire?: Wire; readonly wait?: boolean } = {},
  ): Promise<RawModule> {
    const module = await RawModule.connect(path, options.wire);
    const correlationId = module.send({
      name: "Handshake",
      value: { moduleId, moduleName: moduleId, version: "0.1.0" },
    });
    if (options.wait ?? true) await module.response(correlationId);
    return module;
  }

  /** The events that came. */
  get events() {
    return this.received.flatMap((message) => (message.type === "Event" ? [message.event] : []));
  }

  /** Sends a request; gives its correlation id. */
  send(request: AnyRequest): bigint {
    const correlationId = ++this.#correlation;
    this.sendMessage({ type: "Request", correlationId, request });
    return correlationId;
  }

  /** Sends several requests in one piece. */
  sendTogether(requests: readonly AnyRequest[]): bigint[] {
    const ids = requests.map(() => ++this.#correlation);
    const frames = requests.map((request, i) => this.#wire.frame({ type: "Request", correlationId: ids[i]!, request }));
    this.#socket.write(Buffer.concat(frames));
    return ids;
  }

  /** Sends any message. */
  sendMessage(message: FakeMessage): void {
    this.#socket.write(this.#wire.frame(message));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves with the answer to `correlationId`; rejects when the node closes instead. */
  async response(correlationId: bigint): Promise<AnyResponse | null> {
    const find = () =>
      this.received.find((message) => message.type === "Response" && message.correlationId === correlationId);
    await until(`there is an answer to ${correlationId}`, () => find() !== undefined || this.closed);
    const found = find();
    if (found?.type !== "Response") throw new Error("the node closed the connection instead of answering");
    return found.payload;
  }

  /** Sends a request and gives its answer. Rejects when the node closes instead. */
  ask(request: AnyRequest): Promise<AnyResponse | null> {
    return this.response(this.send(request));
  }

  /** Hangs up. */
  close(): void {
    this.#socket.destroy();
  }
}

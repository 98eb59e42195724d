/** A scripted SV2 client over a real socket: it sends what the test says, honest or not, and keeps what it gets. */
import { Connection } from "../../src/sv2/connection.ts";
import type { NoiseHandshake } from "../../src/sv2/noise/ports.ts";
import { Inbox } from "./inbox.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, type Name } from "./messages.ts";
import { TCP, type TestTransport, type Wire } from "./transports.ts";

const WAIT_MS = 10_000;

/** How a mock miner connects. */
export interface MockMinerOptions {
  /** Initiator's handshake; without it the connection is plain. */
  readonly noise?: NoiseHandshake | undefined;
  /** What carries it. Default TCP. */
  readonly transport?: TestTransport | undefined;
}

/** Fields of SetupConnection that a test seldom cares about. */
export const SETUP_CONNECTION: Fields<"SetupConnection"> = {
  protocol: 0,
  minVersion: 2,
  maxVersion: 2,
  flags: 0,
  endpointHost: "127.0.0.1",
  endpointPort: 3333,
  vendor: "mock",
  hardwareVersion: "",
  firmware: "",
  deviceId: "",
};

/** The largest target: any hash meets it. */
export const EASIEST_TARGET = new Uint8Array(32).fill(0xff);

/** One client. */
export class MockMiner {
  readonly inbox = new Inbox<Message>(({ name }) => name);
  /** Resolves when the server closed the connection, with the error if there was one. */
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Wire;
  readonly #connection: Connection;
  #established: (() => void) | undefined;
  #bytesReceived = 0;
  #deaf = false;
  #leaves = true;
  #requestId = 0;

  private constructor(socket: Wire, options: MockMinerOptions) {
    this.#socket = socket;
    this.#connection = new Connection({ noise: options.noise }, { role: "client", maxFrameSize: 0xffffff });
    let failure: Error | undefined;
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("end", () => {
      if (this.#leaves) socket.end();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.inbox.close("the server closed the connection");
        this.#established?.();
        resolve(failure);
      });
    });
    socket.on("data", (bytes: Uint8Array) => {
      this.#bytesReceived += bytes.length;
      if (this.#deaf) return;
      for (const frame of this.#connection.receive(bytes)) {
        const message = decodeMessage(frame, "client");
        if (message !== undefined) this.inbox.push(message);
      }
      this.#flushHandshake();
    });
  }

  /** Connects to `address` (`host:port`) and, with `noise`, finishes the handshake. */
  static async connect(address: string, options: MockMinerOptions = {}): Promise<MockMiner> {
    const miner = await MockMiner.reach(address, options);
    await miner.handshake();
    return miner;
  }

  /** Connects and sends nothing at all. */
  static async reach(address: string, options: MockMinerOptions = {}): Promise<MockMiner> {
    const { transport = TCP } = options;
    return new MockMiner(await transport.reach(address), options);
  }

  /** Runs the handshake; resolves when frames can be sent, rejects when the server closes instead. */
  async handshake(): Promise<void> {
    this.#flushHandshake();
    if (this.#connection.established) return;
    await new Promise<void>((resolve) => {
      this.#established = resolve;
    });
    if (!this.#connection.established) throw new Error("the server closed during the handshake");
  }

  #flushHandshake(): void {
    for (let out = this.#connection.output(); out !== undefined; out = this.#connection.output()) this.sendRaw(out);
    if (this.#connection.established) this.#established?.();
  }

  /** Bytes that the server sent so far, as they came over the wire. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /** Local port, to tell connections apart. */
  get port(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Sends a message, encrypted if the connection is. */
  send<N extends Name>(name: N, value: Fields<N>, tlv?: Uint8Array): void {
    this.sendFrame(encodeMessage(name, value, tlv));
  }

  /** Sends any bytes as a frame, encrypted if the connection is. */
  sendFrame(plainFrame: Uint8Array): void {
    this.sendRaw(this.#connection.send(plainFrame));
  }

  /** What would go over the wire for a frame; it must be sent, because the cipher's nonce has moved. */
  seal(plainFrame: Uint8Array): Uint8Array {
    return this.#connection.send(plainFrame);
  }

  /** Puts bytes on the socket as they are. Returns whether the kernel took them at once. */
  sendRaw(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  /** The next message called `name`; what came before it counts as read. */
  async next<N extends Name>(name: N, timeoutMs = WAIT_MS): Promise<Fields<N>> {
    const message = await this.inbox.next((one) => one.name === name, name, timeoutMs);
    return (message as Message<N>).value;
  }

  /** The very next message, which must be called `name`. */
  async expect<N extends Name>(name: N, timeoutMs = WAIT_MS): Promise<Fields<N>> {
    const message = await this.inbox.next(() => true, name, timeoutMs);
    if (message.name !== name) {
      throw new Error(`expected ${name}, got ${message.name} ${JSON.stringify(message.value, plain)}`);
    }
    return (message as Message<N>).value;
  }

  /** Waits `ms` and fails if a message called one of `names` (any, when none is given) arrived meanwhile. */
  async quiet(ms: number, ...names: readonly Name[]): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const found = this.inbox.unread.filter(({ name }) => names.length === 0 || names.includes(name));
    if (found.length > 0) throw new Error(`expected silence, got ${found.map(({ name }) => name).join(", ")}`);
  }

  /** SetupConnection with `changes`, and its Success. */
  async setup(changes: Partial<Fields<"SetupConnection">> = {}): Promise<Fields<"SetupConnectionSuccess">> {
    this.send("SetupConnection", { ...SETUP_CONNECTION, ...changes });
    return this.expect("SetupConnectionSuccess");
  }

  /** Opens a standard channel. */
  async openStandard(
    changes: Partial<Fields<"OpenStandardMiningChannel">> = {},
  ): Promise<Fields<"OpenStandardMiningChannelSuccess">> {
    this.send("OpenStandardMiningChannel", {
      requestId: ++this.#requestId,
      userIdentity: "mock",
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
      ...changes,
    });
    return this.next("OpenStandardMiningChannelSuccess");
  }

  /** Opens an extended channel. */
  async openExtended(
    changes: Partial<Fields<"OpenExtendedMiningChannel">> = {},
  ): Promise<Fields<"OpenExtendedMiningChannelSuccess">> {
    this.send("OpenExtendedMiningChannel", {
      requestId: ++this.#requestId,
      userIdentity: "mock",
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
      minExtranonceSize: 4,
      ...changes,
    });
    return this.next("OpenExtendedMiningChannelSuccess");
  }

  /** Keeps its side open when the server has closed its own. */
  stayAfterGoodbye(): void {
    this.#leaves = false;
  }

  /** From now on what the server says is read from the socket and thrown away. */
  ignoreAnswers(): void {
    this.#deaf = true;
  }

  /** Stops reading from the socket. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Closes politely. */
  end(): void {
    this.#socket.end();
  }

  /** Closes without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes with a TCP reset, as a crashed device does. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

/** Lets JSON show what messages hold. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

/**
 * The spawner's own connection to the node's socket, or to a legacy module's (blvm-node `process/spawner.rs`,
 * `process/monitor.rs`): a handshake where one is due, then a GetChainTip with correlation 0 now and again.
 */
import { connect, type Socket } from "node:net";
import { FrameCutter } from "./frames.ts";
import type { AnyRequest, FakeMessage, Wire } from "./messages.ts";

/** Ms that a heartbeat may take. */
export const HEARTBEAT_TIMEOUT_MS = 2000;

/** One connection. */
export class Heartbeat {
  /** How each heartbeat so far went. */
  readonly beats: ("ok" | "timeout" | "failed")[] = [];
  readonly #socket: Socket;
  readonly #wire: Wire;
  #waiting: ((message: FakeMessage | undefined) => void) | undefined;

  private constructor(socket: Socket, wire: Wire) {
    this.#socket = socket;
    this.#wire = wire;
    const cutter = new FrameCutter(wire.maxPayload);
    socket.on("data", (chunk) => {
      for (const payload of cutter.push(chunk)) this.#take(wire.decode(payload));
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.#take(undefined));
  }

  /** Connects. Rejects as `connect` does. */
  static async connect(path: string, wire: Wire): Promise<Heartbeat> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new Heartbeat(socket, wire);
  }

  /** Shakes hands. There is no limit of time: it waits until the node serves this connection. */
  async greet(moduleId: string, moduleName: string, version: string): Promise<void> {
    const answer = await this.#ask(1n, { name: "Handshake", value: { moduleId, moduleName, version } });
    if (answer?.type !== "Response" || !answer.success) throw new Error("Failed to send handshake: connection closed");
  }

  /** Sends one heartbeat and notes how it went; a failure has no consequence. */
  async beat(): Promise<void> {
    const timeout = Symbol("timeout");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<typeof timeout>((resolve) => {
      timer = setTimeout(resolve, HEARTBEAT_TIMEOUT_MS, timeout);
    });
    const answer = await Promise.race([this.#ask(0n, { name: "GetChainTip", value: {} }), late]);
    clearTimeout(timer);
    if (answer === timeout) this.beats.push("timeout");
    else this.beats.push(answer?.type === "Response" ? "ok" : "failed");
  }

  /** Drops the connection. */
  drop(): void {
    this.#socket.destroy();
  }

  #ask(correlationId: bigint, request: AnyRequest): Promise<FakeMessage | undefined> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      if (this.#socket.destroyed) this.#take(undefined);
      else this.#socket.write(this.#wire.frame({ type: "Request", correlationId, request }));
    });
  }

  #take(message: FakeMessage | undefined): void {
    this.#waiting?.(message);
    this.#waiting = undefined;
  }
}

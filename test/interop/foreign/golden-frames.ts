/** The golden frames of `test/vectors/bllvm-ipc.json`, spoken on a bare socket: nothing of our codec is in between. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import { ROOT } from "../../support/sources.ts";
import { until } from "../../support/until.ts";

const PREFIX_HEX = 8;

const vectors = z
  .array(z.object({ name: z.string().optional(), frame: z.string().optional() }))
  .parse(JSON.parse(readFileSync(join(ROOT, "test/vectors/bllvm-ipc.json"), "utf8")));

/**
 * A golden frame in hex, with some of its fields replaced by values of the same length. A field that does not stand in it
 * exactly once is an error: the replacement would not be what the test means.
 */
export function golden(name: string, ...replaced: readonly (readonly [field: string, by: string])[]): string {
  let frame = vectors.find((vector) => vector.name === name)?.frame;
  if (frame === undefined) throw new Error(`no golden frame ${name}`);
  for (const [field, by] of replaced) {
    if (field.length !== by.length || frame.split(field).length !== 2) {
      throw new Error(`${field} cannot be replaced by ${by} in ${name}`);
    }
    frame = frame.replace(field, by);
  }
  return frame;
}

/** The vectors' `h(first)`: 32 bytes that count up. */
export const counting = (first: number): string => hex(Uint8Array.from({ length: 32 }, (_, i) => first + i));

/** An integer of `bytes` bytes, little-endian, in hex. */
export function le(value: number, bytes: number): string {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer.subarray(0, bytes).toString("hex");
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A connection to the node's socket. */
export class BareConnection {
  /** Frames that came, whole, in hex. */
  readonly frames: string[] = [];
  closed = false;
  readonly #socket: Socket;
  #rest = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk.toString("hex")));
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => {
      // Told by `closed`.
    });
  }

  static async open(path: string): Promise<BareConnection> {
    const socket = connect(path);
    const connection = new BareConnection(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return connection;
  }

  send(frame: string): void {
    this.#socket.write(Buffer.from(frame, "hex"));
  }

  /** The next frame that no call of this method has given yet. */
  async next(): Promise<string> {
    await until("a frame came", () => this.frames.length > 0 || this.closed);
    const frame = this.frames.shift();
    if (frame === undefined) throw new Error("the node closed the connection");
    return frame;
  }

  /** What the node answers to `frame`. */
  ask(frame: string): Promise<string> {
    this.send(frame);
    return this.next();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#rest += chunk;
    for (;;) {
      const length = PREFIX_HEX + 2 * Number.parseInt(this.#rest.slice(0, PREFIX_HEX), 16);
      if (Number.isNaN(length) || this.#rest.length < length) return;
      this.frames.push(this.#rest.slice(0, length));
      this.#rest = this.#rest.slice(length);
    }
  }
}

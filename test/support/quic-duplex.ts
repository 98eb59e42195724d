/** A client's stream of a QUIC connection as a Node stream, for clients that are written for sockets. */
import { Duplex } from "node:stream";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { openClient } from "../../src/quic/client-socket.ts";
import { clientConfig } from "../../src/quic/config.ts";
import { CLOSE_CODES, type QuicConnection } from "../../src/quic/connection.ts";
import { loadQuiche } from "../../src/quic/quiche.ts";
import type { QuicStream } from "../../src/quic/stream.ts";
import { openUdp } from "../../src/quic/udp.ts";

/** Opens a QUIC connection that takes any server. */
export async function connectQuic(host: string, port: number): Promise<QuicConnection> {
  const quiche = await loadQuiche();
  return await openClient(
    {
      quiche,
      clock: systemClock,
      random: systemRandom(),
      udp: openUdp,
      config: clientConfig(quiche, undefined, 30_000),
      verify: () => undefined,
      onClosed: () => undefined,
    },
    { remote: { host, port }, serverName: undefined, handshakeTimeoutMs: 3_000, keepAliveMs: 10_000 },
  );
}

/** One stream. */
export class QuicDuplex extends Duplex {
  readonly #stream: QuicStream;
  readonly #onGone: () => void;
  #drained: (() => void) | undefined;

  private constructor(stream: QuicStream, onGone: () => void) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#onGone = onGone;
    stream.attach({
      onData: (bytes) => {
        if (!this.push(bytes)) stream.pause();
      },
      onDrain: () => this.#onDrain(),
      onEnd: () => void this.push(null),
      onClose: (cause) => this.destroy(cause),
    });
  }

  /** Opens a connection and a stream of it; the connection ends with the stream. */
  static async connect(host: string, port: number): Promise<QuicDuplex> {
    const connection = await connectQuic(host, port);
    return QuicDuplex.of(connection, () => connection.close(CLOSE_CODES.done));
  }

  /** Opens a stream of a connection that is shared. */
  static of(connection: QuicConnection, onGone: () => void = () => undefined): QuicDuplex {
    const stream = connection.openStream();
    if (stream === undefined) throw new Error("the server allows no more streams");
    return new QuicDuplex(stream, onGone);
  }

  /** Ends both directions at once. */
  resetAndDestroy(): void {
    this.destroy();
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    if (this.#stream.write(bytes)) done();
    else this.#drained = done;
  }

  override _final(done: () => void): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.destroy();
    this.#onDrain();
    // What was written before the end is on its way.
    setTimeout(() => this.#onGone(), 50);
    done(error);
  }

  #onDrain(): void {
    const done = this.#drained;
    this.#drained = undefined;
    done?.();
  }
}

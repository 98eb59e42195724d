/**
 * UDP sockets of one process that talk to each other, and what is on its way between them. quiche acknowledges at once what it is given, so
 * when all that was sent was received, and that caused nothing more, nothing is left to wait for.
 */
import type { OpenUdp } from "../../../src/quic/udp.ts";

/** Turns of the loop in which nothing may happen: what was received is read, judged, written and sent in as many. */
const QUIET_TURNS = 6;
/** Turns after which a datagram must have arrived. */
const PATIENCE = 100_000;

/** Counts what it carries. */
export class Datagrams {
  /** Datagrams sent so far. */
  sent = 0;
  #underWay = 0;
  readonly #closing = new Set<() => Promise<void>>();
  readonly #udp: OpenUdp;

  constructor(deps: { readonly udp: OpenUdp }) {
    this.#udp = deps.udp;
  }

  /** Opens a socket whose datagrams are counted. */
  readonly open: OpenUdp = async (host, port, listener) => {
    const socket = await this.#udp(host, port, {
      ...listener,
      onDatagram: (bytes, from) => {
        this.#underWay -= 1;
        listener.onDatagram(bytes, from);
      },
    });
    const close = (): Promise<void> => {
      this.#closing.delete(close);
      return socket.close();
    };
    this.#closing.add(close);
    return {
      local: socket.local,
      send: (datagram, to) => {
        this.sent += 1;
        // To a socket that is closed nothing arrives.
        if (this.#closing.size > 1) this.#underWay += 1;
        socket.send(datagram, to);
      },
      close,
    };
  };

  /** Resolves when nothing is on its way. Rejects when something does not arrive. */
  async settle(): Promise<void> {
    let before = this.sent;
    for (let quiet = 0, turns = 0; quiet < QUIET_TURNS; turns++) {
      if (turns > PATIENCE) throw new Error(`${this.#underWay} datagrams did not arrive`);
      await new Promise<void>((resolve) => void setImmediate(resolve));
      const still = this.sent === before && (this.#underWay === 0 || this.#closing.size < 2);
      quiet = still ? quiet + 1 : 0;
      before = this.sent;
    }
  }

  /** Closes all sockets that are open. */
  async close(): Promise<void> {
    await Promise.all([...this.#closing].map((close) => close()));
  }
}

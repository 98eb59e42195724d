/** A bad network between a client and a server on loopback: loses, delays, swaps and doubles datagrams, and changes the address that the server sees. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Random } from "../../src/kernel/random.ts";
import { randomU32 } from "../../src/kernel/random.ts";

/** How bad, both ways; shares of all datagrams from 0 to 1. */
export interface Badness {
  readonly lost?: number;
  readonly doubled?: number;
  /** Held back by up to `delayMs` more than the others, so that later ones overtake them. */
  readonly late?: number;
  readonly delayMs?: number;
}

/** A proxy for one client. */
export interface UdpProxy {
  readonly port: number;
  /** What came by so far, and what of it was lost. */
  readonly seen: { datagrams: number; lost: number };
  badness: Badness;
  /** From now on the server sees another port, as after a translator forgot its mapping; the old port takes nothing in any more. */
  rebind(): Promise<void>;
  /** Sends what the client sent last to the server from another port, as an eavesdropper may; resolves with its length. */
  replayFromElsewhere(): Promise<number>;
  close(): void;
}

/** Starts one in front of `serverPort` on 127.0.0.1. */
export async function udpProxy(random: Random, serverPort: number, badness: Badness = {}): Promise<UdpProxy> {
  const front = await bound();
  let back = await bound();
  let clientPort = 0;
  let latest: Uint8Array = new Uint8Array(0);
  let closed = false;
  const chance = (share: number | undefined): boolean =>
    share !== undefined && share > 0 && randomU32(random) / 2 ** 32 < share;
  const pass = (send: () => void): void => {
    proxy.seen.datagrams += 1;
    const { lost, doubled, late, delayMs = 0 } = proxy.badness;
    if (chance(lost)) {
      proxy.seen.lost += 1;
      return;
    }
    const copies = chance(doubled) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const ms = delayMs === 0 ? 0 : delayMs / 2 + (chance(late) ? (randomU32(random) / 2 ** 32) * delayMs : 0);
      if (ms === 0) send();
      else setTimeout(() => !closed && send(), ms);
    }
  };
  const listen = (socket: Socket): void => {
    socket.on("message", (bytes) => {
      if (socket === back) pass(() => front.send(bytes, clientPort, "127.0.0.1"));
    });
  };
  front.on("message", (bytes, { port }) => {
    clientPort = port;
    latest = bytes;
    pass(() => back.send(bytes, serverPort, "127.0.0.1"));
  });
  listen(back);
  const proxy: UdpProxy = {
    port: front.address().port,
    seen: { datagrams: 0, lost: 0 },
    badness,
    async rebind() {
      const old = back;
      const fresh = await bound();
      listen(fresh);
      back = fresh;
      old.close();
    },
    async replayFromElsewhere() {
      const elsewhere = await bound();
      await new Promise((sent) => void elsewhere.send(latest, serverPort, "127.0.0.1", sent));
      elsewhere.close();
      return latest.length;
    },
    close() {
      closed = true;
      front.close();
      back.close();
    },
  };
  return proxy;
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

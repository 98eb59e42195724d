import { expect, test } from "vitest";
import type { HostPort } from "../../../src/quic/quiche.ts";
import type { OpenUdp, UdpListener } from "../../../src/quic/udp.ts";
import { Datagrams } from "../../bench/bandwidth/datagrams.ts";

/** A network on which a datagram arrives when `deliver` is called. */
function slowNetwork(): { readonly udp: OpenUdp; deliver(): void } {
  const listeners = new Map<number, UdpListener>();
  const waiting: (() => void)[] = [];
  const udp: OpenUdp = async (host, port, listener) => {
    const local: HostPort = { host, port };
    listeners.set(port, listener);
    return {
      local,
      send: (bytes, to) => void waiting.push(() => listeners.get(to.port)?.onDatagram(bytes, local)),
      close: async () => void listeners.delete(port),
    };
  };
  return { udp, deliver: () => waiting.shift()?.() };
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
};

test("nothing is settled before the last datagram arrived, the answer to it included", async () => {
  const { udp, deliver } = slowNetwork();
  const datagrams = new Datagrams({ udp });
  const at = (port: number): HostPort => ({ host: "127.0.0.1", port });
  const server = await datagrams.open("127.0.0.1", 1, {
    onDatagram: (bytes, from) => server.send(bytes, from),
    onError: () => undefined,
  });
  const client = await datagrams.open("127.0.0.1", 2, { onDatagram: () => undefined, onError: () => undefined });
  let settled = false;
  client.send(new Uint8Array(1), at(1));
  const settling = datagrams.settle().then(() => {
    settled = true;
  });
  await turns(50);
  expect(settled).toBe(false);
  deliver();
  await turns(50);
  expect(settled).toBe(false);
  deliver();
  await settling;
  expect(datagrams.sent).toBe(2);
});

test("what is sent to a socket that closed is not waited for", async () => {
  const { udp } = slowNetwork();
  const datagrams = new Datagrams({ udp });
  const quiet: UdpListener = { onDatagram: () => undefined, onError: () => undefined };
  const server = await datagrams.open("127.0.0.1", 1, quiet);
  const client = await datagrams.open("127.0.0.1", 2, quiet);
  client.send(new Uint8Array(1), server.local);
  await server.close();
  client.send(new Uint8Array(1), server.local);
  await datagrams.settle();
  await datagrams.close();
  expect(datagrams.sent).toBe(2);
});

/** The client's side of a TCP connection against servers that do not do their part. */
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { dialTcp } from "../../src/client/dial-tcp.ts";
import { until } from "../support/until.ts";

/** A server that takes connections and reads nothing. */
async function deafServer() {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

test("a server that reads nothing is left before what waits for it fills memory", async () => {
  const port = await deafServer();
  const reasons: string[] = [];
  const link = await dialTcp(
    { transport: "tcp", host: "127.0.0.1", port, noise: false },
    { onData: () => undefined, onClose: (reason) => reasons.push(reason) },
    new AbortController().signal,
  );
  // What a farm's shares of some minutes are; the kernel keeps some megabytes itself.
  const share = new Uint8Array(65_536);
  for (let i = 0; i < 512 && reasons.length === 0; i++) {
    link.write(share);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until("the connection ends", () => reasons.length > 0);
  expect(reasons).toEqual(["the server does not take what is sent to it"]);
});

/** The program of the QUIC process, started by `pool/transports/quic-process.ts` with a pipe as its fourth file descriptor. */
import { Socket } from "node:net";
import { QuicChild } from "../pool/transports/quic-child.ts";
import { loadQuiche } from "../quic/quiche.ts";
import { openUdp } from "../quic/udp.ts";
import { systemClock, systemRandom } from "./system.ts";

const PIPE_FD = 3;

// The server decides when it ends: a terminal's Ctrl-C reaches both.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

new QuicChild({
  clock: systemClock,
  random: systemRandom(),
  quiche: loadQuiche,
  udp: openUdp,
  pipe: new Socket({ fd: PIPE_FD, readable: true, writable: true }),
  rss: () => process.memoryUsage.rss(),
  exit: () => process.exit(0),
});

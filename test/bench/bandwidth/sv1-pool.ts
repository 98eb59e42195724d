/** The pool's side of Stratum V1: it answers what it is told and says which jobs shares are still taken for. */
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { createServer as createTlsServer } from "node:tls";
import { BENCH_PSK } from "./links.ts";
import type { Sv1Dialect } from "./sv1-lines.ts";
import type { Tally } from "./tally.ts";

/** Sends a line of SV1 and counts it as a message called `name`. */
export function say(to: { write(line: string): unknown }, tally: Tally, name: string, text: string): void {
  const line = `${text}\n`;
  tally.add(name, line.length);
  to.write(line);
}

/** A listening pool. */
export class Sv1Pool {
  readonly port: number;
  readonly #server: Server;
  readonly #arrivals: ((socket: Socket) => void)[];
  /** Ids of the jobs on the present block. */
  readonly #current: Set<string>;

  private constructor(server: Server, arrivals: ((socket: Socket) => void)[], current: Set<string>) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the pool has no port");
    this.port = address.port;
    this.#server = server;
    this.#arrivals = arrivals;
    this.#current = current;
  }

  /** Listens on loopback, over TLS 1.3 or plain. */
  static async listen(deps: { readonly tally: Tally; readonly dialect: Sv1Dialect }, tls: boolean): Promise<Sv1Pool> {
    const { tally, dialect } = deps;
    const arrivals: ((socket: Socket) => void)[] = [];
    const current = new Set<string>();
    const hear = (socket: Socket, line: string): void => {
      const { id, method, params } = JSON.parse(line) as { id: number; method: string; params: string[] };
      if (method !== "mining.submit") say(socket, tally, "opening", dialect.opening[id - 1]?.[1] ?? "");
      else say(socket, tally, "answer", current.has(params[1] ?? "") ? dialect.accepted : dialect.late);
    };
    const onSocket = (socket: Socket): void => {
      createInterface({ input: socket }).on("line", (line) => hear(socket, line));
      arrivals.shift()?.(socket);
    };
    const options = { pskCallback: () => BENCH_PSK.key, minVersion: "TLSv1.3" } as const;
    const server = tls ? createTlsServer(options, onSocket) : createServer(onSocket);
    server.on("connection", (socket: Socket) => void socket.setNoDelay(true));
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    return new Sv1Pool(server, arrivals, current);
  }

  /** The pool's end of the next connection. */
  next(): Promise<Socket> {
    return new Promise((resolve) => void this.#arrivals.push(resolve));
  }

  /** Takes shares for a job from now on; a `clean` one ends all others. */
  begin(jobId: string, clean: boolean): void {
    if (clean) this.#current.clear();
    this.#current.add(jobId);
  }

  /** Stops listening; resolves when the last connection is closed. */
  async close(): Promise<void> {
    await new Promise((resolve) => void this.#server.close(resolve));
  }
}

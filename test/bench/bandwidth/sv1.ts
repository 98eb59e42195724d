/** A day over Stratum V1: pool and miners say what `sv1-lines.ts` spells. */
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { createServer as createTlsServer } from "node:tls";
import { randomU32 } from "../../../src/kernel/random.ts";
import type { Job } from "../../../src/mining/job.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type Day, FIRST_DIFFICULTY } from "./day.ts";
import type { Figures } from "./figures.ts";
import { jobOf } from "./job.ts";
import { BENCH_PSK, dialTcp, dialTls, type Link } from "./links.ts";
import { difference, type Network } from "./network.ts";
import type { Sv1Dialect } from "./sv1-lines.ts";
import { Tally } from "./tally.ts";
import { Turns } from "./turns.ts";

/** How SV1 is spoken. */
export interface Sv1Options {
  readonly dialect: Sv1Dialect;
  readonly tls: boolean;
  /** Whether a proxy joins all miners into one connection; otherwise each has its own. */
  readonly joined: boolean;
}

/** A miner and its place at the pool. */
interface Seat {
  readonly link: Link;
  /** The pool's end. */
  readonly pool: Socket;
  job: { readonly jobId: string; readonly ntime: string };
  /** The last job on the block before. */
  jobBefore: { readonly jobId: string; readonly ntime: string };
}

const NO_JOB = { jobId: "", ntime: "" };

/** Plays `day` and returns what it took. */
export async function runSv1(day: Day, { dialect, tls, joined }: Sv1Options, network: Network): Promise<Figures> {
  const tally = new Tally();
  const turns = new Turns({ network });
  const random = seededRandom(day.seed);
  const seats: Seat[] = [];
  let accepted = 0;
  let refused = 0;
  let jobs = 0;
  /** Ids of jobs on the present block. */
  const current = new Set<string>();

  const say = (socket: { write(line: string): unknown }, name: string, text: string): void => {
    const line = `${text}\n`;
    tally.add(name, line.length);
    socket.write(line);
  };
  const poolHears = (socket: Socket, line: string): void => {
    const { id, method, params } = JSON.parse(line) as { id: number; method: string; params: string[] };
    if (method !== "mining.submit") say(socket, "opening", dialect.opening[id - 1]?.[1] ?? "");
    else say(socket, "answer", current.has(params[1] ?? "") ? dialect.accepted : dialect.late);
  };
  const minerHears = (seat: Seat, line: string): void => {
    const { method, params, result, error, id } = JSON.parse(line);
    if (method === "mining.notify") {
      const [jobId, , , , , , , ntime, clean] = params;
      if (clean === true) seat.jobBefore = seat.job;
      seat.job = { jobId, ntime };
    } else if (id === 4 && result === true) accepted += 1;
    else if (id === 4 && error !== null) refused += 1;
  };
  const publish = async (job: Job, clean: boolean): Promise<void> => {
    // Shares of the time before are judged by then.
    await turns.end();
    const jobId = dialect.jobId(++jobs);
    if (clean) current.clear();
    current.add(jobId);
    for (const seat of seats) {
      await turns.take(seat);
      say(seat.pool, "notify", dialect.notify(job, jobId, clean));
    }
  };

  const began = network.count();
  const arrivals: ((socket: Socket) => void)[] = [];
  const server = await listen(tls, (socket) => {
    createInterface({ input: socket }).on("line", (line) => poolHears(socket, line));
    arrivals.shift()?.(socket);
  });
  const port = portOf(server);
  for (let i = 0; i < (joined ? 1 : day.miners); i++) {
    const arrived = new Promise<Socket>((resolve) => void arrivals.push(resolve));
    const link = await (tls ? dialTls(port) : dialTcp(port));
    const seat: Seat = { link, pool: await arrived, job: NO_JOB, jobBefore: NO_JOB };
    seats.push(seat);
    lines(link, (line) => minerHears(seat, line));
    for (const [line] of dialect.opening) {
      await turns.take(seat);
      say(link, "opening", line);
    }
    await turns.take(seat);
    say(seat.pool, "set_difficulty", dialect.difficulty(FIRST_DIFFICULTY));
  }
  await publish(jobOf(day.first, 0, dialect.extranonceSize), true);
  for (const event of day.events) {
    if (event.kind === "job") {
      await publish(jobOf(event.template, event.atMs, dialect.extranonceSize), event.cause === "newBlock");
      continue;
    }
    const seat = seats[joined ? 0 : event.miner];
    if (seat === undefined) throw new Error(`there is no miner ${event.miner}`);
    await turns.take(seat);
    if (event.kind === "retarget") say(seat.pool, "set_difficulty", dialect.difficulty(event.difficulty));
    else {
      const nonce = randomU32(random).toString(16).padStart(8, "0");
      say(seat.link, "submit", dialect.submit({ ...(event.late ? seat.jobBefore : seat.job), nonce }));
    }
  }
  await turns.end();
  await Promise.all(seats.map(({ link }) => link.end()));
  await turns.end();
  await new Promise((resolve) => void server.close(resolve));
  return {
    upBytes: seats.reduce((sum, { link }) => sum + link.sentBytes, 0),
    downBytes: seats.reduce((sum, { link }) => sum + link.receivedBytes, 0),
    ip: difference(network.count(), began),
    messages: tally.messages,
    accepted,
    refused,
  };
}

async function listen(tls: boolean, onSocket: (socket: Socket) => void): Promise<Server> {
  const pskCallback = () => BENCH_PSK.key;
  const server = tls
    ? createTlsServer({ pskCallback, minVersion: "TLSv1.3" }, onSocket)
    : createServer({ noDelay: true }, onSocket);
  if (tls) server.on("connection", (socket: Socket) => void socket.setNoDelay(true));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

function lines(link: Link, onLine: (line: string) => void): void {
  let rest = "";
  link.onData((bytes) => {
    const parts = (rest + Buffer.from(bytes).toString("latin1")).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) onLine(part);
  });
}

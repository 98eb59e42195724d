/** A day over Stratum V1: pool and miners say what `sv1-lines.ts` spells. */
import type { Socket } from "node:net";
import { randomU32 } from "../../../src/kernel/random.ts";
import type { Template } from "../../../src/mining/template.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type Day, FIRST_DIFFICULTY } from "./day.ts";
import type { Figures } from "./figures.ts";
import { jobOf } from "./job.ts";
import { dialTcp, dialTls } from "./links.ts";
import { difference, type Network } from "./network.ts";
import type { Sv1Dialect } from "./sv1-lines.ts";
import { Sv1Miner } from "./sv1-miner.ts";
import { Sv1Pool, say } from "./sv1-pool.ts";
import { Tally } from "./tally.ts";
import { Turns } from "./turns.ts";

/** How SV1 is spoken. */
export interface Sv1Options {
  readonly dialect: Sv1Dialect;
  readonly tls: boolean;
  /** Whether a proxy joins all miners into one connection; otherwise each has its own. */
  readonly joined: boolean;
}

/** A connection: its miner, and the pool's end. */
interface Seat {
  readonly miner: Sv1Miner;
  readonly pool: Socket;
}

/** Plays `day` and returns what it took. */
export async function runSv1(day: Day, { dialect, tls, joined }: Sv1Options, network: Network): Promise<Figures> {
  const tally = new Tally();
  const turns = new Turns({ network });
  const random = seededRandom(day.seed);
  const seats: Seat[] = [];
  let jobs = 0;
  const publish = async (template: Template, atMs: number, clean: boolean): Promise<void> => {
    // Shares of the time before are judged by then.
    await turns.end();
    const job = jobOf(template, atMs, dialect.extranonceSize);
    const jobId = dialect.jobId(++jobs);
    pool.begin(jobId, clean);
    for (const seat of seats) {
      await turns.take(seat);
      say(seat.pool, tally, "notify", dialect.notify(job, jobId, clean));
    }
  };

  const began = network.count();
  const pool = await Sv1Pool.listen({ tally, dialect }, tls);
  for (let i = 0; i < (joined ? 1 : day.miners); i++) {
    const arrived = pool.next();
    const link = await (tls ? dialTls(pool.port) : dialTcp(pool.port));
    const seat: Seat = { miner: new Sv1Miner({ link }), pool: await arrived };
    seats.push(seat);
    for (const [line] of dialect.opening) {
      await turns.take(seat);
      say(link, tally, "opening", line);
    }
    await turns.take(seat);
    say(seat.pool, tally, "set_difficulty", dialect.difficulty(FIRST_DIFFICULTY));
  }
  await publish(day.first, 0, true);
  for (const event of day.events) {
    if (event.kind === "job") {
      await publish(event.template, event.atMs, event.cause === "newBlock");
      continue;
    }
    const seat = seats[joined ? 0 : event.miner];
    if (seat === undefined) throw new Error(`there is no miner ${event.miner}`);
    await turns.take(seat);
    if (event.kind === "retarget") {
      say(seat.pool, tally, "set_difficulty", dialect.difficulty(event.difficulty));
    } else {
      const nonce = randomU32(random).toString(16).padStart(8, "0");
      say(seat.miner.link, tally, "submit", dialect.submit({ ...seat.miner.work(event.late), nonce }));
    }
  }
  await turns.end();
  await Promise.all(seats.map(({ miner }) => miner.link.end()));
  await turns.end();
  await pool.close();
  const sum = (of: (miner: Sv1Miner) => number): number => seats.reduce((total, { miner }) => total + of(miner), 0);
  return {
    upBytes: sum(({ link }) => link.sentBytes),
    downBytes: sum(({ link }) => link.receivedBytes),
    ip: difference(network.count(), began),
    messages: tally.messages,
    accepted: sum(({ accepted }) => accepted),
    refused: sum(({ refused }) => refused),
  };
}

/** Rules about opening, starting and stopping. */
import { describe } from "../../kernel/fault.ts";
import type { Bench, Session } from "../bench.ts";
import { Broken } from "../broken.ts";
import { endingOf, pause } from "../deadline.ts";
import type { Rule } from "./rule.ts";

/** `open` may take this long, ms: the best of several times, so that a busy machine is not blamed. */
const OPEN_MS = 50;
/** How long after `stop` sockets may take to close, ms. */
const RELEASE_MS = 2000;
/** How long a plugin is given to notice that its daemon is away, before it is stopped, ms. */
const FAILURE_MS = 300;
/** How long a stopped plugin is listened to, ms. */
const SILENCE_MS = 1200;

/** The rules, in the order in which they are checked. */
export const LIFECYCLE_RULES: readonly Rule[] = [
  {
    id: "open",
    says: "open is quick, does no input or output, and returns a chain",
    advice: "Only keep what you were given in open; connect, read files and set timers in start.",
    check: async (bench: Bench) => {
      let bestMs = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 3; i++) {
        await bench.session(async (session) => {
          const [first] = bench.footprint.madeSince(0);
          if (first !== undefined) throw new Broken("open", `open made ${first.what}${at(first.where)}`);
          if (session.host.offers.length > 0) throw new Broken("open", "work was offered before start");
          bestMs = Math.min(bestMs, timeOfOpen(bench, session));
          session.abort();
        });
        if (bench.footprint.count > 0) break;
      }
      if (bestMs > OPEN_MS) throw new Broken("open", `open takes ${bestMs.toFixed(0)} ms`);
    },
  },
  {
    id: "start",
    says: "start resolves while the daemon answers",
    advice: "Resolve as soon as the first poll is under way; do not wait for its answer.",
    check: (bench: Bench) => bench.session(async (session) => await session.start()),
  },
  {
    id: "start-without-daemon",
    says: "without its daemon a chain starts, says what is wrong, and offers work once the daemon is there",
    advice: "An unreachable daemon is no reason to reject: call host.trouble with a sentence, and go on polling.",
    needs: ["daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        await session.stage.answer("down");
        await settled(session, "start-without-daemon");
        if (!(await session.host.until(() => session.host.troubled !== undefined, session.withinMs))) {
          throw new Broken("start-without-daemon", "host.trouble was told nothing while the daemon is away");
        }
        await session.stage.answer("accept");
        const limitMs = 2 * session.withinMs;
        await session.nextWork(() => true, "start-without-daemon", "the daemon came, and no work was offered", limitMs);
        if (!(await session.host.until(() => session.host.troubled === undefined, session.withinMs))) {
          throw new Broken(
            "start-without-daemon",
            `all is well again, and the trouble is still: ${session.host.troubled}`,
          );
        }
      }),
  },
  {
    id: "stop",
    says: "stop lets go of every timer and connection",
    advice: "Cancel each timer, end each connection and destroy each HTTP agent in stop, and wait for it.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const work = await session.begin();
        if (bench.has("newBlock")) {
          await session.stage.newBlock();
          await session.host.until(() => session.host.work?.parent !== work.parent, session.withinMs);
        }
        await session.stop();
        await released(bench, "stop");
      }),
  },
  {
    id: "stop-early",
    says: "stop lets go of everything also when start has not ended, when it failed, and when the daemon is silent",
    advice: "Pass host.signal to every wait and every request, and let stop work whatever start came to.",
    needs: ["daemon"],
    check: async (bench: Bench) => {
      await bench.session(async (session) => {
        await session.stage.answer("down");
        await endingOf(() => session.run(() => session.chain.start()), session.withinMs);
        await session.host.until(() => session.host.troubled !== undefined, FAILURE_MS);
        await stopped(session);
        await released(bench, "stop-early");
      });
      await bench.session(async (session) => {
        await session.stage.serve?.("hang");
        const starting = endingOf(() => session.run(() => session.chain.start()), 2 * session.withinMs);
        await pause(20);
        await stopped(session);
        if ((await starting).kind === "pending")
          throw new Broken("stop-early", "start neither resolves nor rejects after stop");
        await released(bench, "stop-early");
      });
    },
  },
  {
    id: "silent-after-abort",
    says: "nothing is offered once host.signal has aborted",
    advice: "Look at host.signal.aborted before each offer, also after an await.",
    needs: ["newBlock"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        await session.begin();
        session.abort();
        const { length } = session.host.offers;
        await session.stage.newBlock();
        await pause(Math.min(SILENCE_MS, session.withinMs));
        if (session.host.offers.slice(length).some(({ work, flaw }) => work !== undefined || flaw !== undefined)) {
          throw new Broken("silent-after-abort", "work was offered after the signal had aborted");
        }
      }),
  },
];

function timeOfOpen(bench: Bench, session: Session): number {
  const config = bench.parsed(session.stage);
  const before = performance.now();
  session.run(() => bench.plugin.open(config, session.host));
  return performance.now() - before;
}

async function settled(session: Session, rule: string): Promise<void> {
  const ending = await endingOf(() => session.run(() => session.chain.start()), session.withinMs);
  if (ending.kind === "pending") throw new Broken(rule, `start did not resolve within ${session.withinMs} ms`);
  if (ending.kind === "rejected") throw new Broken(rule, `start rejected: ${describe(ending.error)}`);
}

async function stopped(session: Session): Promise<void> {
  try {
    await session.stop();
  } catch (error) {
    throw new Broken("stop-early", describe(error));
  }
}

/** Waits until nothing of the plugin is left. */
async function released(bench: Bench, rule: string): Promise<void> {
  for (let waitedMs = 0; bench.footprint.standing().length > 0; waitedMs += 25) {
    if (waitedMs >= RELEASE_MS) {
      const left = bench.footprint.standing().slice(0, 3);
      throw new Broken(rule, `after stop there is still ${left.map(({ what, where }) => what + at(where)).join(", ")}`);
    }
    await pause(25);
  }
}

function at(where: string): string {
  return where === "" ? "" : ` (${where})`;
}

/** Rules about offering work. */
import type { Bench, Session } from "../bench.ts";
import { Broken } from "../broken.ts";
import { pause } from "../deadline.ts";
import type { Serving } from "../rehearsal.ts";
import type { Rule } from "./rule.ts";

/** How long a daemon misbehaves before it comes to its senses, ms. */
const SPELL_MS = 400;

/** The rules, in the order in which they are checked. */
export const OFFER_RULES: readonly Rule[] = [
  {
    id: "offers",
    says: "work of the right shape is offered soon after the start, and all is well then",
    advice:
      "Ask for work at once in start, not after the first interval; compare the work with AuxWork in docs/plugin-contract.md.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        await session.begin();
        if (!(await session.host.until(() => session.host.troubled === undefined, session.withinMs))) {
          throw new Broken("offers", `work was offered, and the trouble is still: ${session.host.troubled}`);
        }
      }),
  },
  {
    id: "offers-again",
    says: "unchanged work is offered again on each poll, on the same parent",
    advice:
      "Call host.offer after every successful poll: work that is not offered again expires. parent and height change with a new block only: each change makes a job.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        await session.begin();
        const works = () => session.host.offers.flatMap(({ work }) => (work === undefined ? [] : [work]));
        const first = works().length;
        if (!(await session.host.until(() => works().length > first + 1, session.withinMs))) {
          throw new Broken(
            "offers-again",
            `within ${session.withinMs} ms the work was offered ${works().length} times`,
          );
        }
        const [one, ...others] = works();
        for (const key of ["parent", "height"] as const) {
          const other = others.find((work) => work[key] !== one?.[key]);
          if (other !== undefined)
            throw new Broken(
              "offers-again",
              `no new block came, and the work's ${key} went from ${one?.[key]} to ${other[key]}`,
            );
        }
      }),
  },
  {
    id: "offers-new-block",
    says: "a new block of the chain brings work on another parent, and a greater height",
    advice: "parent is the previous block's hash; it must change with each new tip. Poll often enough.",
    needs: ["newBlock"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const before = await session.begin();
        await session.stage.newBlock();
        const after = await session.nextWork(
          ({ parent }) => parent !== before.parent,
          "offers-new-block",
          "a new block came, and no work on another parent was offered",
        );
        if (after.height <= before.height) {
          throw new Broken("offers-new-block", `the height went from ${before.height} to ${after.height}`);
        }
        if (after.id === before.id) throw new Broken("offers-new-block", "work on another parent has the same id");
      }),
  },
  {
    id: "offers-withdrawn",
    says: "work is withdrawn, or trouble told, when the daemon is gone; and offered again when it is back",
    advice:
      "When a poll fails, call host.offer(undefined) or host.trouble with a sentence; when one succeeds, host.trouble(undefined).",
    needs: ["daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        await session.begin();
        await session.stage.answer("down");
        const { host } = session;
        const limitMs = 2 * session.withinMs;
        if (!(await host.until(() => host.work === undefined || host.troubled !== undefined, limitMs))) {
          throw new Broken(
            "offers-withdrawn",
            `${limitMs} ms after its daemon was gone, the chain still says that all is well`,
          );
        }
        await session.stage.answer("accept");
        await recovered(session, "offers-withdrawn", "the daemon is back");
      }),
  },
  {
    id: "offers-recover",
    says: "a daemon that has no work, talks nonsense or is silent for a while leads to no wrong work, and afterwards work is offered",
    advice:
      "Check every answer with a schema, give every call a deadline (a second in the rehearsal), and go on polling after a failure.",
    needs: ["daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        if (session.stage.serve === undefined) return;
        await session.begin();
        for (const spell of ["none", "garbage", "hang"] satisfies Serving[]) {
          await session.stage.serve(spell);
          await pause(SPELL_MS);
          await session.stage.serve("work");
          await recovered(session, "offers-recover", `the daemon serves again after it answered with "${spell}"`);
        }
      }),
  },
];

/** Waits for another offer and the end of all trouble. */
async function recovered(session: Session, rule: string, when: string): Promise<void> {
  const { host } = session;
  const { length } = host.offers;
  const limitMs = 2 * session.withinMs;
  await session.nextWork(() => host.offers.length > length, rule, `${when}, and no work was offered`, limitMs);
  if (await host.until(() => host.troubled === undefined, session.withinMs)) return;
  throw new Broken(rule, `${when}, and the trouble is still: ${host.troubled}`);
}

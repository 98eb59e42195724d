/** A share counts for the chains of its own job, whatever the newest job commits to. */
import { describe, expect, test } from "vitest";
import { targetToBytes } from "../../../src/bitcoin/target.ts";
import { type AuxSnapshot, NO_CHAINS } from "../../../src/mining/aux.ts";
import { repeatJob } from "../../../src/mining/job.ts";
import { TestPool } from "../../support/conversation.ts";

function snapshot(...chains: string[]): AuxSnapshot {
  return { generation: 1, entries: [], chains, easiest: targetToBytes(0n), channelTarget: undefined };
}

/** A pool that goes from one set of chains to another on the same block, and a share of each of both jobs in that order of submission. */
function credited(first: AuxSnapshot | undefined, second: AuxSnapshot | undefined): (readonly string[])[] {
  const pool = new TestPool();
  const { template } = pool.newBlock();
  const channel = pool.connect().openExtended();
  const offer = (aux: AuxSnapshot | undefined): void => {
    pool.offer(template, aux === undefined ? {} : { aux });
    channel.catchUp();
  };
  offer(first);
  const early = channel.mine();
  offer(second);
  channel.submit(early);
  channel.submit(channel.mine());
  return pool.credits.map(({ chains }) => chains);
}

describe("a share is credited", () => {
  test("not to a chain that only the newest job has", () => {
    expect(credited(undefined, snapshot("namecoin"))).toEqual([[], ["namecoin"]]);
    expect(credited(snapshot("rsk"), snapshot("namecoin", "rsk"))).toEqual([["rsk"], ["namecoin", "rsk"]]);
  });

  test("to a chain of its job that the newest job has no more", () => {
    expect(credited(snapshot("namecoin", "rsk"), snapshot("rsk"))).toEqual([["namecoin", "rsk"], ["rsk"]]);
    expect(credited(snapshot("namecoin"), undefined)).toEqual([["namecoin"], []]);
  });

  test("with the very array of its job, so that nothing is made for it", () => {
    const aux = snapshot("namecoin");
    const [early, late] = credited(aux, undefined);
    expect(early).toBe(aux.chains);
    expect(late).toBe(NO_CHAINS);
  });

  test("to the same chains when its job is sent once more under another id", () => {
    const pool = new TestPool();
    const aux = snapshot("namecoin");
    const job = pool.offer(pool.newBlock().template, { aux });
    expect(repeatJob(job, job.jobId + 1, job.createdMs + 1000).aux?.chains).toBe(aux.chains);
  });
});

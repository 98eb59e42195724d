/** A well-behaved miner that keeps sending shares and measures how long each one takes to be acknowledged. */
import { MockChannel } from "./mock-channel.ts";
import type { MockMiner } from "./mock-miner.ts";
import { pause } from "./until.ts";

/** What it saw. */
export interface Steadiness {
  readonly accepted: number;
  /** Milliseconds from sending a share to its acknowledgement. */
  readonly meanMs: number;
  readonly maxMs: number;
}

/** Mines until `during` is done; needs a server that acknowledges every share. Fails when a share is refused or unanswered. */
export async function steadily<T>(miner: MockMiner, during: () => Promise<T>): Promise<Steadiness & { result: T }> {
  const channel = await MockChannel.extended(miner, { userIdentity: "steady" });
  const times: number[] = [];
  let over = false;
  const mining = (async () => {
    while (!over || times.length < 5) {
      const share = channel.find();
      const beganMs = performance.now();
      const sequenceNumber = channel.submit(share);
      const success = await miner.next("SubmitSharesSuccess");
      if (success.lastSequenceNumber !== sequenceNumber) throw new Error("another share was acknowledged");
      times.push(performance.now() - beganMs);
      await pause(10);
    }
  })();
  try {
    const result = await Promise.race([during(), mining.then(() => Promise.reject(new Error("mining ended early")))]);
    over = true;
    await mining;
    const sum = times.reduce((total, ms) => total + ms, 0);
    return { accepted: times.length, meanMs: sum / times.length, maxMs: Math.max(...times), result };
  } finally {
    over = true;
  }
}

/** From the server's bus to the node: which of its events the node's other modules hear of, and as what. */
import type { Bus, Unsubscribe } from "../../../kernel/events.ts";
import { describe } from "../../../kernel/fault.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { Log } from "../../../kernel/log.ts";
import type { LedgerEvents, MergeMiningReward } from "../../../ledger/events.ts";
import type { EventPublisher } from "../../../node/bllvm/publisher/event-publisher.ts";
import type { PoolEvents } from "../../../pool/events.ts";
import type { PoolLinkEvents } from "../../../upstream/events.ts";
import type { Coins } from "../../reports/coin-text.ts";
import { rewardEvent } from "./reward-event.ts";

/** What is told to the node. */
export type PublishedFrom = PoolEvents & LedgerEvents & PoolLinkEvents;

/** What the mapping works with. */
export interface PublishedEventsDeps {
  readonly bus: Pick<Bus<PublishedFrom>, "on">;
  readonly publisher: Pick<EventPublisher, "job" | "share" | "reward" | "poolConnected" | "poolDisconnected">;
  readonly log: Log;
  /** The coins that chains pay, for the unit of a reward. */
  readonly coins: () => Promise<Coins>;
}

/** Rewards that wait until it is known which coin they are of: as many as the publisher keeps itself. */
const MAX_WAITING = 1000;

/**
 * Listens between start and stop. Of shares it passes on the accepted ones: a refused one is nothing that another module could count. A reward is
 * passed on once, as the ledger announces it: when its chain tells for the first time what the block pays, at the latest when it is mature.
 */
export class PublishedEvents implements Part {
  readonly name = "published events";
  readonly #deps: PublishedEventsDeps;
  readonly #subscriptions: Unsubscribe[] = [];
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(deps: PublishedEventsDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { bus, publisher } = this.#deps;
    this.#subscriptions.push(
      bus.on("MiningJobCreated", ({ jobId, prevHash, height }) =>
        publisher.job({ jobId: String(jobId), prevHash, height }),
      ),
      bus.on("ShareSubmitted", ({ errorCode, jobId, hash, userIdentity }) => {
        if (errorCode === undefined && jobId !== undefined && hash !== undefined) {
          publisher.share(jobId, hash, userIdentity);
        }
      }),
      bus.on("MergeMiningReward", (reward) => this.#reward(reward)),
      bus.on("MiningPoolConnected", (event) => publisher.poolConnected(event)),
      bus.on("MiningPoolDisconnected", (event) => publisher.poolDisconnected(event)),
    );
  }

  /** Resolves when the rewards that came before are with the publisher, which is to be stopped after it. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    await this.#turn;
  }

  #reward(reward: MergeMiningReward): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#deps.log.warn(`${reward.secondaryChain}: a reward is not published: ${MAX_WAITING} others wait for it`);
      return;
    }
    this.#waiting += 1;
    this.#turn = this.#turn.then(() => this.#publish(reward)).finally(() => (this.#waiting -= 1));
  }

  /** Never rejects. */
  async #publish(reward: MergeMiningReward): Promise<void> {
    const { publisher, log, coins } = this.#deps;
    const { secondaryChain, rewardAmount } = reward;
    let decimals: number | undefined;
    try {
      decimals = (await coins()).get(secondaryChain)?.decimals;
    } catch (error) {
      log.debug(`${secondaryChain}: its coin cannot be looked up: ${describe(error)}`, { error });
    }
    if (decimals === undefined) {
      log.warn(`${secondaryChain}: a reward is published in base units, for nobody here knows its coin`);
    }
    const { event, isCut } = rewardEvent(reward, decimals);
    if (isCut) log.warn(`${secondaryChain}: a reward of ${rewardAmount} base units is published as the most that fits`);
    publisher.reward(event);
  }
}

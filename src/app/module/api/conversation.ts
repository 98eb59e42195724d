/** Conversations of other modules, made of the very parts that the mining server makes its miners' of. */

import { Downstream } from "../../../mining/downstream.ts";
import type { DownstreamDeps, MiningOptions } from "../../../mining/downstream-deps.ts";
import type { OpenConversation } from "../../../node/bllvm/module-api/merge-channel.ts";
import { announceShare } from "../../../pool/announce-share.ts";
import type { PoolBus } from "../../../pool/events.ts";

/** What they have in common. */
export interface ModuleConversationDeps extends Omit<DownstreamDeps, "send" | "events"> {
  readonly bus: PoolBus;
  /** Where merge mining looks for its blocks. */
  readonly onHashed: NonNullable<NonNullable<DownstreamDeps["events"]>["hashed"]>;
}

/** Events of shares that came from no connection. */
const NO_CONNECTION = 0;

/** Opens conversations of one channel each. */
export function moduleConversations(
  { bus, onHashed, ...deps }: ModuleConversationDeps,
  options: MiningOptions,
): OpenConversation {
  return ({ send, judged }) =>
    new Downstream(
      {
        ...deps,
        send,
        events: {
          hashed: onHashed,
          judged: (share) => {
            judged(share);
            announceShare(bus, NO_CONNECTION, share, deps.clock.nowMs());
          },
        },
      },
      { ...options, maxChannels: 1, requiresStandardJobs: false, requiresWorkSelection: false },
    );
}

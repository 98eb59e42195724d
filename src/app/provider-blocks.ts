/** How found blocks reach template providers, and who tells what became of them. */
import type { DependencyContainer } from "tsyringe";
import { assembleBlock } from "../bitcoin/block.ts";
import type { Rpc } from "../daemon/rpc.ts";
import type { Log } from "../kernel/log.ts";
import type { BlockSinkDeps } from "../node/bitcoind/submit.ts";
import { ProviderWord } from "../node/templates/provider-word.ts";
import type { TemplateProviders } from "../node/templates/providers.ts";
import { TOKENS } from "./tokens.ts";

/** Whom blocks are submitted to: the nodes, and where there are none whoever hears the providers. */
export function blockNodes({
  get,
}: {
  readonly get: DependencyContainer["resolve"];
  readonly log: (name: string) => Log;
}): readonly Rpc[] {
  const [nodes, providers] = [get(TOKENS.nodes), get(TOKENS.providers)];
  if (nodes.length > 0 || providers === undefined) return nodes;
  return [new ProviderWord({ clock: get(TOKENS.clock), providers })];
}

/** What a block sink needs of the providers. */
export function providersPart(providers: TemplateProviders | undefined): Pick<BlockSinkDeps, "solution" | "complete"> {
  if (providers === undefined) return {};
  return {
    solution: (block) => void providers.solution(block),
    complete: async ({ templateId: id, header, coinbase }) => {
      const transactions = await providers.transactionsOf({ id, transactions: undefined });
      return transactions === undefined ? undefined : assembleBlock(header, coinbase, transactions);
    },
  };
}

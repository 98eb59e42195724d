/**
 * A child container for each run of a chain: it holds the chain's host, its configuration and the chain itself, and is thrown
 * away with the run. The plugin is handed its host and its configuration, and never the container.
 */
import "reflect-metadata";
import { container, instanceCachingFactory } from "tsyringe";
import type { ChainScopes } from "../host/chain-run.ts";
import type { Chain, Host } from "../merge/plugin.ts";
import { token } from "./tokens.ts";

const SCOPE = {
  host: token<Host>("Host of a chain"),
  config: token<unknown>("configuration of a chain"),
  chain: token<Chain>("Chain"),
} as const;

/**
 * Scopes below a container of their own, not below the server's: what is not registered in a chain's scope must not be found
 * in the server either.
 */
export function chainScopes(): ChainScopes {
  const chains = container.createChildContainer();
  return (plugin, config, host) => {
    const scope = chains.createChildContainer();
    scope.register(SCOPE.host, { useValue: host });
    scope.register(SCOPE.config, { useValue: config });
    scope.register(SCOPE.chain, {
      useFactory: instanceCachingFactory((own) => plugin.open(own.resolve(SCOPE.config), own.resolve(SCOPE.host))),
    });
    return {
      open: () => scope.resolve(SCOPE.chain),
      dispose: async () => await scope.dispose(),
    };
  };
}

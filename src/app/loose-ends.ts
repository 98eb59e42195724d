/**
 * What becomes of errors that nothing handled. Without plugins they end the process, as everywhere: our own mistakes are not to be
 * mined over. With plugins in the process that would let any plugin's forgotten `catch` drop every miner, so an error is laid at the
 * door of the plugin whose code is on its stack, whose chain is then isolated; one that shows no code of ours goes into the log, and
 * mining goes on.
 */
import { sep } from "node:path";
import { pathToFileURL } from "node:url";
import { limitedLog } from "../host/limited-log.ts";
import type { PluginHost } from "../host/plugin-host.ts";
import type { Clock } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { EXIT } from "./exit-codes.ts";
import { PACKAGE_FOLDER } from "./version.ts";

/** Whose an error is: of the chains whose plugin's code is on its stack, of ours, or nobody can tell. */
export type Owner =
  | { readonly kind: "plugin"; readonly chains: readonly string[] }
  | { readonly kind: "ours" }
  | { readonly kind: "unknown" };

/**
 * Our folders that only plugins call. The stack of a promise that a plugin did not await ends here: who called is not on it, and
 * what is on it, down to the core, ran for a plugin.
 */
const FOR_PLUGINS = ["sdk", "kit"];
/** Our folders that plugins use as we do: their frames alone do not make an error ours. */
const SHARED = [...FOR_PLUGINS, "daemon", "host", "kernel"];

/** Judges by the stack. `folders`: where the code of each chain's plugin is. `own`: folder of our compiled sources. */
export function ownerOf(error: unknown, folders: ReadonlyMap<string, readonly string[]>, own: string): Owner {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  const isOn = (folder: string): boolean =>
    stack.includes(`${folder}${sep}`) || stack.includes(`${pathToFileURL(folder).href}/`);
  const chains = [...folders].filter(([, all]) => all.some(isOn)).map(([chain]) => chain);
  if (chains.length > 0) return { kind: "plugin", chains };
  const places = stack.split("\n").flatMap((line) => {
    const [, place] = line.replaceAll("\\", "/").split(`${own.replaceAll("\\", "/")}/`);
    return place === undefined ? [] : [place.split("/")[0] ?? ""];
  });
  const ours = !places.some((place) => FOR_PLUGINS.includes(place)) && places.some((place) => !SHARED.includes(place));
  return { kind: ours ? "ours" : "unknown" };
}

/** What the policy works with. */
export interface LooseEndsDeps {
  readonly log: Log;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly host: Pick<PluginHost, "codeFolders" | "blame">;
}

/** Sets the policy for the whole process, until the returned function is called. */
export function catchLooseEnds({ log, clock, host }: LooseEndsDeps): () => void {
  // A timer that nobody can stop any more may throw for ever.
  const ofNobody = limitedLog({ clock, log, alive: () => true });
  const judge = (what: string) => (error: unknown) => {
    const folders = host.codeFolders();
    const owner = ownerOf(error, folders, `${PACKAGE_FOLDER}${sep}dist${sep}src`);
    if (owner.kind === "plugin") {
      for (const chain of owner.chains) host.blame(chain, error);
    } else if (owner.kind === "unknown" && folders.size > 0) {
      ofNobody.error(
        `${what}, perhaps of a plugin (${[...folders.keys()].join(", ")}); mining goes on: ${describe(error)}`,
        { error },
      );
    } else {
      log.error(
        `${what}: ${describe(error)}. This is a mistake in bllvm-stratum-v2: please report it with these lines`,
        { error },
      );
      process.exit(EXIT.failed.code);
    }
  };
  const onRejection = judge("a rejection that nothing handled");
  const onException = judge("an exception that nothing caught");
  process.on("unhandledRejection", onRejection);
  process.on("uncaughtException", onException);
  return () => {
    process.off("unhandledRejection", onRejection);
    process.off("uncaughtException", onException);
  };
}

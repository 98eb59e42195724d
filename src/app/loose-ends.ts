/**
 * What becomes of errors that nothing handled. Without plugins they end the process, as everywhere: our own mistakes are not to be
 * mined over. With plugins in the process that would let any plugin's forgotten `catch` drop every miner, so an error is laid at the
 * door of the plugin whose code is on its stack, whose chain is then isolated; one that shows no code of ours goes into the log, and
 * mining goes on.
 */
import { dirname, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { PluginHost } from "../host/plugin-host.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { EXIT } from "./exit-codes.ts";
import { PACKAGE_FOLDER } from "./version.ts";

/** Whose an error is: of the chains whose plugin's code is on its stack, of ours, or nobody can tell. */
export type Owner =
  | { readonly kind: "plugin"; readonly chains: readonly string[] }
  | { readonly kind: "ours" }
  | { readonly kind: "unknown" };

/** Our folders that run on behalf of plugins: their frames alone do not make an error ours. */
const ON_BEHALF = ["sdk", "daemon", "kit", "host"];

/** Judges by the stack. `folders`: where the code of each chain's plugin is. `own`: folder of our compiled sources. */
export function ownerOf(error: unknown, folders: ReadonlyMap<string, readonly string[]>, own: string): Owner {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  const isOn = (folder: string): boolean =>
    stack.includes(`${folder}${sep}`) || stack.includes(`${pathToFileURL(folder).href}/`);
  const chains = [...folders].filter(([, all]) => all.some(isOn)).map(([chain]) => chain);
  if (chains.length > 0) return { kind: "plugin", chains };
  const ours = stack.split("\n").some((line) => {
    const [, folder] = line.replaceAll("\\", "/").split(`${own.replaceAll("\\", "/")}/`);
    return folder !== undefined && !ON_BEHALF.includes(folder.split("/")[0] ?? "");
  });
  return { kind: ours ? "ours" : "unknown" };
}

/** What the policy works with. */
export interface LooseEndsDeps {
  readonly log: Log;
  readonly host: Pick<PluginHost, "codeFolders" | "blame">;
}

/** Sets the policy for the whole process, until the returned function is called. */
export function catchLooseEnds({ log, host }: LooseEndsDeps): () => void {
  const judge = (what: string) => (error: unknown) => {
    const folders = new Map(
      [...host.codeFolders()].map(([chain, [folder = "", entry = ""]]) => [chain, [folder, dirname(entry)]]),
    );
    const owner = ownerOf(error, folders, `${PACKAGE_FOLDER}${sep}dist${sep}src`);
    if (owner.kind === "plugin") {
      for (const chain of owner.chains) host.blame(chain, error);
    } else if (owner.kind === "unknown" && folders.size > 0) {
      log.error(
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

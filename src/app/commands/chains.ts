/** `chain` and `reload`: what an operator does with chains while miners mine. */
import type { ReloadedConfig } from "../../host/control-api.ts";
import type { ChainHealth } from "../../host/plugin-host.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { askServer } from "../control-client.ts";
import { EXIT } from "../exit-codes.ts";
import type { ChainStatus, ServerStatus } from "../status.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";

/** Words behind these commands. */
export interface ChainOptions {
  readonly config?: string;
  readonly json: boolean;
}

/** What is said where no chain is configured. */
export const NO_CHAIN = "no chain is configured: Bitcoin alone is mined";

/** `chain list`. Returns the exit code; throws `Fault` `control-*`. */
export async function listChains(options: ChainOptions, terminal: Terminal): Promise<number> {
  const { chains } = await askServer<ServerStatus>(loadConfig(options.config), "GET", "/v1/status");
  if (options.json) terminal.out(jsonLine(chains));
  else if (chains.length === 0) terminal.out(NO_CHAIN);
  else {
    const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
    for (const line of chains.flatMap((chain) => chainLines(chain, paint))) terminal.out(line);
  }
  return EXIT.ok.code;
}

/** `chain enable|disable|restart`. Returns the exit code; throws `Fault` `control-*`. */
export async function changeChain(
  verb: "enable" | "disable" | "restart",
  name: string,
  options: ChainOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `/v1/chains/${encodeURIComponent(name)}/${verb}`;
  const health = await askServer<ChainHealth>(loadConfig(options.config), "POST", path);
  if (options.json) terminal.out(jsonLine(health));
  else {
    terminal.out(`${health.name}: ${health.state}`);
    if (verb !== "restart")
      terminal.out("This holds until the server starts anew; what is to last belongs into the configuration.");
  }
  return EXIT.ok.code;
}

/** `reload`. Returns the exit code; throws `Fault` `control-*`. */
export async function reload(options: ChainOptions, terminal: Terminal): Promise<number> {
  const loaded: LoadedConfig = loadConfig(options.config);
  const { added, removed, changed, needRestart } = await askServer<ReloadedConfig>(loaded, "POST", "/v1/reload");
  if (options.json) {
    terminal.out(jsonLine({ added, removed, changed, needRestart }));
    return EXIT.ok.code;
  }
  for (const [what, names] of Object.entries({ added, removed, changed })) {
    if (names.length > 0) terminal.out(`${what}: ${names.join(", ")}`);
  }
  if (added.length + removed.length + changed.length === 0) terminal.out("no chain changed");
  if (needRestart.length > 0) terminal.out(`these keys changed and take a restart: ${needRestart.join(", ")}`);
  return EXIT.ok.code;
}

/** Lines about a chain for people. `paint`: the terminal's colours. */
export function chainLines(
  { name, state, trouble, restarts, mining }: ChainStatus,
  paint: Pick<ReturnType<typeof colours>, "bold" | "green" | "yellow">,
): string[] {
  const shown = state === "running" && trouble === undefined ? paint.green(state) : paint.yellow(state);
  const facts = [
    mining?.work === undefined ? "no work" : `height ${mining.work.height}`,
    ...(mining?.inJob === true ? ["in the job"] : []),
    ...(mining === undefined ? [] : [`${mining.found} found, ${mining.answers.accepted} accepted`]),
    ...(restarts === 0 ? [] : [`started again ${restarts} times`]),
  ];
  return [
    `${paint.bold(name)}  ${shown}  ${state === "disabled" ? "" : facts.join(", ")}`.trimEnd(),
    ...(trouble === undefined ? [] : [`    ${trouble}`]),
    ...(mining?.dropped === undefined ? [] : [`    not in the job: ${mining.dropped}`]),
  ];
}

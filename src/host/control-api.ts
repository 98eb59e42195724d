/** The requests of the control API as a table: the server routes by it, and docs/control-api.md is written from it. */
import { Fault } from "../kernel/fault.ts";
import { PLUGIN_NAME } from "../merge/plugin-manifest.ts";
import type { AppliedChains, ChainHealth } from "./plugin-host.ts";
import type { PluginInfo } from "./plugin-info.ts";
import { REPORTS, REPORTS_PAGE, type ReportName } from "./report-routes.ts";

/** What taking over the configuration file changed. */
export interface ReloadedConfig extends AppliedChains {
  /** Keys that changed in the file and take effect with the next start. */
  readonly needRestart: readonly string[];
}

/** What the API gives access to. Answers are JSON: big integers as decimal text, no number as `null`. */
export interface ControlPort {
  /** One snapshot of the whole server; asks nobody. */
  status(): unknown;
  chains(): readonly ChainHealth[];
  plugins(): Promise<readonly PluginInfo[]>;
  enable(chain: string): Promise<ChainHealth>;
  disable(chain: string): Promise<ChainHealth>;
  restart(chain: string): Promise<ChainHealth>;
  /** Reads the configuration file again. Throws `Fault` `config-*` or `plugin-*`, and then nothing has changed. */
  reload(): Promise<ReloadedConfig>;
  /** A report on the ledger. Throws `Fault` `report-*` for parameters that cannot be used, and `ledger-*`. */
  report(name: ReportName, parameters: URLSearchParams): Promise<unknown>;
}

/** One request. */
export interface ControlRoute {
  readonly method: "GET" | "POST";
  /** `:chain` stands for a chain's name. */
  readonly path: string;
  readonly doc: string;
  readonly run: (port: ControlPort, chain: string, parameters: URLSearchParams) => unknown;
}

/** All requests. */
export const CONTROL_API: readonly ControlRoute[] = [
  {
    method: "GET",
    path: "/v1/status",
    doc: "The server at this moment: version, connections, shares, blocks, and every chain with its state, work, finds and answers.",
    run: (port) => port.status(),
  },
  {
    method: "GET",
    path: "/v1/chains",
    doc: "Every configured chain: its plugin, its state (starting, running, isolated, stopped, disabled) and what troubles it.",
    run: (port) => port.chains(),
  },
  {
    method: "GET",
    path: "/v1/plugins",
    doc: "Every plugin that was found: version, origin, folder, the chains that use it, and why it cannot be used.",
    run: (port) => port.plugins(),
  },
  {
    method: "POST",
    path: "/v1/chains/:chain/enable",
    doc: "Starts a chain that rests. It holds until the server starts anew or the chain's table changes; what is to last belongs into the file.",
    run: (port, chain) => port.enable(chain),
  },
  {
    method: "POST",
    path: "/v1/chains/:chain/disable",
    doc: "Stops a chain: its commitment is not in the next job, no miner is dropped. It holds as long as enable does.",
    run: (port, chain) => port.disable(chain),
  },
  {
    method: "POST",
    path: "/v1/chains/:chain/restart",
    doc: "Stops a chain and starts it anew at once, also one that is isolated.",
    run: (port, chain) => port.restart(chain),
  },
  {
    method: "POST",
    path: "/v1/reload",
    doc: "Reads the configuration file again, as SIGHUP does: chains are added, removed and started anew as their tables say; keys that take a restart are named in the answer. A file with a mistake changes nothing.",
    run: (port) => port.reload(),
  },
  ...REPORTS.map(({ name, doc, takes }): ControlRoute => {
    const parameters = takes.map((each) => `\`${each}\``).join(", ");
    return {
      method: "GET",
      path: `/v1/${name}`,
      doc: `${doc} Parameters: ${parameters}.`,
      run: (port, _, query) => port.report(name, query),
    };
  }),
];

/** The request of a method and path. Throws `Fault("control-request")` when there is none. */
export function routeOf(
  method: string | undefined,
  path: string,
): { readonly route: ControlRoute; readonly chain: string } {
  const [, chain = "", verb] = /^\/v1\/chains\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const wanted = verb === undefined ? path : `/v1/chains/:chain/${verb}`;
  const route = CONTROL_API.find((each) => each.path === wanted && each.method === method);
  if (route === undefined || (verb !== undefined && !PLUGIN_NAME.test(chain)))
    throw new Fault("control-request", { request: `${method ?? ""} ${path}`.slice(0, 100) });
  return { route, chain };
}

/** `docs/control-api.md`. */
export function renderControlApi(): string {
  const rows = CONTROL_API.map(({ method, path, doc }) => `| \`${method} ${path}\` | ${doc} |`);
  return `# Control API

Generated from \`src/host/control-api.ts\` by \`npm run docs\`.

HTTP and JSON on the socket \`control.sock\` in \`stratum_v2.data_dir\`, which only the server's own user may open; or, with
\`control.listen\` and \`control.token_file\`, on an address, where each request carries \`Authorization: Bearer TOKEN\`. There is no TLS: beyond
this machine put it behind a tunnel or a proxy. The commands \`plugin list\`, \`chain\` and \`reload\` speak to it.

\`\`\`sh
curl --unix-socket data/control.sock http://localhost/v1/chains
curl --unix-socket data/control.sock -X POST http://localhost/v1/chains/namecoin/disable
\`\`\`

| request | what it does |
|---|---|
${rows.join("\n")}

${REPORTS_PAGE}

Every answer is JSON. An error is \`{ "error": { "code", "message", "help" } }\` with a code of [faults.md](faults.md): status 400 for a
configuration, a plugin or a parameter that cannot be used, 401 for a missing or wrong token, 404 for an unknown request, chain or block, 503 while the ledger cannot be read, 413 for a body of more
than 4096 bytes (no request needs one), 500 for a fault of ours. At most 16 connections are open at once; a request that is not there within 5
seconds loses its connection.
`;
}

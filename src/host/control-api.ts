/** The requests of the control API as a table: the server routes by it, and docs/control-api.md is written from it. */
import { z } from "zod";
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

/** Where a payee is paid on a chain, as the API tells it. */
export interface PayoutAddressEntry {
  /** A user identity, an account (its part before the first dot), `operator`, or `beneficiary:<name>`. */
  readonly payee: string;
  readonly address: string;
  /** Least payment in coins, as decimal text; `null` for the chain's own. */
  readonly least: string | null;
}

/** One page of payout addresses. */
export interface PayoutAddressPage {
  readonly addresses: readonly PayoutAddressEntry[];
  /** What `after` is for the next page; `null` on the last. */
  readonly next: string | null;
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
  /** Payout addresses behind the payee `after`, from the first with an empty text. Throws `Fault` `chain-unknown` or `ledger-*`, as the next two do. */
  payoutAddresses(chain: string, after: string): Promise<PayoutAddressPage>;
  /** Throws `Fault` `payout-address`, `payout-payee` or `payout-amount` for what cannot be registered. */
  setPayoutAddress(chain: string, entry: PayoutAddressEntry): Promise<PayoutAddressEntry>;
  /** Resolves with whether there was one. */
  removePayoutAddress(chain: string, payee: string): Promise<boolean>;
  /** A report on the ledger. Throws `Fault` `report-*` for parameters that cannot be used, and `ledger-*`. */
  report(name: ReportName, parameters: URLSearchParams): Promise<unknown>;
}

/** What a request says. */
export interface ControlRequest {
  /** The chain in its path; empty when it names none. */
  readonly chain: string;
  /** Behind the `?` of its path. */
  readonly query: URLSearchParams;
  /** Its content, read as JSON; `undefined` for a request that takes none. */
  readonly body: unknown;
}

/** One request. */
export interface ControlRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `:chain` stands for a chain's name. */
  readonly path: string;
  readonly doc: string;
  /** Whether it takes content. */
  readonly takesBody?: boolean;
  readonly run: (port: ControlPort, request: ControlRequest) => unknown;
}

const entrySchema = z.strictObject({ payee: z.string(), address: z.string(), least: z.string().nullish() });

/** What a request says a payout address is. Throws `Fault("control-body")`. */
function entryOf(body: unknown): PayoutAddressEntry {
  const parsed = entrySchema.safeParse(body);
  if (!parsed.success) throw new Fault("control-body", { takes: '{"payee", "address", "least"}' });
  const { payee, address, least } = parsed.data;
  return { payee, address, least: least ?? null };
}

/** The payee that a query names. Throws `Fault("control-body")`. */
function payeeOf(query: URLSearchParams): string {
  const payee = query.get("payee");
  if (payee === null || payee === "") throw new Fault("control-body", { takes: "?payee=" });
  return payee;
}

/** All requests. */
export const CONTROL_API: readonly ControlRoute[] = [
  {
    method: "GET",
    path: "/v1/status",
    doc: "The server at this moment: version, connections, shares, blocks, every chain with its state, work, finds and answers, in pool mode every pool, how the ledger and the Bitcoin nodes stand, and, for a module, the connection to the bllvm node.",
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
    run: (port, { chain }) => port.enable(chain),
  },
  {
    method: "POST",
    path: "/v1/chains/:chain/disable",
    doc: "Stops a chain: its commitment is not in the next job, no miner is dropped. It holds as long as enable does.",
    run: (port, { chain }) => port.disable(chain),
  },
  {
    method: "POST",
    path: "/v1/chains/:chain/restart",
    doc: "Stops a chain and starts it anew at once, also one that is isolated.",
    run: (port, { chain }) => port.restart(chain),
  },
  {
    method: "POST",
    path: "/v1/reload",
    doc: "Reads the configuration file again, as SIGHUP does: chains are added, removed and started anew as their tables say; keys that take a restart are named in the answer. A file with a mistake changes nothing.",
    run: (port) => port.reload(),
  },
  {
    method: "GET",
    path: "/v1/chains/:chain/payout-addresses",
    doc: 'Where payees are paid on a chain (`bitcoin` too): at most 1000 `{ "payee", "address", "least" }` in ascending order; `?after=PAYEE` (the answer\'s `next`) gives those behind.',
    run: (port, { chain, query }) => port.payoutAddresses(chain, query.get("after") ?? ""),
  },
  {
    method: "PUT",
    path: "/v1/chains/:chain/payout-addresses",
    doc: 'Registers an address, or replaces the one before: content `{ "payee", "address", "least" }`. The payee is a user identity, an account (its part before the first dot), `operator` or `beneficiary:NAME`; `least` is the least payment in coins as text and may be left out.',
    takesBody: true,
    run: (port, { chain, body }) => port.setPayoutAddress(chain, entryOf(body)),
  },
  {
    method: "DELETE",
    path: "/v1/chains/:chain/payout-addresses",
    doc: "Forgets the address of `?payee=PAYEE`: `removed` says whether there was one. What is owed stays owed.",
    run: async (port, { chain, query }) => ({ removed: await port.removePayoutAddress(chain, payeeOf(query)) }),
  },
  ...REPORTS.map(({ name, doc, takes }): ControlRoute => {
    const parameters = takes.map((each) => `\`${each}\``).join(", ");
    return {
      method: "GET",
      path: `/v1/${name}`,
      doc: `${doc} Parameters: ${parameters}.`,
      run: (port, { query }) => port.report(name, query),
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
curl --unix-socket data/control.sock -X PUT -d '{"payee": "farm", "address": "ADDRESS"}' http://localhost/v1/chains/namecoin/payout-addresses
\`\`\`

| request | what it does |
|---|---|
${rows.join("\n")}

${REPORTS_PAGE}

Every answer is JSON. An error is \`{ "error": { "code", "message", "help" } }\` with a code of [faults.md](faults.md): status 400 for a
configuration, a plugin, a parameter or content that cannot be used, 401 for a missing or wrong token, 404 for an unknown request, chain or
block, 413 for a body of more than 4096 bytes, 503 for a ledger that is away or that 16 reports wait for already, 500 for a
fault of ours. At most 16 connections are open at once; a request that is not there within 5 seconds loses its connection.
`;
}

/** `npm run bench`: every bench, or those whose group is named: `npm run bench -- noise messages hashing shares vardiff merge solo ledger credit reports bllvm transports declaration server bandwidth`. */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { measureAuxTip } from "./aux-tip.ts";
import { bandwidthLines, printRow } from "./bandwidth/bench.ts";
import { type Bench, measure, printNs } from "./bench.ts";
import { publisherBenches } from "./bllvm-events.ts";
import { declarationFigures } from "./declaration.ts";
import { hashingBenches } from "./hashing.ts";
import { creditBenches, creditFigures } from "./ledger-credit.ts";
import { reportTimes } from "./ledger-reports.ts";
import { measureSplit } from "./ledger-split.ts";
import { measureLedgerStores } from "./ledger-store.ts";
import { mergeBenches, sharesWithChains, shareToProof } from "./merge.ts";
import { messageBenches } from "./messages.ts";
import { noiseBenches } from "./noise.ts";
import { measureServer } from "./server.ts";
import { shareRows } from "./shares.ts";
import { measureSolo } from "./solo.ts";
import { measureTransport, TRANSPORT_CASES } from "./transports.ts";
import { vardiffLines } from "./vardiff.ts";

const GROUPS: Readonly<Record<string, () => Promise<void>>> = {
  noise: () => rows(noiseBenches),
  messages: () => rows(messageBenches),
  hashing: () => rows(hashingBenches),
  async shares() {
    for (const { name, perSecond, note } of shareRows())
      line(name, `${Math.round(perSecond).toLocaleString("en")}/s`, note);
  },
  async vardiff() {
    for (const { name, ours, sri } of vardiffLines()) line(name, ours, `SRI: ${sri}`);
  },
  async merge() {
    await rows(mergeBenches);
    for (const { name, perSecond } of sharesWithChains())
      line(name, `${Math.round(perSecond).toLocaleString("en")}/s`, "12 branches");
    const { medianMs, worstMs } = await shareToProof();
    line("winning share to proof handed to the plugin, on disk before", ms(medianMs), `worst ${ms(worstMs)}`);
    for (const scenario of ["10000:extended:zmq", "10000:extended:wait", "10000:standard:zmq"])
      apart(`tip=${scenario}`);
  },
  async credit() {
    await rows(creditBenches);
    for await (const { name, value, note } of creditFigures(process.env.LEDGER_POSTGRES_URL)) line(name, value, note);
  },
  bllvm: () => rows(publisherBenches),
  async solo() {
    for (const scenario of ["10000:10000:2:extended", "10000:10000:2:standard", "10000:1:2:extended"])
      apart(`solo=${scenario}`);
  },
  async ledger() {
    for (const { name, perSecond, note } of await measureLedgerStores(process.env.LEDGER_POSTGRES_URL)) {
      line(name, `${Math.round(perSecond).toLocaleString("en")}/s`, note);
    }
    for (const { name, ms: took, pauseMs, holdMs } of await measureSplit(process.env.LEDGER_POSTGRES_URL)) {
      line(name, ms(took), `longest pause ${ms(pauseMs)}, longest hold on the database ${ms(holdMs)}`);
    }
  },
  async reports() {
    const url = process.env.LEDGER_POSTGRES_URL;
    for (const at of url === undefined ? [undefined] : [undefined, url]) {
      const { fillMs, bytes, start, times } = await reportTimes(10_000, at);
      const size = `${Math.round(bytes / 2 ** 20)} MiB`;
      line(`a year of 10,000 workers, ${at === undefined ? "SQLite" : "PostgreSQL"}`, ms(fillMs), size);
      const { openMs, creditMs, booksMs } = start;
      line("start on it: open", ms(openMs), `first share on the disk ${ms(creditMs)}, books looked at ${ms(booksMs)}`);
      for (const { name, medianMs, worstMs } of times) line(name, ms(medianMs), `worst ${ms(worstMs)}`);
    }
  },
  async transports() {
    for (const scenario of Object.keys(TRANSPORT_CASES)) apart(`transport=${scenario}`);
  },
  async declaration() {
    apart("declaration=all");
  },
  async server() {
    // A process for each, with a collector that can be called: memory left by one must not be charged to the next.
    for (const scenario of ["1000:standard", "1000:extended", "10000:standard", "10000:extended"]) {
      apart(`server=${scenario}`);
    }
  },
  async bandwidth() {
    for (const text of await bandwidthLines(fileURLToPath(import.meta.url))) console.log(text);
  },
};

/** Groups that print tables of their own. */
const OWN_TABLES: ReadonlySet<string> = new Set(["bandwidth"]);

/** Runs one scenario in a process of its own. */
function apart(scenario: string): void {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), scenario];
  process.stdout.write(execFileSync(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }));
}

/** One scenario of the merge group, `count:channel:notice`. */
async function tip(scenario: string): Promise<void> {
  const [count, channel, notice] = scenario.split(":");
  const kind = channel === "standard" ? "standard" : "extended";
  for (const { name, medianMs, worstMs } of await measureAuxTip(
    Number(count),
    kind,
    notice === "zmq" ? "zmq" : "wait",
  )) {
    line(name, ms(medianMs), `worst ${ms(worstMs)}`);
  }
}

function ms(value: number): string {
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ms`;
}

/** One scenario of the solo group, `count:connections:chains:channel`. */
async function solo(scenario: string): Promise<void> {
  const [count, connections, chains, channel] = scenario.split(":");
  const kind = channel === "standard" ? "standard" : "extended";
  for (const { name, value, unit } of await measureSolo(Number(count), Number(connections), Number(chains), kind)) {
    line(name, `${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1)} ${unit}`, "");
  }
}

/** One scenario of the server group, `count:channel`. */
async function server(scenario: string): Promise<void> {
  const [count, channel] = scenario.split(":");
  for (const { name, value, unit } of await measureServer(
    Number(count),
    channel === "standard" ? "standard" : "extended",
  )) {
    line(name, `${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1)} ${unit}`, "");
  }
}

async function rows(benches: readonly Bench[]): Promise<void> {
  for (const bench of benches) {
    const { name, medianNs, bestNs, reference } = await measure(bench);
    line(name, `${printNs(medianNs)} (best ${printNs(bestNs)})`, reference ?? "");
  }
}

function line(name: string, value: string, note: string): void {
  console.log(`| ${name} | ${value} | ${note} |`);
}

async function main(wanted: readonly string[]): Promise<number> {
  const [scenario] = wanted;
  if (scenario?.startsWith("server=")) {
    await server(scenario.slice("server=".length));
    return 0;
  }
  if (scenario?.startsWith("transport=")) {
    const figures = await measureTransport(scenario.slice("transport=".length));
    const [handshakes, shares] = [figures.connectionsPerSecond, figures.sharesPerSecond].map((perSecond) =>
      Math.round(perSecond).toLocaleString("en"),
    );
    const { roundTripMs, kibPerConnection } = figures;
    line(
      figures.name,
      `${handshakes} connections/s | ${shares} shares/s | ${roundTripMs.toFixed(2)} ms`,
      `${kibPerConnection.toFixed(1)} KiB`,
    );
    return 0;
  }
  if (scenario?.startsWith("solo=")) {
    await solo(scenario.slice("solo=".length));
    return 0;
  }
  if (scenario?.startsWith("declaration=")) {
    for (const { name, value, note } of await declarationFigures()) line(name, value, note);
    return 0;
  }
  if (scenario?.startsWith("tip=")) {
    await tip(scenario.slice("tip=".length));
    return 0;
  }
  if (scenario?.startsWith("bandwidth=")) {
    await printRow(scenario.slice("bandwidth=".length));
    return 0;
  }
  const unknown = wanted.filter((name) => !(name in GROUPS));
  if (unknown.length > 0) {
    console.error(`no bench group is called ${unknown.join(", ")}; there are ${Object.keys(GROUPS).join(", ")}`);
    return 2;
  }
  console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`);
  for (const [name, run] of Object.entries(GROUPS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n## ${name}${OWN_TABLES.has(name) ? "" : "\n\n| what | median | reference |\n|---|---|---|"}`);
    await run();
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));

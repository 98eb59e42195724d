/** The node's module system in a process of its own (`test/interop/blvm-node/src/main.rs`): commands to it, and what it tells. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { until } from "../../support/until.ts";

const ANSWER_MS = 20_000;

const running = new Set<ChildProcess>();
for (const event of ["exit", "disconnect"]) {
  process.on(event, () => {
    for (const child of running) child.kill("SIGKILL");
  });
}

const toldSchema = z.looseObject({ id: z.number().optional(), error: z.string().optional(), result: z.unknown() });
const eventSchema = z.object({ event: z.string(), fields: z.record(z.string(), z.unknown()) });
const blockSchema = z.object({
  verdict: z.enum(["accepted", "rejected"]),
  from: z.enum(["peer", "module"]),
  block: z.string().optional(),
  height: z.number().optional(),
  reason: z.string().optional(),
});
const chainSchema = z.object({ tip: z.string(), height: z.number() });

/** A block's verdict by the node's consensus code; hashes are hex in internal byte order. */
export type Verdict = z.output<typeof blockSchema>;
/** An event that went through the node's EventManager, by its names. */
export type ToldEvent = z.output<typeof eventSchema>;

/** A running node. */
export class BlvmHarness {
  /** Folder with `modules`, `data` and `sockets`; short, for a socket's path may have 107 bytes. */
  readonly folder: string;
  readonly socket: string;
  readonly told: readonly unknown[];
  /** The node's log. */
  readonly log: readonly string[];
  readonly #child: ChildProcess;
  #ids = 0;

  private constructor(binary: string, folder: string) {
    this.folder = folder;
    this.socket = join(folder, "sockets", "node.sock");
    // In its folder: the server makes `data/modules/<name>` where it is started.
    const child = spawn(binary, [], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
    running.add(child);
    this.#child = child;
    const told: unknown[] = [];
    const log: string[] = [];
    this.told = told;
    this.log = log;
    createInterface({ input: child.stdout }).on("line", (line) => told.push(JSON.parse(line)));
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  }

  /** Starts a node with an empty modules' folder; `limits` by the names of the node's configuration. */
  static async start(binary: string, limits: Readonly<Record<string, number>> = {}): Promise<BlvmHarness> {
    const folder = mkdtempSync(join(tmpdir(), "blvm-"));
    const [modulesDir, dataDir, socketDir] = ["modules", "data", "sockets"].map((name) => join(folder, name));
    for (const path of [modulesDir, dataDir, socketDir]) mkdirSync(path ?? folder);
    const node = new BlvmHarness(binary, folder);
    await node.command("start", { modulesDir, dataDir, socketDir, limits });
    return node;
  }

  /** What the node answers; rejects with its error, or when there is no answer in `withinMs`. */
  async command(cmd: string, more: Readonly<Record<string, unknown>> = {}, withinMs = ANSWER_MS): Promise<unknown> {
    this.#ids += 1;
    const id = this.#ids;
    this.#child.stdin?.write(`${JSON.stringify({ id, cmd, ...more })}\n`);
    const answer = (): z.output<typeof toldSchema> | undefined => {
      const told = this.told.find((told) => toldSchema.safeParse(told).data?.id === id);
      return told === undefined ? undefined : toldSchema.parse(told);
    };
    await until(`the node answered ${cmd}`, () => answer() !== undefined, withinMs).catch((error) => {
      throw new Error(`${error.message}:\n${this.log.slice(-10).join("\n")}`);
    });
    const { error, result } = answer() ?? {};
    if (error !== undefined) throw new Error(error);
    return result;
  }

  /** Mines `count` blocks as somebody else; the last one's verdict. */
  async mine(count = 1): Promise<Verdict> {
    let last: Verdict | undefined;
    for (let i = 0; i < count; i++) last = blockSchema.parse(await this.command("mine"));
    if (last?.verdict !== "accepted") throw new Error(`the node refused its own block: ${JSON.stringify(last)}`);
    return last;
  }

  async chain(): Promise<z.output<typeof chainSchema>> {
    return chainSchema.parse(await this.command("chain"));
  }

  /** Events named `name`, in order. */
  events(name: string): readonly ToldEvent[] {
    return this.told.flatMap((told) => {
      const event = eventSchema.safeParse(told).data;
      return event?.event === name ? [event] : [];
    });
  }

  /** Verdicts about the blocks that modules handed over, in order. */
  verdicts(): readonly Verdict[] {
    return this.told.flatMap((told) => {
      const block = blockSchema.safeParse(told).data;
      return block?.from === "module" ? [block] : [];
    });
  }

  /** Ends it with everything that it started. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    clearTimeout(timer);
    running.delete(this.#child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

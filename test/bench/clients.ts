/** The other process of the benches over sockets: thousands of connected miners. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromClients, ToClients } from "./load-clients.ts";

/** The middle of `values`. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

/** Resident memory after a collection, where the process was started with --expose-gc. */
export function memory(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** The process and what it tells. */
export class Clients {
  readonly #child: ChildProcess;
  readonly #waiting: { readonly kind: string; readonly resolve: (message: never) => void }[] = [];

  constructor() {
    const here = fileURLToPath(import.meta.url);
    this.#child = fork(here.replace(/clients\.(ts|js)$/, "load-clients.$1"), { execArgv: [] });
    this.#child.on("message", (message: FromClients) => {
      const at = this.#waiting.findIndex(({ kind }) => kind === message.kind);
      if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(message as never);
    });
  }

  next<K extends FromClients["kind"]>(kind: K): Promise<Extract<FromClients, { kind: K }>> {
    return new Promise((resolve) => void this.#waiting.push({ kind, resolve }));
  }

  ask<K extends FromClients["kind"]>(message: ToClients, kind: K): Promise<Extract<FromClients, { kind: K }>> {
    this.#child.send(message);
    return this.next(kind);
  }

  end(): void {
    this.#child.disconnect();
  }
}

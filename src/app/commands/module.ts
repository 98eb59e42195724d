/** `module`: the program as a module of a bllvm node that somebody else starts, e.g. as a service of systemd. */
import { detectLaunch } from "../module/launch.ts";
import { runModule } from "../module/process.ts";

/** Words behind `module`. */
export interface ModuleOptions {
  readonly socket?: string;
  readonly dataDir?: string;
  readonly config?: string;
}

/** Runs until `signal` aborts; returns the exit code. Throws as `runModule`. */
export async function module(options: ModuleOptions, signal: AbortSignal): Promise<number> {
  const words: readonly (readonly [string, string | undefined])[] = [
    ["--socket", options.socket],
    ["--data-dir", options.dataDir],
    ["--config", options.config],
  ];
  const argv = words.flatMap(([word, value]) => (value === undefined ? [] : [`${word}=${value}`]));
  return await runModule(detectLaunch({ argv, env: process.env, cwd: process.cwd() }), signal);
}

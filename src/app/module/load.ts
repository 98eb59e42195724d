/**
 * Loads the program within what a bllvm node grants to a module. It imports nothing at first, so that it comes before everything.
 *
 * - Node's built-in `fetch` stays out of the way meanwhile. Its parser is a WebAssembly module whose memory has no end: it reserves
 *   10 GiB of address space, or the largest part of what was granted, and without WebAssembly (`--jitless`) its first use ends the
 *   process. `pg` looks at `Response` to find out whether it runs in a browser, and that is use enough.
 * - Node opens all files that a module imports before it closes the first. `kysely` is 210 files, so it is loaded alone: together
 *   with ours they are more than the 256 that a node grants.
 */
import type * as process from "./process.ts";

/** The module's process, ready to be called. */
export async function loadModule(): Promise<typeof process.moduleProcess> {
  const show = hideResponse();
  await import("kysely");
  const { moduleProcess } = await import("./process.ts");
  show();
  return moduleProcess;
}

/** Hides it from now on; the returned function shows it again, where WebAssembly works. */
function hideResponse(): () => void {
  const before = Object.getOwnPropertyDescriptor(globalThis, "Response");
  if (before?.configurable !== true) return () => undefined;
  Object.defineProperty(globalThis, "Response", { value: undefined, configurable: true, writable: true });
  return () => {
    if ("WebAssembly" in globalThis) Object.defineProperty(globalThis, "Response", before);
  };
}

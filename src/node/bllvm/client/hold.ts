/**
 * The file that says "keep away": the launcher that registers us with the node creates it while the node starts that launcher, since a
 * connection of ours at that moment would make the node's start wait for us. Source: reference to the node's `src/module/process/spawner.rs` 177-213.
 */
import type { Files } from "../../../daemon/files.ts";

/** How often it is looked for, ms: as long as a node's start may have to wait for us. */
export const HOLD_POLL_MS = 500;

/** Whether the file is there. What cannot be looked at counts as there: staying away harms nobody. */
export async function isHeld(files: Pick<Files, "read">, path: string): Promise<boolean> {
  try {
    await files.read(path, 4096);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code !== "ENOENT" && code !== "ENOTDIR";
  }
}

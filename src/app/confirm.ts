/** Asks the operator before money moves. */
import { createInterface } from "node:readline/promises";

/** Whether whoever sits at the terminal types `yes`; `undefined` when nobody does. */
export async function askYes(question: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(`${question} [yes/no] `)).trim().toLowerCase() === "yes";
  } finally {
    lines.close();
  }
}

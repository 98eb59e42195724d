#!/usr/bin/env node
/** The command line's entry. */
import { runCli } from "./app/cli.ts";
import { processTerminal } from "./app/terminal.ts";

/** How long the process may take to end by itself, ms: a plugin may have left a timer or a socket open, which would keep it for ever. */
const LEFTOVERS_MS = 1000;

process.exitCode = await runCli(process.argv.slice(2), processTerminal());
setTimeout(() => process.exit(), LEFTOVERS_MS).unref();

#!/usr/bin/env node
/** The command line's entry. */
import { runCli } from "./app/cli.ts";
import { processTerminal } from "./app/terminal.ts";

process.exitCode = await runCli(process.argv.slice(2), processTerminal());

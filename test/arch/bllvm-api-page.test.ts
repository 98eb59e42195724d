/** The page on the module API names every method with its parameters, every event and every subcommand. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NODE_CLI, NODE_CLI_SUBCOMMANDS } from "../../src/app/module/api/node-cli.ts";
import { NODE_EVENTS } from "../../src/app/module/events/node-events.ts";
import { PACKAGE_FOLDER } from "../../src/app/version.ts";
import { MERGE_CHANNELS_DEFAULTS } from "../../src/node/bllvm/module-api/merge-channels.ts";
import { METHODS } from "../../src/node/bllvm/module-api/module-api.ts";
import { PARAMS } from "../../src/node/bllvm/module-api/params.ts";

const page = readFileSync(join(PACKAGE_FOLDER, "docs/bllvm-api.md"), "utf8");

test.each(METHODS)("%s is in the table with all that it takes", (method) => {
  const row = page.split("\n").find((line) => line.startsWith(`| \`${method}\` |`));
  const parameters = row?.split("|")[2] ?? "";
  const told = [...parameters.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
  expect(told.sort()).toEqual(Object.keys(PARAMS[method].shape).sort());
});

test("events and subcommands are named", () => {
  for (const name of [...NODE_EVENTS, NODE_CLI.name, ...NODE_CLI_SUBCOMMANDS.map((each) => each.name)]) {
    expect(page).toContain(`\`${name}\``);
  }
});

test("the bounds of channels are those of the code", () => {
  const { maxChannels, maxPerCaller, openings } = MERGE_CHANNELS_DEFAULTS;
  expect(page).toContain(
    `${maxChannels} may be open, ${maxPerCaller} of one caller, who may open ${openings.burst} at once and then one every ${1 / openings.perSecond} s`,
  );
});

/** Faults of finding, loading and running chain plugins, and the control API. */
import { faults } from "./row.ts";

/** Rows of `src/host`. */
export const HOST_FAULTS = faults({
  "plugins-folder": {
    act: "halt",
    what: "a folder of plugins cannot be read",
    help: "merge_mining.plugins_dir must name a folder that this user may read, with at most 1000 folders in it; the cause names the system's error.",
  },
  "plugin-manifest": {
    act: "halt",
    what: "the package.json of a plugin is not what the server looks for",
    help: 'It needs name, version, "type": "module", main and "bllvm-stratum-v2": { "plugin": "<name>", "api": 1 }. `bllvm-stratum-v2 plugin new <name>` makes a folder that is right.',
  },
  "plugin-api": {
    act: "halt",
    what: "a plugin is written for another version of the plugin contract than this program has",
    help: "Install a version of the plugin for this program, or the version of the program that the plugin is written for.",
  },
  "plugin-name-twice": {
    act: "halt",
    what: "two folders hold a plugin of the same name",
    help: "Remove one of the two folders, or give one plugin another name in its package.json and its module.",
  },
  "plugin-unknown": {
    act: "halt",
    what: "a chain is configured whose plugin was not found",
    help: "`bllvm-stratum-v2 plugin list` shows what was found and where it was looked for. Correct the name (in [chains.NAME], its key plugin, or secondary_chains), put the plugin's folder into merge_mining.plugins_dir, or install the npm package bllvm-stratum-v2-plugin-<name>.",
  },
  "plugin-load": {
    act: "halt",
    what: "the module of a plugin cannot be loaded",
    help: "The cause is what Node.js said of the file; `node --check <file>` shows the place of a mistake in writing. A plugin that was copied from a repository may have to be built first; its README says how.",
  },
  "plugin-shape": {
    act: "halt",
    what: "the module of a plugin does not export what the plugin contract asks for",
    help: "This is for the plugin's author: `export const plugin = { name, api: 1, coin, config, open }`; docs/plugins.md has an example, `bllvm-stratum-v2 plugin check <folder>` tries it.",
  },
  "chain-unknown": {
    act: "halt",
    what: "no chain of that name is configured",
    help: "`bllvm-stratum-v2 chain list` shows those that are. Add a [chains.<name>] table to the configuration and run `bllvm-stratum-v2 reload`.",
  },
  "chain-call-failed": {
    act: "isolate",
    what: "a call of a chain's plugin failed",
    help: "The chain is started again by itself; Bitcoin and the other chains go on. If it happens again and again, the cause is for the plugin's author.",
  },
  "chain-call-timeout": {
    act: "isolate",
    what: "a call of a chain's plugin did not come to an end in time",
    help: "The chain is started again by itself; Bitcoin and the other chains go on. A plugin must give up when its signal aborts: report it to the plugin's author.",
  },
  "chain-answer": {
    act: "isolate",
    what: "a chain's plugin returned what the plugin contract does not allow",
    help: "The chain is started again by itself. This is a mistake in the plugin: `bllvm-stratum-v2 plugin check <folder>` finds such mistakes.",
  },
  "chain-loose-end": {
    act: "isolate",
    what: "a chain's plugin left an error that nothing handled",
    help: "The chain is started again by itself. This is a mistake in the plugin: every promise must be awaited or have a catch, every emitter an error listener.",
  },
  "chain-not-running": {
    act: "retry",
    what: "the chain's plugin does not run at present",
    help: "It is asked again once it runs; `bllvm-stratum-v2 chain list` says why it does not.",
  },
  "control-listen": {
    act: "retry",
    what: "the control API cannot listen",
    help: "Mining goes on without it. See that no other server uses the same data_dir or control.listen, and that the path of the socket has at most 100 characters.",
  },
  "control-token": {
    act: "halt",
    what: "the token of the control API cannot be used",
    help: "The first line of control.token_file must hold 16 to 256 characters without blanks, e.g. from `openssl rand -hex 32`, and this user must be able to read it.",
  },
  "control-body": {
    act: "reply",
    what: "the content of a request to the control API is not what that request takes",
    help: "docs/control-api.md says what each request takes; content is a JSON object.",
  },
  "control-request": {
    act: "reply",
    what: "a request to the control API is not one that it knows",
    help: "docs/control-api.md lists the requests.",
  },
  "control-unreachable": {
    act: "halt",
    what: "no running server answers on the control API",
    help: "Start the server, give the same configuration file with -c, and run the command as the user that the server runs as.",
  },
  "control-refused": {
    act: "halt",
    what: "the running server refused the request",
    help: "These are the server's own words; its log may say more.",
  },
});

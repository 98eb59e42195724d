/** Faults of `mining`: what a miner is told no for, and coinbases that cannot be built or mined. */
import { faults } from "./row.ts";

/** Rows thrown by `mining`. Those with `wire` are answered with OpenMiningChannel.Error or UpdateChannel.Error. */
export const MINING_FAULTS = faults({
  "coinbase-tag-too-long": {
    act: "halt",
    what: "the pool tag does not fit into the coinbase",
    help: "A coinbase script has 100 bytes: up to 8 for the template, 21 for the extranonce, 45 for merge mining when it is on, and the tag with its length byte. Shorten `pool_tag` in [bitcoin].",
  },
  "coinbase-outputs-too-large": {
    act: "halt",
    what: "the coinbase outputs do not fit into the template",
    help: "The payout has more outputs, or larger scripts, than the node left room for. Use fewer payout outputs, or have the node reserve more (`blockreservedweight` of Bitcoin Core).",
  },
  "pool-job-invalid": {
    act: "drop",
    what: "the pool sent a job that no block can be made of",
    help: "`flaw` names what is wrong with it. Mining such a job would be work for nothing, so the pool is left. Report it to the pool with the id that the pool gave the job.",
  },
  "channel-hashrate-invalid": {
    act: "reply",
    what: "the nominal hashrate is not a number of hashes a second",
    help: "The client sent NaN, an infinity or a negative number (spec 5.3.2). Report its vendor and firmware version.",
    wire: "invalid-nominal-hashrate",
  },
  "channel-max-target-out-of-range": {
    act: "reply",
    what: "the client demands a harder target than the server gives",
    help: "The client's maximum target is harder than `max_difficulty` in [vardiff]. Raise it if the device really needs that.",
    wire: "max-target-out-of-range",
  },
  "channel-extranonce-too-large": {
    act: "reply",
    what: "the client wants more extranonce bytes than there are",
    help: "Extended channels have 16 bytes of extranonce for the client, in pool mode `extranonce_bytes` of [upstream]. A proxy that needs more must nest fewer levels or give its own clients fewer bytes.",
    wire: "min-extranonce-size-too-large",
  },
  "channel-identity-invalid": {
    act: "reply",
    what: "the user identity is not acceptable",
    help: "It has control characters, is not UTF-8, or is not of the form that `policy` in [access] demands. Correct the user name in the miner's settings.",
    wire: "invalid-user-identity",
  },
  "channel-payout-invalid": {
    act: "reply",
    what: "the user identity does not say who is to be paid",
    help: "With `coinbase_pays = \"identity\"` in [bitcoin] the user name in the miner's settings is an address of this network (ADDRESS or ADDRESS.worker), sri/solo/ADDRESS/worker, sri/donate/PERCENT/ADDRESS/worker with the pool's 1 to 99 percent, sri/donate, or any other name to mine for the pool. docs/solo.md lists the forms.",
    wire: "invalid-user-identity",
  },
  "channel-user-unknown": {
    act: "reply",
    what: "the user may not mine here",
    help: "Correct the user name in the miner's settings, or add it to `allow` in [access].",
    wire: "unknown-user",
  },
  "channel-standard-refused": {
    act: "reply",
    what: "standard channels cannot carry custom work",
    help: "The client announced custom work (REQUIRES_WORK_SELECTION), which needs an extended channel.",
    wire: "standard-channels-not-supported-for-custom-work",
  },
  "channel-extended-refused": {
    act: "reply",
    what: "the connection takes standard jobs only",
    help: "The client set REQUIRES_STANDARD_JOBS and then asked for an extended channel. Choose one of the two in the miner's settings.",
    wire: "extended-channels-not-supported-for-standard-jobs",
  },
  "channel-limit-reached": {
    act: "reply",
    what: "the connection has as many channels as it may",
    help: "A proxy should open another connection. Raise `channels_per_connection` in [limits] if your farm needs more.",
    wire: "too-many-channels",
  },
  "extranonce-exhausted": {
    act: "reply",
    what: "all parts of the extranonce space are in use",
    help: "This server has 16,777,216 open channels. Close some, or start another server with its own `server_id`.",
    wire: "no-extranonce-available",
  },
  "channel-unknown": {
    act: "reply",
    what: "the connection has no such channel",
    help: "The client names a channel that it never opened or that is closed. Report its vendor and firmware version if it keeps doing so.",
    wire: "invalid-channel-id",
  },
});

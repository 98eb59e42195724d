/** Faults of `upstream`: what a pool does to us costs that connection; whoever chooses among pools tries again, or another one. */
import { faults } from "./row.ts";

/** Rows thrown by `upstream`. */
export const UPSTREAM_FAULTS = faults({
  "upstream-timeout": {
    act: "retry",
    what: "the pool did not get as far as work in time",
    help: "`stage` is what it did not answer. Still dialling: check host, port and firewalls. Waiting: the pool has no job, most likely because its own node is away. For a pool on a slow line raise `connect_timeout_s` in [upstream].",
  },
  "upstream-silent": {
    act: "retry",
    what: "the pool sent nothing for too long",
    help: "The pool hangs, or something on the way forgot the connection. Some pools are silent while no block comes and their template stays: raise `idle_timeout_s` in [upstream] if it happens with such a one.",
  },
  "upstream-not-stratum-v2": {
    act: "retry",
    what: "the pool does not answer the Stratum V2 handshake",
    help: "Check the port: pools listen for Stratum V1, for TLS and for Stratum V2 on different ones.",
  },
  "upstream-stratum-v1": {
    act: "retry",
    what: "the pool speaks Stratum V1 only",
    help: "Ask the pool for its Stratum V2 address (another port, mostly), or choose one that has it. In front of a V1 pool SRI's translator is of no use, since it translates miners and not pools.",
  },
  "upstream-setup-refused": {
    act: "retry",
    what: "the pool refused the connection with SetupConnection.Error",
    help: 'unsupported-feature-flags with flag 4: the pool\'s jobs forbid version rolling; set `version_rolling_mask = "0x00000000"` in [jobs] to mine there all the same. unsupported-protocol: the port is one for job declaration or templates, not for mining. protocol-version-mismatch: the pool speaks another version than 2.',
  },
  "upstream-extension-required": {
    act: "retry",
    what: "the pool requires an extension of Stratum V2 that we do not use with it",
    help: "0x0002: set `worker_names = true` in [upstream]. Any other is not spoken here: ask the pool for an address that does without, or choose another pool.",
  },
  "upstream-user-refused": {
    act: "retry",
    what: "the pool does not take our user",
    help: "Set `user` in [upstream], or in that pool's [[pools]], to what the pool credits: an account that exists there, or an address of the pool's network, in the form that the pool documents.",
  },
  "upstream-extranonce-refused": {
    act: "retry",
    what: "the pool leaves us fewer extranonce bytes than we need",
    help: "We need 4 more than `extranonce_bytes` in [upstream]: lower it, at least to what miners of extended channels need (4, proxies more). Where it is 4 already, this pool cannot serve a proxy.",
  },
  "upstream-channel-refused": {
    act: "retry",
    what: "the pool refused to open a channel",
    help: 'The code is the pool\'s own. invalid-nominal-hashrate or max-target-out-of-range: it wants larger miners than are connected here; use `channels = "aggregated"` in [upstream]. For anything else ask the pool.',
  },
  "upstream-channel-closed": {
    act: "retry",
    what: "the pool closed our channel",
    help: "It was opened again once, at once. The reason is the pool's own; if it says nothing, look for the account there, or ask the pool.",
  },
  "upstream-reconnect-refused": {
    act: "retry",
    what: "the pool sends us to another host, and nothing vouches that it is the pool's",
    help: "Put the pool's authority key behind its port in the address (stratum2+tcp://HOST:PORT/KEY): with it we follow, since the other host has to prove the same key. Without it anybody on the way could take the hash rate.",
  },
  "upstream-declaration-timeout": {
    act: "retry",
    what: "the pool's job declaration server gave no token in time",
    help: "Check the address in `jds` of [[pools]], and whether the pool's server is up. Until it is, the pool's own jobs are mined, without our chains.",
  },
  "upstream-declaration-refused": {
    act: "retry",
    what: "the pool does not let us declare jobs",
    help: 'missing-declare-tx-data-flag: the pool takes whole templates only, set `declare = "full_template"` in [upstream]. unsupported-protocol: `jds` is the address of another server of the pool. A code of a single job: the pool says in `details` what it does not like; its own jobs are mined for now, without our chains.',
  },
  "upstream-declaration-invalid": {
    act: "retry",
    what: "the pool's job declaration server sent something that no job can be made of",
    help: "`flaw` says what. The connection is left and made again. Report it to the pool.",
  },
});

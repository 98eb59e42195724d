/**
 * Runs a command in a network namespace of its own, whose loopback behaves like an Ethernet: packets of 1,500 bytes, none joined on the way.
 * Needs Linux with `unshare` (util-linux) and `ip` (iproute2); a user namespace makes it work without being root.
 */
import { spawnSync } from "node:child_process";

/**
 * The outer shell only says how large the table of connections of the inner namespace is: the bench reads it after each message, and
 * the host's has a hundred thousand places. In the inner one,
 * - what a miner receives is acknowledged at once. With TCP's delay of 40 ms it would be acknowledged as bare, for a miner has nothing
 *   to say by then; only the wait is saved;
 * - the pool keeps the delay, for its answer is what an acknowledgement rides on. It is cut to the kernel's shortest.
 */
const OUTER = 'sysctl -qw net.ipv4.tcp_child_ehash_entries=256; exec unshare --net sh -c "$0" "$@"';
const LIKE_ETHERNET = "ip link set lo up mtu 1500 gso_max_segs 1";
const HURRIED = [
  "ip route replace local 127.0.0.1 dev lo table local quickack 1",
  "sysctl -qw net.ipv4.tcp_rto_min_us=5000",
];

/** The command line that runs `command` in a namespace of its own. `hurried`: without TCP's delays, as above. */
export function inOwnNetwork(command: readonly string[], hurried: boolean): [file: string, ...args: string[]] {
  const inner = [LIKE_ETHERNET, ...(hurried ? HURRIED : []), 'exec "$0" "$@"'].join(" && ");
  return ["unshare", "--map-root-user", "--net", "sh", "-c", OUTER, inner, ...command];
}

/** Whether that works here. */
export function canHaveOwnNetwork(): boolean {
  const [file, ...args] = inOwnNetwork(["true"], true);
  return spawnSync(file, args, { stdio: "ignore" }).status === 0;
}

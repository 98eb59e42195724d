/** Faults of the way to a Bitcoin node: its JSON-RPC, its templates, its notices, and the journal of found blocks. */
import { faults } from "./row.ts";

/** Rows of `src/node`. All but the last few are met again and again while a node is away, so a supervisor retries. */
export const NODE_FAULTS = faults({
  "node-url-invalid": {
    act: "halt",
    what: "the address of a Bitcoin node is not a usable URL",
    help: "Write it as http://host:port, e.g. http://127.0.0.1:8332 for mainnet or http://127.0.0.1:18443 for regtest.",
  },
  "node-refused": {
    act: "retry",
    what: "nothing listens at the address of the Bitcoin node",
    help: "Start bitcoind with server=1; check host and port (rpcport, rpcbind) and that no firewall refuses the connection.",
  },
  "node-unreachable": {
    act: "retry",
    what: "there is no way through the network to the Bitcoin node",
    help: "Check the address, the route and the network interface of this machine.",
  },
  "node-dns": {
    act: "retry",
    what: "the host name of the Bitcoin node cannot be resolved",
    help: "Check its spelling and this machine's DNS, or use an IP address.",
  },
  "node-timeout": {
    act: "retry",
    what: "the Bitcoin node did not answer in time",
    help: "It is overloaded, stuck on its disk, or packets are dropped on the way. Look at its debug.log; raise rpc_timeout_s if it is only slow.",
  },
  "node-disconnected": {
    act: "retry",
    what: "the Bitcoin node closed the connection without an answer",
    help: "It is stopping or crashed, or the port is not the RPC port (8332 on mainnet, not the P2P port 8333). Look at its debug.log.",
  },
  "node-connection": {
    act: "retry",
    what: "the connection to the Bitcoin node failed",
    help: "The system's reason stands beside it; check the address and the network between.",
  },
  "node-wants-https": {
    act: "retry",
    what: "the Bitcoin node's address is plain http, but TLS is spoken there",
    help: "Write https:// in the url. bitcoind itself speaks plain http only, so a proxy answers here.",
  },
  "node-wants-http": {
    act: "retry",
    what: "the Bitcoin node's address is https, but no TLS is spoken there",
    help: "Write http:// in the url: bitcoind speaks plain http unless a TLS proxy stands before it.",
  },
  "node-certificate": {
    act: "retry",
    what: "the TLS certificate of the Bitcoin node's address is not trusted",
    help: "Renew it, have it issued for this host name, or name its authority in the environment variable NODE_EXTRA_CA_CERTS.",
  },
  "node-not-http": {
    act: "retry",
    what: "what answers at the Bitcoin node's address does not speak HTTP",
    help: "The port belongs to something else, perhaps the node's P2P or ZMQ port. The RPC port is 8332 on mainnet, 18332 testnet, 48332 testnet4, 38332 signet, 18443 regtest.",
  },
  "node-cookie": {
    act: "retry",
    what: "the Bitcoin node's cookie file cannot be used",
    help: "It is <datadir>/.cookie (in a subfolder off mainnet), exists only while bitcoind runs without rpcpassword, and must be readable by this user (rpccookieperms=group).",
  },
  "node-unauthorized": {
    act: "retry",
    what: "the Bitcoin node does not know this user or password",
    help: "Compare user and password with rpcauth or rpcuser/rpcpassword in bitcoin.conf, or point cookie_file at the cookie of this very node.",
  },
  "node-forbidden": {
    act: "retry",
    what: "the Bitcoin node forbids the call",
    help: "Add this machine's address to rpcallowip in bitcoin.conf, and the method to rpcwhitelist if that is used for this user.",
  },
  "node-not-found": {
    act: "retry",
    what: "there is no JSON-RPC at that path",
    help: "The url of a bitcoind ends after the port: http://host:port/. Paths such as /wallet/<name> are not needed here.",
  },
  "node-method-unknown": {
    act: "retry",
    what: "the node does not know the method",
    help: "Use Bitcoin Core 24 or newer; another kind of node, or a proxy that filters methods, may answer here.",
  },
  "node-busy": {
    act: "retry",
    what: "the Bitcoin node has too many calls waiting",
    help: "Raise rpcthreads and rpcworkqueue in bitcoin.conf, or keep other programs from calling it so often.",
  },
  "node-http-status": {
    act: "retry",
    what: "the Bitcoin node's address answered with an unexpected HTTP status",
    help: "A proxy or another program may answer there; a redirect is not followed, because it would carry the password along.",
  },
  "node-web-page": {
    act: "retry",
    what: "a web page answered instead of the Bitcoin node",
    help: "The url points at a web server, a proxy's error page or a block explorer. Use the address of bitcoind's RPC port.",
  },
  "node-not-json": {
    act: "retry",
    what: "the answer of the Bitcoin node is not JSON",
    help: "Something between rewrites or cuts answers, or another program listens on that port.",
  },
  "node-answer-too-big": {
    act: "retry",
    what: "the answer of the Bitcoin node is larger than any it should give",
    help: "Check that it is a Bitcoin node that answers; report this if it is.",
  },
  "node-answer-unexpected": {
    act: "retry",
    what: "the answer of the Bitcoin node does not have the expected form",
    help: "The place and what was expected stand beside it. Another kind of node may answer; with Bitcoin Core, report its version.",
  },
  "node-warming-up": {
    act: "retry",
    what: "the Bitcoin node is starting",
    help: "Wait: it loads its block index first. Work begins by itself as soon as it is ready.",
  },
  "node-syncing": {
    act: "retry",
    what: "the Bitcoin node is still downloading the chain",
    help: "Wait until it has caught up (bitcoin-cli getblockchaininfo), or list a node before it that has.",
  },
  "node-no-peers": {
    act: "retry",
    what: "the Bitcoin node has no connection to any other node",
    help: "It cannot learn of new blocks or spread ours. Check its network, its firewall and the connect= and maxconnections= lines of bitcoin.conf.",
  },
  "node-rpc-error": {
    act: "retry",
    what: "the Bitcoin node answered with an error",
    help: "The node's own words stand beside it; its debug.log says more.",
  },
  "node-wrong-network": {
    act: "halt",
    what: "the Bitcoin node is on another network than this server",
    help: "Set network in the section bitcoin to the node's, or point the url at a node of the right network. Mining for the wrong network is lost work.",
  },
  "node-payout-foreign": {
    act: "halt",
    what: "the Bitcoin node does not take the payout address for one of its network",
    help: "Check payout and network in the section bitcoin: coins sent to a script of another network are lost.",
  },
  "node-rule-unknown": {
    act: "retry",
    what: "the block template follows a consensus rule that this version does not know and must not ignore",
    help: "Update this program before mining on: a block that breaks the rule is worth nothing.",
  },
  "node-signet": {
    act: "retry",
    what: "blocks of this signet must be signed by the holders of its key",
    help: "A miner alone cannot make one. Use regtest, testnet4, or a signet of your own with signetchallenge=51, which needs no signature.",
  },
  "node-template-unusable": {
    act: "retry",
    what: "the block template of the node contradicts itself or lacks what is needed",
    help: "No job is made of it. With Bitcoin Core, report it together with the node's version; other servers may offer only templates for their own coinbase.",
  },
  "node-behind": {
    act: "retry",
    what: "the Bitcoin node's best chain has less work than that of another configured node",
    help: "It lags, is cut off or follows another branch; work is taken from the better node. Check its peers and its debug.log.",
  },
  "node-catching-up": {
    act: "retry",
    what: "the Bitcoin node knows of newer headers than it has blocks for",
    help: "It downloads or checks blocks slowly. If it lasts, look at its disk, its peers and its debug.log.",
  },
  "node-tip-old": {
    act: "retry",
    what: "the Bitcoin node has not seen a new block for a long time",
    help: "Blocks come every ten minutes on average. Check the node's peers, and the clocks of both machines.",
  },
  "node-clock": {
    act: "retry",
    what: "the clocks of the Bitcoin node and of this machine differ",
    help: "Let both follow a time server (NTP): a header with a time more than two hours ahead is refused by the network.",
  },
  "node-zmq": {
    act: "retry",
    what: "the ZMQ notices of the Bitcoin node cannot be received",
    help: "zmq_hashblock must be the address of -zmqpubhashblock in bitcoin.conf and be reachable from here. New blocks are still noticed through RPC.",
  },
  "node-journal": {
    act: "retry",
    what: "a found block could not be written to the journal",
    help: "It is submitted from memory all the same, but a crash now could lose it. Check free space and permissions of data_dir/blocks.",
  },
  "node-journal-folder": {
    act: "halt",
    what: "the folder of found blocks cannot be used",
    help: "data_dir/blocks must be a folder that this user may read and write, with room for some blocks; the cause names the system's error.",
  },
  "node-journal-entry": {
    act: "retry",
    what: "a file in the journal of found blocks cannot be read",
    help: "It is left as it is. If it holds a block that was not submitted, bitcoin-cli submitblock takes the hex text under `block`.",
  },
});

/**
 * Faults of the way to a node, Bitcoin's or an auxiliary chain's: its JSON-RPC and its notices; and of the Bitcoin node's
 * templates and the journal of found blocks.
 */
import { faults } from "./row.ts";

/** Rows of `src/node`. All but the last few are met again and again while a node is away, so a supervisor retries. */
export const NODE_FAULTS = faults({
  "node-url-invalid": {
    act: "halt",
    what: "the address of a node is not a usable URL",
    help: "Write it as http://host:port, e.g. http://127.0.0.1:8332 for a bitcoind on mainnet, 18443 on regtest, 8336 for namecoind, 4444 for RSKj.",
  },
  "node-refused": {
    act: "retry",
    what: "nothing listens at the address of the node",
    help: "Start the node, bitcoind and its relatives with server=1; check host and port (rpcport, rpcbind; RSKj: rpc.providers.web.http) and that no firewall refuses the connection.",
  },
  "node-unreachable": {
    act: "retry",
    what: "there is no way through the network to the node",
    help: "Check the address, the route and the network interface of this machine.",
  },
  "node-dns": {
    act: "retry",
    what: "the host name of the node cannot be resolved",
    help: "Check its spelling and this machine's DNS, or use an IP address.",
  },
  "node-timeout": {
    act: "retry",
    what: "the node did not answer in time",
    help: "It is overloaded, stuck on its disk, or packets are dropped on the way. Look at its log; raise rpc_timeout_s if it is only slow.",
  },
  "node-disconnected": {
    act: "retry",
    what: "the node closed the connection without an answer",
    help: "It is stopping or crashed, or the port is not the RPC port (bitcoind: 8332 on mainnet, not the P2P port 8333). Look at its log.",
  },
  "node-connection": {
    act: "retry",
    what: "the connection to the node failed",
    help: "The system's reason stands beside it; check the address and the network between.",
  },
  "node-wants-https": {
    act: "retry",
    what: "the node's address is plain http, but TLS is spoken there",
    help: "Write https:// in the url. bitcoind and its relatives speak plain http only, so a proxy answers here.",
  },
  "node-wants-http": {
    act: "retry",
    what: "the node's address is https, but no TLS is spoken there",
    help: "Write http:// in the url: nodes speak plain http unless a TLS proxy stands before them.",
  },
  "node-certificate": {
    act: "retry",
    what: "the TLS certificate of the node's address is not trusted",
    help: "Renew it, have it issued for this host name, or name its authority in the environment variable NODE_EXTRA_CA_CERTS.",
  },
  "node-not-http": {
    act: "retry",
    what: "what answers at the node's address does not speak HTTP",
    help: "The port belongs to something else, perhaps the node's P2P or ZMQ port. bitcoind's RPC port is 8332 on mainnet, 18332 testnet, 48332 testnet4, 38332 signet, 18443 regtest; namecoind's 8336, RSKj's 4444.",
  },
  "node-cookie": {
    act: "retry",
    what: "the node's cookie file cannot be used",
    help: "It is <datadir>/.cookie (in a subfolder off mainnet), exists only while a bitcoind or a relative of it runs without rpcpassword, and must be readable by this user (rpccookieperms=group).",
  },
  "node-unauthorized": {
    act: "retry",
    what: "the node does not know this user or password",
    help: "Compare user and password with the node's (bitcoind and its relatives: rpcauth or rpcuser/rpcpassword in bitcoin.conf, namecoin.conf, …), or point cookie_file at the cookie of this very node.",
  },
  "node-forbidden": {
    act: "retry",
    what: "the node forbids the call",
    help: "Add this machine's address to rpcallowip in the node's configuration, and the method to rpcwhitelist if that is used for this user.",
  },
  "node-not-found": {
    act: "retry",
    what: "there is no JSON-RPC at that path",
    help: "The url of most nodes ends after the port: http://host:port/. A bitcoind wants a path such as /wallet/<name> only for calls of a wallet.",
  },
  "node-method-unknown": {
    act: "retry",
    what: "the node does not know the method",
    help: "The node may be too old (Bitcoin Core: use 24 or newer), of another kind, or have the method switched off (RSKj: rpc.modules; Elastos: RPCServiceLevel); a proxy may filter methods.",
  },
  "node-busy": {
    act: "retry",
    what: "the node has too many calls waiting",
    help: "Raise its limits (bitcoind and its relatives: rpcthreads, rpcworkqueue), or keep other programs from calling it so often.",
  },
  "node-http-status": {
    act: "retry",
    what: "the node's address answered with an unexpected HTTP status",
    help: "A proxy or another program may answer there; a redirect is not followed, because it would carry the password along.",
  },
  "node-web-page": {
    act: "retry",
    what: "a web page answered instead of the node",
    help: "The url points at a web server, a proxy's error page or a block explorer. Use the address of the node's RPC port.",
  },
  "node-not-json": {
    act: "retry",
    what: "the answer of the node is not JSON",
    help: "Something between rewrites or cuts answers, or another program listens on that port.",
  },
  "node-answer-too-big": {
    act: "retry",
    what: "the answer of the node is larger than any it should give",
    help: "Check that it is the right node that answers; report this if it is.",
  },
  "node-answer-unexpected": {
    act: "retry",
    what: "the answer of the node does not have the expected form",
    help: "The place and what was expected stand beside it. Another kind of node may answer; if it is the right one, report its version.",
  },
  "node-warming-up": {
    act: "retry",
    what: "the node is starting",
    help: "Wait: it loads its block index first. Work begins by itself as soon as it is ready.",
  },
  "node-syncing": {
    act: "retry",
    what: "the node is still downloading the chain",
    help: "Wait until it has caught up (bitcoind and its relatives: getblockchaininfo), or list a node before it that has.",
  },
  "node-no-peers": {
    act: "retry",
    what: "the node has no connection to any other node",
    help: "It cannot learn of new blocks or spread ours. Check its network, its firewall and, with bitcoind and its relatives, the connect= and maxconnections= lines of its configuration.",
  },
  "node-rpc-error": {
    act: "retry",
    what: "the node answered with an error",
    help: "The node's own words stand beside it; its log says more.",
  },
  "node-wrong-network": {
    act: "halt",
    what: "the node is on another network than this server",
    help: "Set network in the section bitcoin to the node's, or point the url at a node of the right network. Mining for the wrong network is lost work.",
  },
  "node-payout-foreign": {
    act: "halt",
    what: "the node does not take the payout address for one of its network",
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
    what: "the node's best chain has less work than that of another configured node",
    help: "It lags, is cut off or follows another branch; work is taken from the better node. Check its peers and its debug.log.",
  },
  "node-catching-up": {
    act: "retry",
    what: "the node knows of newer headers than it has blocks for",
    help: "It downloads or checks blocks slowly. If it lasts, look at its disk, its peers and its debug.log.",
  },
  "node-tip-old": {
    act: "retry",
    what: "the node has not seen a new block for a long time",
    help: "Blocks come every ten minutes on average. Check the node's peers, and the clocks of both machines.",
  },
  "node-clock": {
    act: "retry",
    what: "the clocks of the node and of this machine differ",
    help: "Let both follow a time server (NTP): a header with a time more than two hours ahead is refused by the network.",
  },
  "node-zmq": {
    act: "retry",
    what: "the ZMQ notices of the node cannot be received",
    help: "zmq_hashblock must be the address of zmqpubhashblock in the node's configuration and be reachable from here. New blocks are still noticed through RPC.",
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

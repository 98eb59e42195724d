/** The config.toml that an installation begins with: the one of the module's documentation, and what mining for oneself needs beside it. */

/** Its text. Nothing can be mined before `payout` is filled in. */
export const FIRST_CONFIG = `# Configuration of bllvm-stratum-v2 as a module of the bllvm node. \`install-module\` made it once and never writes it again.
# config.toml.example of the program shows every key; \`install-module --check\` says whether this file works.

[stratum_v2]
# Enable/disable module
enabled = true

# Network listening address for Stratum V2 server
listen_addr = "0.0.0.0:3333"

# Mining pool URL (for pool mode)
# pool_url = "stratum+tcp://pool.example.com:3333"

# Needed with pool_url, in place of payout: your account at that pool
# [upstream]
# user = "account.farm"

[bitcoin]
# The node's network: mainnet, testnet, testnet4, signet or regtest
network = "mainnet"

# NEEDED: who is paid for blocks, an address or an output descriptor
# payout = "addr(bc1q...)"

# The bllvm node's JSON-RPC ([rpc_auth] of its blvm.toml): transactions with their fees, and work while its IPC does not serve this module.
# [bllvm]
# rpc_url = "http://127.0.0.1:8332"
# user = "miner"
# password_file = "rpc-password"

# Bitcoin Core beside the bllvm node, if there is one: it knows every transaction's witness, so its blocks are full.
# [[bitcoind]]
# url = "http://127.0.0.1:8332"
# cookie_file = "/home/bitcoin/.bitcoin/.cookie"
`;

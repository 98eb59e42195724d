/** Every key that `config.toml` may hold. */
import { z } from "zod";
import { PLUGIN_NAME } from "../../merge/plugin-manifest.ts";
import { POOL_SECTIONS } from "./pool-sections.ts";
import {
  hostPort,
  key,
  looseTableSchema,
  namedTables,
  percent,
  seconds,
  section,
  sections,
  tableSchema,
  whole,
} from "./rows.ts";
import { TEMPLATE_SECTIONS } from "./template-sections.ts";

const httpUrl = z.string().regex(/^https?:\/\/[^\s]+$/, "a URL that begins with http:// or https://");
const tcpUrl = z.string().regex(/^tcp:\/\/[^\s]+:\d{1,5}$/, "tcp://host:port as in bitcoind's -zmqpubhashblock");

/** What `NAME` asks for, as the end of "expected ...". */
const CHAIN_NAME = "a name of a-z, 0-9 and -, a letter first, 32 characters at most";

/** The sections of the file in the order of the example. The first is the one that the bllvm node documents. */
export const SECTIONS = {
  stratum_v2: section("The Stratum V2 server.", {
    enabled: key(z.boolean().default(true), "Set to false to keep the module installed but idle."),
    listen_addr: key(hostPort.default("0.0.0.0:3333"), "Address and port on which miners connect."),
    pool_url: key(
      z.string().min(1).max(500).optional(),
      "Upstream pool for pool mode (docs/pool-mode.md): jobs come from it, shares go to it. The first of [[pools]], if there are more.",
      '"stratum2+tcp://pool.example.com:3333/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72"',
    ),
    data_dir: key(
      z.string().min(1).default("data"),
      "Folder for the authority key and the journal of found blocks; relative to this file.",
    ),
    server_id: key(
      whole(0, 255).default(0),
      "First byte of every extranonce. Give each server that pays the same address another number, so that no two servers search the same space.",
    ),
    cert_validity_s: key(
      seconds(600, 10 * 365 * 86_400).default(30 * 86_400),
      "Lifetime of the certificate that miners check, in seconds. It is renewed long before; short lifetimes lock out devices with a wrong clock.",
    ),
    merge_mining_enabled: key(
      z.boolean().default(true),
      "Set to false to mine Bitcoin alone, whatever chains are configured below.",
    ),
    secondary_chains: key(
      z
        .array(z.string().regex(PLUGIN_NAME, CHAIN_NAME))
        .refine((names) => new Set(names).size === names.length, "each chain once")
        .optional(),
      "Chains to mine beside Bitcoin: exactly these, and other [chains.NAME] tables rest. Left out, every chain with a table that is not disabled.",
      '["rsk", "namecoin"]',
    ),
  }),
  "stratum_v2.merge_mining_fee": section(
    "A share of every merge-mined reward for the commons, as the bllvm node's configuration has it. Off unless enabled.",
    {
      enabled: key(z.boolean().default(false), "Set to true to take it."),
      fee_percentage: key(percent().default(1), "Percent of each auxiliary chain's reward; Bitcoin's is not touched."),
      commons_address: key(
        z.string().min(1).max(200).optional(),
        "Where it is paid, on the chains on which this is an address; on others, and in its place, `payout-address set beneficiary:commons ADDRESS --chain NAME`.",
        '"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"',
      ),
      contributor_id: key(
        z.string().min(1).max(100).optional(),
        "Named in payout plans beside the payment, so that the commons can tell who contributed.",
        '"my-pool"',
      ),
      auto_distribute: key(
        z.boolean().default(false),
        "Whether payout plans pay it like a worker; otherwise it is kept on its account until the operator pays it himself (`payout --only beneficiary:commons`).",
      ),
    },
  ),
  bitcoin: section("Where the Bitcoin reward goes.", {
    network: key(
      z.enum(["mainnet", "testnet", "testnet4", "signet", "regtest"]).default("mainnet"),
      "Bitcoin network; the nodes and the payout must be on it.",
    ),
    payout: key(
      z.string().min(1).optional(),
      "Who is paid: an address, or an output descriptor addr(ADDRESS) or raw(HEX SCRIPT). Required by `start` unless --devnet is given.",
      '"addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)"',
    ),
    coinbase_pays: key(
      z.enum(["pool", "identity"]).default("pool"),
      "pool: every block pays `payout`. identity: a block pays the address in the user identity of the channel that found it (ADDRESS.worker, sri/solo/ADDRESS/worker, sri/donate/PERCENT/ADDRESS/worker as in SRI's pool; docs/solo.md), and `payout` all that names none.",
    ),
    pool_tag: key(
      z.string().max(60).default("/bllvm-stratum-v2/"),
      "Text in the coinbase of every block. Together with the height and the extranonce it must fit 100 bytes; checked at start.",
    ),
  }),
  bitcoind: sections("Bitcoin Core nodes in order of preference. Every found block is submitted to all of them.", {
    name: key(z.string().min(1).optional(), "Name in logs; the host and port when left out.", '"main"'),
    url: key(httpUrl, "JSON-RPC address.", '"http://127.0.0.1:8332"'),
    cookie_file: key(
      z.string().min(1).optional(),
      "bitcoind's cookie file, or user and password below.",
      '"/home/bitcoin/.bitcoin/.cookie"',
    ),
    user: key(z.string().min(1).optional(), "RPC user (rpcauth or rpcuser).", '"miner"'),
    password: key(
      z.string().optional(),
      "RPC password. Better: password_file, readable by this user only.",
      '"secret"',
    ),
    password_file: key(z.string().min(1).optional(), "File whose first line is the RPC password.", '"rpc-password"'),
    zmq_hashblock: key(
      tcpUrl.optional(),
      "bitcoind's -zmqpubhashblock address, a fast notice of new blocks beside long polling.",
      '"tcp://127.0.0.1:28332"',
    ),
  }),
  bllvm: section(
    "The bllvm node whose module this is (docs/bllvm.md). Only a server that runs as a module looks at it. Bitcoin Core beside it ([[bitcoind]]) comes first for templates: it knows every transaction's witness.",
    {
      socket: key(
        z.string().min(1).optional(),
        "The node's IPC socket. Left out, the one that the node names to a module that it starts (SOCKET_PATH).",
        '"/var/lib/blvm/data/modules/sockets/node.sock"',
      ),
      wire: key(
        z.enum(["auto", "n0", "n1", "n2", "s1", "s2", "s3", "s4", "s5"]).default("auto"),
        "Version of the IPC protocol. auto chooses by how the module was started and by the node's version; docs/bllvm.md tells which node speaks which.",
      ),
      rpc_url: key(
        httpUrl.optional(),
        "JSON-RPC address of the bllvm node: transactions with their fees, and a second way for found blocks. Left out, blocks of this node's templates hold their coinbase alone.",
        '"http://127.0.0.1:8332"',
      ),
      user: key(z.string().min(1).optional(), "RPC user ([rpc_auth] username of the node).", '"miner"'),
      password: key(
        z.string().optional(),
        "RPC password. Better: password_file, readable by this user only.",
        '"secret"',
      ),
      password_file: key(z.string().min(1).optional(), "File whose first line is the RPC password.", '"rpc-password"'),
      publish_events: key(
        z.boolean().default(true),
        "Publish jobs, shares, rewards and pool connections to the node's other modules; needs the capability publish_events.",
      ),
      share_events_per_s: key(
        z.number().min(0).max(40).default(5),
        "Most ShareSubmitted events per second; the node closes the connection of a module above 100 requests.",
      ),
    },
  ),
  ...POOL_SECTIONS,
  templates: section("How work is taken from the nodes.", {
    poll_s: key(seconds(1, 600).default(10), "Tips are asked for at least this often, whatever notices arrive."),
    refresh_s: key(seconds(1, 600).default(30), "Least time between two templates for the same previous block."),
    fee_rise_percent: key(
      z.number().min(0).max(1000).default(1),
      "A template whose reward is higher by this much is taken at once; asked for every poll_s.",
    ),
    notice: key(
      z.enum(["auto", "wait", "longpoll", "poll"]).default("auto"),
      "How a node tells of a new block beside ZMQ: waitfornewblock, long poll or polling. auto takes the best it offers.",
    ),
    empty_first_job: key(
      z.boolean().default(true),
      "After a new block: mine an empty block while the full template is not there yet.",
    ),
    empty_after_s: key(seconds(0, 30).default(0.05), "How long the full template is waited for before that."),
    rpc_timeout_s: key(seconds(1, 300).default(15), "A node that does not answer within this time counts as away."),
    stale_tip_s: key(seconds(600, 86_400).default(5400), "Warn when no node has seen a new block for this long."),
    failback_s: key(
      seconds(0, 86_400).default(120),
      "A preferred node must be healthy for this long before work is taken from it again.",
    ),
    prefer: key(
      z.enum(["providers", "nodes"]).default("providers"),
      "Where work is taken from while both work: providers are the [[template_providers]], nodes the [[bitcoind]] nodes.",
    ),
    provider_transactions: key(
      z.boolean().default(true),
      "Fetch the transactions of each template of a provider, so that a block of it is also submitted whole to the [[bitcoind]] nodes.",
    ),
  }),
  ...TEMPLATE_SECTIONS,
  jobs: section("How jobs are made and shares are judged.", {
    refresh_s: key(
      seconds(5, 120).default(50),
      "A job older than this is replaced even if nothing changed; miners reconnect after two to three silent minutes.",
    ),
    version_rolling_mask: key(
      z
        .string()
        .regex(/^0x[0-9a-fA-F]{8}$/, "eight hex digits after 0x")
        .default("0x1fffe000"),
      "Header version bits that miners may roll. The default is BIP320; BIP323's wider mask spoils proofs of merge-mined chains.",
    ),
    ack_shares: key(
      whole(1, 10_000).default(10),
      "Accepted shares are acknowledged in batches of this many; batches are what saves bandwidth.",
    ),
    ack_s: key(
      seconds(0, 600).default(5),
      "An accepted share is acknowledged after this time at the latest. 60 makes real batches of 6 shares a minute, which saves a fifth of all bytes (docs/benchmarks.md); miners show their shares as much later.",
    ),
  }),
  vardiff: section("Share difficulty, kept per channel so that every miner sends about as many shares.", {
    shares_per_minute: key(z.number().min(0.1).max(600).default(6), "Wanted shares per minute and channel."),
    min_difficulty: key(
      z.number().positive().default(0.000001),
      "Never easier than this; 1 is 2^32 hashes a share. The default admits CPU miners.",
    ),
    max_difficulty: key(z.number().positive().default(1e15), "Never harder than this."),
  }),
  access: section("Who may mine.", {
    policy: key(
      z.enum(["open", "allow_list", "payout_address"]).default("open"),
      "open: anybody. allow_list: the user identities below. payout_address: identities that are a Bitcoin address of this network, with or without .worker behind it.",
    ),
    allow: key(
      z.array(z.string().min(1).max(255)).max(100_000).default([]),
      'User identities for allow_list; "alice.*" admits alice and every worker of hers.',
    ),
    required_extensions: key(
      z.array(whole(1, 2)).default([]),
      "Extensions without which a client is refused: 1 negotiation, 2 worker-specific hashrate tracking. Stock clients often speak neither.",
    ),
  }),
  limits: section("What a peer may cost. A peer over a limit loses its own connection and nobody else notices.", {
    connections: key(whole(1, 1_000_000).default(20_000), "Open connections in all."),
    connections_per_address: key(
      whole(1, 1_000_000).default(1_000),
      "Open connections from one IPv4 address or IPv6 /64.",
    ),
    handshakes_per_second: key(whole(1, 100_000).default(500), "New connections admitted per second."),
    handshake_timeout_s: key(seconds(1, 120).default(10), "Time for the encrypted handshake and SetupConnection."),
    idle_timeout_s: key(seconds(10, 86_400).default(900), "A connection that sends nothing for this long is closed."),
    buffer_bytes: key(
      whole(16_384, 1 << 30).default(1 << 20),
      "Bytes waiting for one peer that reads too slowly; more, and it is dropped.",
    ),
    frame_bytes: key(whole(1_024, 16_777_215).default(65_536), "Largest message accepted from a peer."),
    messages_per_second: key(
      whole(1, 1_000_000).default(500),
      "Messages accepted per second and connection, beside three times the shares wanted of its channels; a peer above it is read more slowly.",
    ),
    channels: key(
      whole(1, 1 << 24).default(1_000_000),
      "Open channels in all; further ones are refused. Each has 3 bytes of the extranonce, so 16,777,216 is the most.",
    ),
    channels_per_connection: key(whole(1, 1_000_000).default(10_000), "Open channels of one connection."),
  }),
  merge_mining: section("Merge mining: what holds for all auxiliary chains.", {
    plugins_dir: key(
      z.string().min(1).optional(),
      "Folder with plugins of your own, one folder each, beside those that come with the program and the npm packages bllvm-stratum-v2-plugin-*.",
      '"plugins"',
    ),
    coinbase_max_bytes: key(
      whole(200, 8000).optional(),
      "Chains whose commitments would make the coinbase longer than this are left out of the job. Some firmware cuts long ones off: SparkMiner beyond 256 bytes, older ESP-Miner (Bitaxe) 384, NerdMiner 512, Canaan 6144. Left out, only the 8 KiB of a job's message bound it.",
      "384",
    ),
    give_up_s: key(
      seconds(60, 7 * 86_400).default(3600),
      "A found block of a chain that no daemon gave a final answer on is submitted again and again for this long; over a restart too.",
    ),
    clamp_min_difficulty: key(
      z.number().positive().default(1),
      "No channel is made harder than the easiest chain that is mined, or blocks of that chain would be lost between the shares. Chains easier than this are left out of that rule: miners would drown in shares.",
    ),
  }),
  chains: namedTables(
    "An auxiliary chain, mined by a plugin with the same hashes. The name behind the dot is yours; one table a chain. The keys below are the same for all chains, further ones are the plugin's: plugins/NAME/README.md lists them, plugins/NAME/config.toml works.",
    {
      plugin: key(
        z.string().regex(PLUGIN_NAME, CHAIN_NAME).optional(),
        "Plugin that knows the chain; the table's name when left out.",
        '"namecoin"',
      ),
      enabled: key(z.boolean().default(true), "Set to false to let the chain rest; it can be enabled while mining."),
      update: key(
        z.union([z.literal(0), z.literal(1), z.literal(2)], "0, 1 or 2").optional(),
        "When new work of the chain makes a job of its own: 0 never, it goes with the next Bitcoin job; 1 when the chain has a new block; 2 at any change. The plugin's choice when left out, mostly 1.",
        "1",
      ),
      min_interval_s: key(
        seconds(0, 3600).optional(),
        "Least time between two jobs made for this chain. The plugin's choice when left out, mostly 1.",
        "1",
      ),
      expiry_s: key(
        seconds(1, 86_400).optional(),
        "Work that its plugin did not confirm for this long is not mined any more. The plugin's choice when left out, 60 to 120 seconds mostly.",
        "60",
      ),
    },
  ),
  ledger: section(
    "The ledger: work of every worker, every found block, who is owed what (docs/rewards.md). What is said here of rewards holds for all chains and for Bitcoin; [rewards.NAME] says otherwise for one.",
    {
      database: key(
        z.string().min(1).optional(),
        "SQLite file, relative to this file, or the URL of a PostgreSQL database. Left out, ledger.sqlite in data_dir, which needs no set-up.",
        '"postgres://pool:secret@127.0.0.1:5432/ledger"',
      ),
      flush_s: key(
        seconds(0.1, 300).default(5),
        "Credit for shares is written this often. It is all that a crash may lose; found blocks are on the disk before they are submitted.",
      ),
      slice_s: key(
        seconds(10, 86_400).default(600),
        "Work is counted in slices of this length, which a found block ends early. Shorter ones take more room.",
      ),
      keep_days: key(
        whole(60, 36_500).default(400),
        "Work older than this is forgotten. Blocks and balances never are.",
      ),
      keep_detail_days: key(
        whole(7, 36_500).default(90),
        "Bookings older than this are summed up by month. Balances do not change.",
      ),
      follow_s: key(
        seconds(0.1, 600).default(15),
        "Least time between two questions about a found block; older blocks are asked about less often.",
      ),
      scheme: key(
        z.enum(["pplns", "proportional", "solo"]).default("pplns"),
        "Who shares a reward: pplns, the last work before the block; proportional, all work since the chain's block before; solo, the finder alone.",
      ),
      window: key(
        z.number().min(0.01).max(1000).default(2),
        "For pplns: how much work shares a reward, in multiples of the block's difficulty.",
      ),
      max_window_days: key(
        whole(1, 365).default(30),
        "Work older than this before the block has no share in it, however small the pool.",
      ),
      fee_percent: key(percent().default(0), "The operator's percent of each reward."),
      distribute_at: key(
        z.enum(["mature", "confirmed"]).default("mature"),
        "When a reward is split: once it can be spent, or at its first confirmation (an orphan takes it back).",
      ),
    },
  ),
  rewards: namedTables(
    "Rewards of one chain, or of Bitcoin (NAME bitcoin): how they are split, and the wallet that pays them out (`payout --chain NAME` shows what is owed and pays nothing before --execute). Keys of the first kind that are left out hold as [ledger] says.",
    {
      scheme: key(
        z.enum(["pplns", "proportional", "solo"]).optional(),
        "As ledger.scheme, for this chain.",
        '"proportional"',
      ),
      window: key(z.number().min(0.01).max(1000).optional(), "As ledger.window, for this chain.", "5"),
      fee_percent: key(percent().optional(), "As ledger.fee_percent, for this chain.", "1.5"),
      distribute_at: key(
        z.enum(["mature", "confirmed"]).optional(),
        "As ledger.distribute_at, for this chain.",
        '"confirmed"',
      ),
      min_payment: key(
        z
          .string()
          .regex(/^\d{1,18}(\.\d{1,30})?$/, 'coins as text, e.g. "0.05"')
          .optional(),
        "Least payment in coins, as text so that it stays exact; a payee may have another one. 0.001 when left out.",
        '"0.05"',
      ),
      max_payments: key(whole(1, 2000).default(500), "Payments in one transaction; the largest go first."),
      payout_fee_from: key(
        z.enum(["operator", "workers"]).default("operator"),
        "Who bears the network's fee of a payout: the operator, or the payees in equal parts.",
      ),
      wallet_url: key(
        httpUrl.optional(),
        "JSON-RPC address of a daemon of Bitcoin Core's family whose wallet pays. Left out, plans are exported and paid by hand.",
        '"http://127.0.0.1:8336"',
      ),
      wallet: key(
        z
          .string()
          .regex(/^[^/?#\\]{1,200}$/, "a wallet's name without / ? # and \\")
          .optional(),
        "Name of the wallet, for a daemon that has several open.",
        '"pool"',
      ),
      wallet_cookie_file: key(
        z.string().min(1).optional(),
        "The daemon's cookie file, or user and password below.",
        '"/home/namecoin/.namecoin/.cookie"',
      ),
      wallet_user: key(z.string().min(1).optional(), "RPC user.", '"pool"'),
      wallet_password: key(
        z.string().optional(),
        "RPC password. Better: wallet_password_file, readable by this user only.",
        '"secret"',
      ),
      wallet_password_file: key(
        z.string().min(1).optional(),
        "File whose first line is the RPC password.",
        '"wallet-password"',
      ),
    },
  ),
  revenue_split: section(
    "How the operator's fee is divided among the purposes of the bllvm project. Off unless enabled; the four are to make 100.",
    {
      enabled: key(z.boolean().default(false), "Set to true to divide it."),
      core: key(percent().default(60), "Percent for core development."),
      grants: key(percent().default(25), "Percent for grants."),
      audits: key(percent().default(10), "Percent for audits."),
      operations: key(percent().default(5), "Percent for operations."),
    },
  ),
  control: section("The control API: what the plugin, chain and reload commands talk to.", {
    enabled: key(z.boolean().default(true), "Set to false for no control API."),
    listen: key(
      hostPort.optional(),
      "Address for HTTP with a token. Left out, a socket in data_dir that only this user may open (control.sock).",
      '"127.0.0.1:3380"',
    ),
    token_file: key(
      z.string().min(1).optional(),
      "File whose first line is the token that clients send (Authorization: Bearer ...), 16 characters at least. Needed with listen.",
      '"control-token"',
    ),
  }),
  log: section("The log, written to standard error.", {
    level: key(z.enum(["trace", "debug", "info", "warn", "error"]).default("info"), "Least level that is written."),
    format: key(
      z.enum(["auto", "pretty", "json"]).default("auto"),
      "auto: for people on a terminal, JSON lines otherwise.",
    ),
  }),
} as const;

/** The schema of the whole file. Sections and keys that are not in the table are errors. */
export const configSchema = z.strictObject({
  stratum_v2: tableSchema(SECTIONS.stratum_v2)
    .extend({ merge_mining_fee: tableSchema(SECTIONS["stratum_v2.merge_mining_fee"]).prefault({}) })
    .prefault({}),
  bitcoin: tableSchema(SECTIONS.bitcoin).prefault({}),
  bitcoind: z.array(tableSchema(SECTIONS.bitcoind)).max(16).default([]),
  bllvm: tableSchema(SECTIONS.bllvm).prefault({}),
  pools: z.array(tableSchema(SECTIONS.pools)).default([]),
  upstream: tableSchema(SECTIONS.upstream).prefault({}),
  tls: tableSchema(SECTIONS.tls).prefault({}),
  quic: tableSchema(SECTIONS.quic).prefault({}),
  templates: tableSchema(SECTIONS.templates).prefault({}),
  template_providers: z.array(tableSchema(SECTIONS.template_providers)).max(16).default([]),
  template_server: tableSchema(SECTIONS.template_server).prefault({}),
  job_declaration: tableSchema(SECTIONS.job_declaration).prefault({}),
  jobs: tableSchema(SECTIONS.jobs).prefault({}),
  vardiff: tableSchema(SECTIONS.vardiff).prefault({}),
  access: tableSchema(SECTIONS.access).prefault({}),
  limits: tableSchema(SECTIONS.limits).prefault({}),
  merge_mining: tableSchema(SECTIONS.merge_mining).prefault({}),
  // A chain's own keys are looked at when its plugin is loaded.
  chains: z.record(z.string().regex(PLUGIN_NAME, CHAIN_NAME), looseTableSchema(SECTIONS.chains)).default({}),
  ledger: tableSchema(SECTIONS.ledger).prefault({}),
  rewards: z.record(z.string().regex(PLUGIN_NAME, CHAIN_NAME), tableSchema(SECTIONS.rewards)).default({}),
  revenue_split: tableSchema(SECTIONS.revenue_split).prefault({}),
  control: tableSchema(SECTIONS.control).prefault({}),
  log: tableSchema(SECTIONS.log).prefault({}),
});

/** A checked configuration with all defaults filled in. */
export type Config = z.output<typeof configSchema>;

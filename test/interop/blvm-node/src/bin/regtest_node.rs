//! The whole node of the published crate on regtest, put together as its own program `blvm` does (which is not published):
//! `blvm-regtest-node <config.toml> <data folder> <P2P address> <RPC address>`. Ends by SIGTERM.

use anyhow::Context;
use blvm_node::ProtocolVersion;
use blvm_node::config::NodeConfig;
use blvm_node::node::Node;
use std::net::SocketAddr;
use std::path::Path;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, data, p2p, rpc] = arguments.as_slice() else {
        anyhow::bail!("usage: blvm-regtest-node <config.toml> <data folder> <P2P address> <RPC address>");
    };
    let config = NodeConfig::from_toml_file(Path::new(config)).context("config")?;
    let p2p: SocketAddr = p2p.parse().context("P2P address")?;
    let rpc: SocketAddr = rpc.parse().context("RPC address")?;
    let mut node = Node::with_storage_config(data, p2p, rpc, Some(ProtocolVersion::Regtest), config.storage.as_ref())?
        .with_config(config.clone())?
        .with_modules_from_config(&config)?;
    node.start().await
}

//! blvm's module system, as published, driven by lines of JSON on standard input: `{"id", "cmd", …}` is answered by
//! `{"id", "result"}` or `{"id", "error"}`; in between come lines about events, blocks and registrations. Commands run side
//! by side, for loading a module may hang. The node's log goes to standard error. Ends with standard input.

mod chain;
mod harness;
mod node_api;
mod report;

use anyhow::{Context, bail};
use harness::Harness;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let first: Value = serde_json::from_str(&lines.next_line().await?.context("no command")?)?;
    let started = start(&first).await;
    let harness = match started {
        Ok(harness) => Arc::new(harness),
        Err(error) => {
            report::line(&json!({ "id": first["id"], "error": format!("{error:#}") }));
            bail!(error);
        }
    };
    report::line(&json!({ "id": first["id"], "result": harness.chain() }));
    while let Some(line) = lines.next_line().await? {
        let command: Value = serde_json::from_str(&line)?;
        let harness = Arc::clone(&harness);
        tokio::spawn(async move {
            let answer = match run(&harness, &command).await {
                Ok(result) => json!({ "id": command["id"], "result": result }),
                Err(error) => json!({ "id": command["id"], "error": format!("{error:#}") }),
            };
            report::line(&answer);
        });
    }
    // Modules must not outlive us; a stop that hangs has killed them before.
    let _ = tokio::time::timeout(Duration::from_secs(1), harness.stop()).await;
    std::process::exit(0);
}

async fn start(command: &Value) -> anyhow::Result<Harness> {
    if command["cmd"] != "start" {
        bail!("the first command must be start");
    }
    let folder = |name: &str| text(command, name);
    Harness::start(
        folder("modulesDir")?,
        folder("dataDir")?,
        folder("socketDir")?,
        &command["limits"],
    )
    .await
}

async fn run(harness: &Harness, command: &Value) -> anyhow::Result<Value> {
    match text(command, "cmd")? {
        "load" => harness.load().await,
        "serve" => harness.serve(text(command, "socket")?).await,
        "permit" => {
            let capabilities = command["capabilities"].as_array().context("no capabilities")?;
            let capabilities: Vec<&str> = capabilities.iter().filter_map(Value::as_str).collect();
            harness.permit(text(command, "module")?, &capabilities).await
        }
        "mine" => harness.mine().await,
        "disconnect" => harness.disconnect().await,
        "chain" => Ok(harness.chain()),
        "call" => {
            harness
                .call(
                    command["module"].as_str(),
                    text(command, "method")?,
                    text(command, "params")?,
                )
                .await
        }
        "stop" => harness.stop().await,
        other => bail!("no command {other}"),
    }
}

fn text<'a>(command: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    command[name].as_str().with_context(|| format!("{name} must be text"))
}

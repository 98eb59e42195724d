//! The node's module system, started as the node starts it: one ModuleManager, whose IPC server listens on
//! `<socket_dir>/node.sock`, on a chain in memory.

use crate::chain::{Chain, Height};
use crate::node_api::{HarnessApi, now};
use crate::report::{self, hex};
use anyhow::{Context, bail};
use blvm_node::config::ModuleResourceLimitsConfig;
use blvm_node::module::inter_module::{ModuleApiRegistry, ModuleRouter};
use blvm_node::module::ipc::protocol::{EventPayload, ModuleMessage};
use blvm_node::module::ipc::server::ModuleIpcServer;
use blvm_node::module::manager::ModuleManager;
use blvm_node::module::security::permissions::{PermissionSet, parse_permission_string};
use blvm_node::module::traits::{EventType, NodeAPI};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, mpsc, mpsc::UnboundedReceiver};

/// What is told of every event of these types.
const TOLD: [EventType; 16] = [
    EventType::NewBlock,
    EventType::BlockDisconnected,
    EventType::ChainReorg,
    EventType::BlockMined,
    EventType::MiningJobCreated,
    EventType::ShareSubmitted,
    EventType::MergeMiningReward,
    EventType::MiningPoolConnected,
    EventType::MiningPoolDisconnected,
    EventType::StratumClientConnected,
    EventType::StratumClientDisconnected,
    EventType::ModuleInstalled,
    EventType::ModuleUnloaded,
    EventType::ModuleCrashed,
    EventType::NodeShutdown,
    EventType::DataMaintenance,
];
/// Between the events of a stop, and before the kill (reference: `Node::stop`).
const STOP_PAUSE: Duration = Duration::from_millis(100);
/// A stop that takes longer hangs.
const STOP_LIMIT: Duration = Duration::from_secs(5);

pub struct Harness {
    api: Arc<HarnessApi>,
    /// Locked while modules are loaded, as in the node.
    manager: AsyncMutex<ModuleManager>,
}

impl Harness {
    /// Starts it. `limits` overrides the node's defaults by the names of its configuration.
    pub async fn start(modules_dir: &str, data_dir: &str, socket_dir: &str, limits: &Value) -> anyhow::Result<Self> {
        let limits = limits_from(limits)?;
        let mut manager = ModuleManager::with_config(modules_dir, data_dir, socket_dir, Some(&limits));
        let registry = Arc::new(ModuleApiRegistry::new());
        let (queue, received) = mpsc::unbounded_channel();
        let api = Arc::new(HarnessApi {
            chain: Mutex::new(Chain::new()?),
            events: Arc::clone(manager.event_manager()),
            router: ModuleRouter::new(Arc::clone(&registry)),
            registry,
            ipc: OnceLock::new(),
            queue,
        });
        let socket = Path::new(socket_dir).join("node.sock");
        manager.start(&socket, Arc::clone(&api)).await?;
        let _ = api
            .ipc
            .set(manager.ipc_handle().context("the manager has no IPC server")?);
        bound(&socket).await?;
        tokio::spawn(tell_of_events(Arc::clone(&api)));
        tokio::spawn(take_queued(Arc::clone(&api), received));
        Ok(Self {
            api,
            manager: AsyncMutex::new(manager),
        })
    }

    /// Discovers and starts what is in the modules' folder. Returns when the node's start would go on.
    pub async fn load(&self) -> anyhow::Result<Value> {
        let mut manager = self.manager.lock().await;
        manager.auto_load_modules().await?;
        Ok(json!({ "modules": manager.list_modules().await }))
    }

    /// A second server of the same node on another path: what a node with one more accept loop would be.
    pub async fn serve(&self, socket: &str) -> anyhow::Result<Value> {
        let hub = self
            .manager
            .lock()
            .await
            .api_hub_arc()
            .context("the manager has no hub")?;
        let mut server = ModuleIpcServer::new(socket)
            .with_event_manager(Arc::clone(&self.api.events))
            .with_api_hub(hub);
        let api = Arc::clone(&self.api);
        let path = PathBuf::from(socket);
        tokio::spawn(async move {
            if let Err(error) = server.start(api).await {
                report::line(&json!({ "server": path, "ended": error.to_string() }));
            }
        });
        bound(Path::new(socket)).await?;
        Ok(json!({ "socket": socket }))
    }

    /// Gives a module capabilities as loading its manifest does.
    pub async fn permit(&self, module: &str, capabilities: &[&str]) -> anyhow::Result<Value> {
        let hub = self
            .manager
            .lock()
            .await
            .api_hub_arc()
            .context("the manager has no hub")?;
        let mut permissions = PermissionSet::new();
        for name in capabilities {
            permissions.add(parse_permission_string(name).with_context(|| format!("no capability {name}"))?);
        }
        hub.lock().await.register_module_permissions(module.into(), permissions);
        Ok(json!({ "module": module }))
    }

    /// A block found by somebody else, who writes its height as this version of the node reads it.
    pub async fn mine(&self) -> anyhow::Result<Value> {
        let mut verdict = Value::Null;
        for spelling in [Height::Opcode, Height::Bytes] {
            let wire = self
                .api
                .chain
                .lock()
                .expect("nobody panics with the chain")
                .mine(now(), spelling)?;
            verdict = self.api.take_block(&wire, "peer").await;
            if verdict["verdict"] == "accepted" {
                break;
            }
        }
        Ok(verdict)
    }

    /// Takes the tip back, as the node does before it connects a longer branch.
    pub async fn disconnect(&self) -> anyhow::Result<Value> {
        let (taken, new_tip) = {
            let mut chain = self.api.chain.lock().expect("nobody panics with the chain");
            (chain.disconnect(), chain.tip())
        };
        let Some((hash, height)) = taken else {
            bail!("there is only the genesis block")
        };
        self.publish(
            EventType::BlockDisconnected,
            EventPayload::BlockDisconnected { hash, height },
        )
        .await?;
        self.publish(
            EventType::ChainReorg,
            EventPayload::ChainReorg { old_tip: hash, new_tip },
        )
        .await?;
        Ok(json!({ "block": hex(&hash), "height": height, "tip": hex(&new_tip) }))
    }

    pub fn chain(&self) -> Value {
        let chain = self.api.chain.lock().expect("nobody panics with the chain");
        json!({ "tip": hex(&chain.tip()), "height": chain.height() })
    }

    /// Calls a method of a module's API as another module would; both ways are text.
    pub async fn call(&self, module: Option<&str>, method: &str, params: &str) -> anyhow::Result<Value> {
        let answer = self.api.call_module(module, method, params.as_bytes().to_vec()).await?;
        Ok(json!({ "answer": String::from_utf8_lossy(&answer) }))
    }

    /// The end of modules as the node ends them: two events, then SIGKILL.
    pub async fn stop(&self) -> anyhow::Result<Value> {
        let began = Instant::now();
        let shutdown = EventPayload::NodeShutdown {
            reason: "graceful".into(),
            timeout_seconds: 30,
        };
        self.publish(EventType::NodeShutdown, shutdown).await?;
        tokio::time::sleep(STOP_PAUSE).await;
        let flush = EventPayload::DataMaintenance {
            operation: "flush".into(),
            urgency: "high".into(),
            reason: "shutdown".into(),
            target_age_days: None,
            timeout_seconds: Some(5),
        };
        self.publish(EventType::DataMaintenance, flush).await?;
        tokio::time::sleep(STOP_PAUSE).await;
        let ended = tokio::time::timeout(STOP_LIMIT, async { self.manager.lock().await.shutdown().await }).await;
        let hangs = ended.is_err();
        if let Ok(ended) = ended {
            ended?;
        }
        Ok(json!({ "hangs": hangs, "ms": began.elapsed().as_millis() as u64 }))
    }

    async fn publish(&self, event_type: EventType, payload: EventPayload) -> anyhow::Result<()> {
        Ok(self.api.events.publish_event(event_type, payload).await?)
    }
}

fn limits_from(overrides: &Value) -> anyhow::Result<ModuleResourceLimitsConfig> {
    let mut limits = serde_json::to_value(ModuleResourceLimitsConfig::default())?;
    for (name, value) in overrides.as_object().into_iter().flatten() {
        match limits.get_mut(name) {
            Some(limit) => *limit = value.clone(),
            None => bail!("no limit {name}"),
        }
    }
    Ok(serde_json::from_value(limits)?)
}

/// Waits for a server's socket.
async fn bound(socket: &Path) -> anyhow::Result<()> {
    for _ in 0..100 {
        if socket.exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("no socket at {}", socket.display())
}

async fn tell_of_events(api: Arc<HarnessApi>) {
    let (sender, mut events) = mpsc::channel(10_000);
    if api
        .events
        .subscribe_module("harness".into(), TOLD.to_vec(), sender)
        .await
        .is_err()
    {
        return;
    }
    while let Some(message) = events.recv().await {
        if let ModuleMessage::Event(event) = message {
            report::event(&event.payload);
        }
    }
}

async fn take_queued(api: Arc<HarnessApi>, mut received: UnboundedReceiver<Vec<u8>>) {
    while let Some(wire) = received.recv().await {
        report::line(&api.take_block(&wire, "module").await);
    }
}

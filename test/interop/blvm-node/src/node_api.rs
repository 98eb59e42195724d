//! The node as its modules see it, on top of [`Chain`]. What the real node needs a network, a mempool or a wallet for
//! is an error, and by the server's rule an error closes the connection.

use crate::chain::{BITS, Chain};
use crate::report::{self, hex};
use async_trait::async_trait;
use blvm_node::module::api::events::EventManager;
use blvm_node::module::inter_module::{IpcForwardingModuleAPI, ModuleAPI, ModuleApiRegistry, ModuleRouter};
use blvm_node::module::ipc::protocol::{EventPayload, FileMetadata, ModuleMessage};
use blvm_node::module::ipc::server::ModuleIpcHandle;
use blvm_node::module::metrics::manager::Metric;
use blvm_node::module::process::monitor::ModuleHealth;
use blvm_node::module::timers::manager::{TaskCallback, TaskId, TimerCallback, TimerId};
use blvm_node::module::traits::*;
use blvm_protocol::mining::BlockTemplate;
use blvm_protocol::pow::difficulty_from_bits;
use blvm_protocol::{Block, BlockHeader, Hash, OutPoint, Transaction, UTXO};
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{Receiver, UnboundedSender};

pub struct HarnessApi {
    pub chain: Mutex<Chain>,
    pub events: Arc<EventManager>,
    pub router: ModuleRouter,
    pub registry: Arc<ModuleApiRegistry>,
    /// Way to the connected modules; there once the server is made.
    pub ipc: OnceLock<ModuleIpcHandle>,
    /// Blocks that modules handed over, in wire format.
    pub queue: UnboundedSender<Vec<u8>>,
}

pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl HarnessApi {
    /// Judges a block and tells of the verdict; the node's modules hear of an accepted one by NewBlock.
    pub async fn take_block(&self, wire: &[u8], from: &str) -> serde_json::Value {
        let (verdict, height) = {
            let mut chain = self.chain.lock().expect("nobody panics with the chain");
            (chain.connect(wire, now()), chain.height())
        };
        match verdict {
            Ok(block_hash) => {
                let _ = self
                    .events
                    .publish_event(EventType::NewBlock, EventPayload::NewBlock { block_hash, height })
                    .await;
                json!({ "block": hex(&block_hash), "height": height, "from": from, "verdict": "accepted" })
            }
            Err(reason) => json!({ "from": from, "verdict": "rejected", "reason": reason }),
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Chain) -> T) -> Result<T, ModuleError> {
        Ok(read(&self.chain.lock().expect("nobody panics with the chain")))
    }
}

fn none<T>(what: &str) -> Result<T, ModuleError> {
    Err(ModuleError::OperationError(format!(
        "{what}: this node has no such thing"
    )))
}

/// The implementation: methods as they are, and one line for each that is absent.
macro_rules! node_api {
    ({ $($present:tt)* } absent { $(fn $name:ident($($argument:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl NodeAPI for HarnessApi {
            $($present)*
            $(async fn $name(&self, $(_: $argument),*) -> Result<$answer, ModuleError> { none(stringify!($name)) })*
        }
    };
}

node_api! {
    {
        async fn get_block(&self, hash: &Hash) -> Result<Option<Block>, ModuleError> {
            self.read(|chain| chain.block(hash).cloned())
        }

        async fn get_block_header(&self, hash: &Hash) -> Result<Option<BlockHeader>, ModuleError> {
            self.read(|chain| chain.block(hash).map(|block| block.header.clone()))
        }

        async fn get_block_by_height(&self, height: u64) -> Result<Option<Block>, ModuleError> {
            self.read(|chain| chain.block_at(height).cloned())
        }

        async fn get_chain_tip(&self) -> Result<Hash, ModuleError> {
            self.read(Chain::tip)
        }

        async fn get_block_height(&self) -> Result<u64, ModuleError> {
            self.read(Chain::height)
        }

        // As the node's own: a whole number, which is 0 below difficulty 1, and synced from the first block on.
        async fn get_chain_info(&self) -> Result<ChainInfo, ModuleError> {
            self.read(|chain| ChainInfo {
                tip_hash: chain.tip(),
                height: chain.height(),
                difficulty: difficulty_from_bits(BITS).unwrap_or(1.0) as _,
                chain_work: 2 * (chain.height() + 1),
                is_synced: chain.height() > 0,
            })
        }

        async fn get_sync_status(&self) -> Result<SyncStatus, ModuleError> {
            Ok(SyncStatus { phase: "Synced".into(), progress: 1.0, is_synced: true, error_message: None })
        }

        async fn get_mempool_transactions(&self) -> Result<Vec<Hash>, ModuleError> {
            Ok(Vec::new())
        }

        async fn get_mempool_size(&self) -> Result<MempoolSize, ModuleError> {
            Ok(MempoolSize { transaction_count: 0, size_bytes: 0, total_fee_sats: 0 })
        }

        async fn get_network_peers(&self) -> Result<Vec<PeerInfo>, ModuleError> {
            Ok(Vec::new())
        }

        async fn get_network_stats(&self) -> Result<NetworkStats, ModuleError> {
            Ok(NetworkStats { peer_count: 0, hash_rate: 0.0, bytes_sent: 0, bytes_received: 0 })
        }

        async fn publish_event(&self, event_type: EventType, payload: EventPayload) -> Result<(), ModuleError> {
            self.events.publish_event(event_type, payload).await
        }

        // As the node's own: the answer says only that the bytes are queued.
        async fn queue_received_block_bytes(&self, block_bytes: Vec<u8>) -> Result<(), ModuleError> {
            self.queue.send(block_bytes).map_err(|e| ModuleError::OperationError(e.to_string()))
        }

        async fn register_subprocess_module_api(
            &self,
            module_id: &str,
            methods: Vec<String>,
            api_version: u32,
        ) -> Result<(), ModuleError> {
            report::line(&json!({ "registered": module_id, "methods": methods, "apiVersion": api_version }));
            let Some(ipc) = self.ipc.get() else { return none("the way to a module") };
            let proxy = IpcForwardingModuleAPI::new(module_id.into(), ipc.clone(), methods, api_version);
            self.registry.register_api(module_id.into(), Arc::new(proxy)).await
        }

        async fn unregister_subprocess_module_api(&self, module_id: &str) -> Result<(), ModuleError> {
            self.registry.unregister_api(module_id).await
        }

        async fn call_module(
            &self,
            target_module_id: Option<&str>,
            method: &str,
            params: Vec<u8>,
        ) -> Result<Vec<u8>, ModuleError> {
            self.router.route_call("harness", target_module_id, method, &params).await
        }

        async fn initialize_module(&self, _: String, _: PathBuf, _: PathBuf) -> Result<(), ModuleError> {
            Ok(())
        }

        async fn report_module_health(&self, health: ModuleHealth) -> Result<(), ModuleError> {
            report::line(&json!({ "health": format!("{health:?}") }));
            Ok(())
        }
    }
    absent {
        fn get_transaction(&Hash) -> Option<Transaction>;
        fn has_transaction(&Hash) -> bool;
        fn get_utxo(&OutPoint) -> Option<UTXO>;
        fn get_mempool_transaction(&Hash) -> Option<Transaction>;
        fn report_metric(Metric) -> ();
        fn discover_modules() -> Vec<ModuleInfo>;
        fn get_module_info(&str) -> Option<ModuleInfo>;
        fn is_module_available(&str) -> bool;
        fn subscribe_events(Vec<EventType>) -> Receiver<ModuleMessage>;
        fn get_lightning_node_url() -> Option<String>;
        fn get_lightning_info() -> Option<LightningInfo>;
        fn get_payment_state(&str) -> Option<PaymentState>;
        fn check_transaction_in_mempool(&Hash) -> bool;
        fn get_fee_estimate(u32) -> u64;
        fn register_rpc_endpoint(String, String) -> ();
        fn unregister_rpc_endpoint(&str) -> ();
        fn register_core_rpc_override(String, String) -> ();
        fn unregister_core_rpc_override(&str) -> ();
        fn register_timer(u64, Arc<dyn TimerCallback>) -> TimerId;
        fn cancel_timer(TimerId) -> ();
        fn schedule_task(u64, Arc<dyn TaskCallback>) -> TaskId;
        fn get_module_metrics(&str) -> Vec<Metric>;
        fn get_all_metrics() -> HashMap<String, Vec<Metric>>;
        fn read_file(String) -> Vec<u8>;
        fn write_file(String, Vec<u8>) -> ();
        fn delete_file(String) -> ();
        fn list_directory(String) -> Vec<String>;
        fn create_directory(String) -> ();
        fn get_file_metadata(String) -> FileMetadata;
        fn register_module_api(Arc<dyn ModuleAPI>) -> ();
        fn unregister_module_api() -> ();
        fn send_mesh_packet_to_module(&str, Vec<u8>, String) -> ();
        fn send_mesh_packet_to_peer(String, Vec<u8>) -> ();
        fn send_peer_transport_payload(String, Vec<u8>) -> ();
        fn get_module_health(&str) -> Option<ModuleHealth>;
        fn get_all_module_health() -> Vec<(String, ModuleHealth)>;
        fn get_block_template(Vec<String>, Option<Vec<u8>>, Option<String>) -> BlockTemplate;
        fn submit_block(Block) -> SubmitBlockResult;
        fn merge_block_serve_denylist(&[Hash]) -> ();
        fn get_block_serve_denylist_snapshot() -> BlockServeDenylistSnapshot;
        fn clear_block_serve_denylist() -> ();
        fn replace_block_serve_denylist(&[Hash]) -> ();
        fn merge_tx_serve_denylist(&[Hash]) -> ();
        fn get_tx_serve_denylist_snapshot() -> TxServeDenylistSnapshot;
        fn clear_tx_serve_denylist() -> ();
        fn replace_tx_serve_denylist(&[Hash]) -> ();
        fn ban_peer(&str, Option<u64>) -> ();
        fn set_block_serve_maintenance_mode(bool) -> ();
    }
}

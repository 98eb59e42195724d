//! Lines of JSON on standard output: answers to commands, and what happens in the node meanwhile.

use serde_json::{Value, json};
use std::io::Write;

/// Writes one line. Whole lines only: several tasks report.
pub fn line(value: &Value) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: then nobody misses it either.
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

/// Tells of an event as the EventManager delivers it: `{"event": name, …fields}`. Hashes become hex in internal byte order.
pub fn event(payload: &blvm_node::module::ipc::protocol::EventPayload) {
    let serialised = serde_json::to_value(payload).unwrap_or_else(|e| json!({ "Unserialisable": e.to_string() }));
    let mut told = match serialised {
        Value::Object(variant) => variant
            .into_iter()
            .next()
            .map(|(name, fields)| json!({ "event": name, "fields": hashes_to_hex(fields) })),
        name => Some(json!({ "event": name, "fields": {} })),
    };
    if let Some(told) = told.take() {
        line(&told);
    }
}

fn hashes_to_hex(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (name, hashes_to_hex(field)))
            .collect(),
        Value::Array(items) => match bytes_of(&items) {
            Some(bytes) if bytes.len() == 32 => json!(hex(&bytes)),
            _ => Value::Array(items),
        },
        other => other,
    }
}

fn bytes_of(items: &[Value]) -> Option<Vec<u8>> {
    items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

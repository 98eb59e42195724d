//! Prints byte vectors made by the published crates of the Stratum Reference Implementation (SRI).
//! Everything is fixed: the same crates print the same document.

mod messages;
mod noise;

use serde_json::{Value, json};

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let document = match what.as_str() {
        "messages" => json!({ "source": source(&what), "messages": messages::all() }),
        "noise" => json!({ "source": source(&what), "runs": noise::runs() }),
        _ => {
            eprintln!("usage: sri-golden messages|noise");
            std::process::exit(2);
        }
    };
    println!("{document:#}");
}

/// Where the bytes come from: the resolved SRI crates, and the command that repeats the document.
fn source(what: &str) -> Value {
    let mut crates: Vec<String> = Vec::new();
    let mut name = "";
    for line in include_str!("../Cargo.lock").lines() {
        if let Some(quoted) = line.strip_prefix("name = ") {
            name = quoted.trim_matches('"');
        }
        if let Some(version) = line.strip_prefix("version = ")
            && (name.ends_with("_sv2") || name == "stratum-core")
        {
            crates.push(format!("{name} {}", version.trim_matches('"')));
        }
    }
    json!({
        "registry": "crates.io",
        "crates": crates,
        "command": format!("cargo run --locked -- {what}"),
        "in": "test/interop/golden",
        "pattern": "byte i of n is (7i + n) mod 256",
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `length` bytes of which no two neighbours are equal, so that a swapped or shifted byte shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + length) as u8).collect()
}

//! Times SRI's published crates: prints `{ name: nanoseconds }`, each the median of many samples.

mod channels;
mod clock;
mod messages;
mod noise;

use serde_json::{Map, Value};

fn main() {
    let mut results = Map::new();
    let mut report = |name: String, nanoseconds: u64| {
        eprintln!("{nanoseconds:>9} ns  {name}");
        results.insert(name, nanoseconds.into());
    };
    noise::handshake(&mut report);
    noise::frames(&mut report);
    messages::codec(&mut report);
    channels::jobs(&mut report);
    channels::shares(&mut report);
    println!("{:#}", Value::Object(results));
}

//! What a row has beside what was sent: its fingerprint and its times.

use blake2b_simd::Params;
use prost::Message;
use prost_types::Timestamp;

/// Tells a retry from another event under the same id: the twin of `pipeline.stamp`'s.
///
/// `sent` is the event without its own fields, which are `metadata`.
pub fn fingerprint(sent: &impl Message, metadata: &str) -> u64 {
    let mut digest = Params::new().hash_length(8).to_state();
    let sum = digest.update(&sent.encode_to_vec()).update(metadata.as_bytes()).finalize();
    sum.as_bytes().iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Milliseconds since 1970 as a message.
#[allow(clippy::cast_possible_truncation)] // a remainder is below the second
pub fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp { seconds: time_ms.div_euclid(1000), nanos: time_ms.rem_euclid(1000) as i32 * 1_000_000 }
}

//! What a row has beside what was sent: its fingerprint and its times.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use prost::Message;
use prost_types::Timestamp;

/// Tells a retry from another event under the same id: the twin of `pipeline.stamp`'s.
///
/// `sent` is the event without its own fields, which are `metadata`.
pub fn fingerprint(sent: &impl Message, metadata: &str) -> u64 {
    let mut digest = Blake2b::<U8>::new();
    digest.update(sent.encode_to_vec());
    digest.update(metadata);
    u64::from_le_bytes(digest.finalize().into())
}

/// Milliseconds since 1970 as a message.
#[allow(clippy::cast_possible_truncation)] // a remainder is below the second
pub fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp { seconds: time_ms.div_euclid(1000), nanos: time_ms.rem_euclid(1000) as i32 * 1_000_000 }
}

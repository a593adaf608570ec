//! An accepted event as the spool keeps it.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use prost::Message;
use prost_types::Timestamp;

use crate::messages::qrumb::v1::{EventRow, UserIdentifiers};
use crate::messages::qrumb_server::wire::v1::{AcceptedEvent, Record, record::Kind};

/// A row that is complete but for what its visitor and its moment add, and what stands beside it.
#[derive(Default)]
pub struct Kept {
    /// The row.
    pub row: EventRow,
    /// Who it was, where consent allows.
    pub user_identifiers: Option<UserIdentifiers>,
    /// Of the visitor's address.
    pub ip_key: String,
    /// Its sender did not name it.
    pub event_id_generated: bool,
    /// The gateway may have sent it before.
    pub retried: bool,
}

impl Kept {
    /// The spool record.
    pub fn record(self) -> Record {
        Record {
            kind: Some(Kind::AcceptedEvent(AcceptedEvent {
                row: Some(self.row),
                user_identifiers: self.user_identifiers,
                ip_key: self.ip_key,
                event_id_generated: self.event_id_generated,
                retried: self.retried,
            })),
        }
    }
}

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

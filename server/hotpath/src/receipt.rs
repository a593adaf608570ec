//! The answer to one event, as it stands in the answer of its call.

use prost::Message;

use crate::messages::qrumb::v1::{EventReceipt, event_receipt::Outcome};
use crate::record::timestamp;

/// Field 1 of a response, of length-delimited type: its receipt or receipts.
const RECEIPT_TAG: u8 = 0x0a;

/// The receipt of an accepted event as a field of a response.
pub fn accepted(event_id: &str, received_time_ms: i64) -> Vec<u8> {
    let receipt = EventReceipt {
        event_id: event_id.to_owned(),
        outcome: Outcome::Accepted.into(),
        received_time: Some(timestamp(received_time_ms)),
        ..Default::default()
    };
    let mut field = vec![RECEIPT_TAG];
    field.extend(receipt.encode_length_delimited_to_vec());
    field
}

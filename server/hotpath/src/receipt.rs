//! The answer to one event, as it stands in the answer of its call.

use prost::Message;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::messages::qrumb::v1::{EventReceipt, event_receipt::Outcome};
use crate::record::timestamp;

/// Field 1 of a response, of length-delimited type: its receipt or receipts.
const RECEIPT_TAG: u8 = 0x0a;

/// The receipt of an accepted event: the field of a response, or a JSON object of that form.
pub fn accepted(event_id: &str, received_time_ms: i64, form: Option<&[String; 3]>) -> PyResult<Vec<u8>> {
    let received_time = timestamp(received_time_ms);
    if let Some([before, between, behind]) = form {
        let event_id = serde_json::to_string(event_id).map_err(|error| PyValueError::new_err(error.to_string()))?;
        return Ok(format!("{before}{event_id}{between}\"{received_time}\"{behind}").into_bytes());
    }
    let receipt = EventReceipt {
        event_id: event_id.to_owned(),
        outcome: Outcome::Accepted.into(),
        received_time: Some(received_time),
        ..Default::default()
    };
    Ok([&[RECEIPT_TAG], receipt.encode_length_delimited_to_vec().as_slice()].concat())
}

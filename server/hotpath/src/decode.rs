//! Takes a call apart into its events, and decodes them.
//!
//! An event of which the contract's messages here do not hold every byte has something unknown: a field of a later
//! contract, one that is there twice. Python keeps and judges such things, so the event is Python's.

use std::ops::Range;

use prost::Message;

use crate::messages::qrumb::v1::{BrowserEvent, ServerEvent};

/// Field 1 of a request, of length-delimited type: its event or events.
const EVENT_TAG: u8 = 0x0a;

/// Where an event came from.
#[derive(Clone, Copy, PartialEq)]
pub enum Source {
    /// A page.
    Browser,
    /// A backend.
    Server,
}

/// An event as it was sent, its own fields included.
#[derive(Clone, PartialEq)]
pub enum Sent {
    /// Of a page.
    Browser(Box<BrowserEvent>),
    /// Of a backend.
    Server(Box<ServerEvent>),
    /// For Python to judge; the id of its site, since the call is let in by it.
    Yours(String),
}

impl Sent {
    /// The event of some bytes; None where they are none.
    pub fn decode(bytes: &[u8], source: Source) -> Option<Self> {
        match source {
            Source::Browser => {
                let event = BrowserEvent::decode(bytes).ok()?;
                let is_whole = event.encoded_len() == bytes.len();
                Some(if is_whole { Self::Browser(Box::new(event)) } else { Self::Yours(event.site_id) })
            }
            Source::Server => {
                let event = ServerEvent::decode(bytes).ok()?;
                let is_whole = event.encoded_len() == bytes.len();
                Some(if is_whole { Self::Server(Box::new(event)) } else { Self::Yours(event.site_id) })
            }
        }
    }

    /// The site that it is sent to.
    pub fn site_id(&self) -> &str {
        match self {
            Self::Browser(event) => &event.site_id,
            Self::Server(event) => &event.site_id,
            Self::Yours(site_id) => site_id,
        }
    }

    /// What it states of the visitor: the agent, and the address.
    pub fn visitor(&self) -> (&str, &str) {
        match self {
            Self::Browser(event) => (event.device.as_ref().map_or("", |device| &device.user_agent), ""),
            Self::Server(event) => (&event.user_agent, &event.client_ip),
            Self::Yours(_) => ("", ""),
        }
    }
}

/// Where the events of a request are; None where it holds anything else, or more or larger ones than allowed.
pub fn events(request: &[u8], max_events: usize, max_event_bytes: usize) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut rest = request;
    while let Some((&tag, behind)) = rest.split_first() {
        rest = behind;
        if tag != EVENT_TAG || found.len() == max_events {
            return None;
        }
        let length = prost::decode_length_delimiter(&mut rest).ok()?;
        if length > rest.len() || length > max_event_bytes {
            return None;
        }
        let start = request.len() - rest.len();
        found.push(start..start + length);
        rest = rest.get(length..)?;
    }
    Some(found)
}

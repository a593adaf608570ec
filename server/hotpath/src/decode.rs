//! An event as it was sent, and how protobuf's bytes become one.
//!
//! An event of which the contract's messages here do not hold every byte has something unknown: a field of a later
//! contract, one that is there twice. Python keeps and judges such things, so the event is Python's.

use prost::Message;

use crate::messages::qrumb::v1::{BrowserEvent, ServerEvent};
use crate::metadata::Own;

/// Where an event came from.
#[derive(Clone, Copy, PartialEq)]
pub enum Source {
    /// A page.
    Browser,
    /// A backend.
    Server,
}

/// An event as it was sent; its own fields stand beside it.
pub enum Sent {
    /// Of a page.
    Browser(Box<BrowserEvent>, Own),
    /// Of a backend.
    Server(Box<ServerEvent>, Own),
    /// For Python to judge; the id of its site, since the call is let in by it.
    Yours(String),
    /// For Python to read.
    Unread,
}

impl Sent {
    /// The event of some bytes; None where they are none.
    pub fn decode(bytes: &[u8], source: Source) -> Option<Self> {
        match source {
            Source::Browser => {
                let mut event = BrowserEvent::decode(bytes).ok()?;
                if event.encoded_len() != bytes.len() {
                    return Some(Self::Yours(event.site_id));
                }
                let own = event.metadata.take().map_or(Own::Nothing, Own::Struct);
                Some(Self::Browser(Box::new(event), own))
            }
            Source::Server => {
                let mut event = ServerEvent::decode(bytes).ok()?;
                if event.encoded_len() != bytes.len() {
                    return Some(Self::Yours(event.site_id));
                }
                let own = event.properties.take().map_or(Own::Nothing, Own::Struct);
                Some(Self::Server(Box::new(event), own))
            }
        }
    }

    /// The site that it is sent to, where it is read.
    pub fn site_id(&self) -> Option<&str> {
        match self {
            Self::Browser(event, _) => Some(&event.site_id),
            Self::Server(event, _) => Some(&event.site_id),
            Self::Yours(site_id) => Some(site_id),
            Self::Unread => None,
        }
    }

    /// What it states of the visitor: the agent, and the address.
    pub fn visitor(&self) -> (&str, &str) {
        match self {
            Self::Browser(event, _) => (event.device.as_ref().map_or("", |device| &device.user_agent), ""),
            Self::Server(event, _) => (&event.user_agent, &event.client_ip),
            Self::Yours(_) | Self::Unread => ("", ""),
        }
    }
}

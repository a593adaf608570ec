//! What is told of the events of a batch beside their rows.

use std::collections::HashMap;

use crate::loading::table::{Span, Table};

/// Names that are counted off as they are met.
#[derive(Default)]
pub struct Index {
    pub places: HashMap<Box<str>, u32>,
}

impl Index {
    pub fn place(&mut self, name: &str) -> (u32, bool) {
        if let Some(place) = self.places.get(name) {
            return (*place, false);
        }
        let place = u32::try_from(self.places.len()).unwrap_or(NOWHERE);
        self.places.insert(name.into(), place);
        (place, true)
    }
}

/// In place of a number: there is none.
pub const NOWHERE: u32 = u32::MAX;

/// Of one event.
#[derive(Clone, Copy, Default)]
pub struct Fact {
    pub raw: Span,
    pub segment: u32,
    pub row: u32,
    pub site: u32,
    pub session: u32,
    pub address: u32,
    /// The same where the event counts for it.
    pub counted_address: u32,
    pub keeps_session: bool,
    pub lends: bool,
    pub may_repeat: bool,
    /// It is Python's: by itself, or since Python said so.
    pub is_left: bool,
    /// Its rates are asked for one by one.
    pub is_watched: bool,
}

/// A scan session of the batch, or an address of one of its sites.
pub struct Named {
    pub site: u32,
    pub name: Span,
    pub events: u32,
    /// One of its events may have a user.
    pub lends: bool,
    /// Of the events of browsers.
    pub earliest_ms: i64,
}

/// Numbers of the columns that mean something here.
pub struct Numbers {
    pub event_id: usize,
    pub event_time: usize,
    pub received_time: usize,
    pub site: usize,
    pub session: usize,
    pub code: usize,
    pub user: usize,
    pub user_source: usize,
    pub source: usize,
    pub consent: usize,
    pub duplicate: usize,
    pub fraud: usize,
    pub reasons: usize,
    pub client_time: usize,
    pub client_text: usize,
    pub identified: usize,
}

impl Numbers {
    pub fn of(table: &Table) -> Option<Self> {
        Some(Self {
            event_id: table.number("event_id")?,
            event_time: table.number("event_time")?,
            received_time: table.number("received_time")?,
            site: table.number("site_id")?,
            session: table.number("scan_session_id")?,
            code: table.number("qr_code_id")?,
            user: table.number("user_id")?,
            user_source: table.number("user_id_source")?,
            source: table.number("source")?,
            consent: table.number("consent")?,
            duplicate: table.number("is_duplicate")?,
            fraud: table.number("is_fraud")?,
            reasons: table.number("fraud_reasons")?,
            client_time: table.number("client_event_time")?,
            client_text: table.number("client_event_time_text")?,
            identified: table.number("identified_user_id")?,
        })
    }
}

//! Takes the body of a call apart, one event after another.
//!
//! What it does not know to be a plain list of events is Python's as a whole. That what it does take is JSON is seen in
//! the events that are read; the inside of others is passed over, and Python looks whether it is JSON.

use std::ops::Range;

use jiter::Jiter;

use crate::decode::{Sent, Source};
use crate::json;
use crate::rules::Rules;

/// Field 1 of a request, of length-delimited type: its event or events.
const EVENT_TAG: u8 = 0x0a;

/// How events are written.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// As protobuf.
    Message,
    /// A JSON object.
    Json,
    /// A JSON object with a list of events.
    JsonBatch,
}

/// How far a body is taken apart.
pub struct Body {
    source: Source,
    pub form: Form,
    at: usize,
    /// Nothing is left of it.
    pub is_done: bool,
}

impl Body {
    /// Of which nothing is read yet.
    pub fn new(source: Source, form: Form) -> Self {
        Self { source, form, at: 0, is_done: false }
    }

    /// Place and content of the next event; None: the call is Python's.
    pub fn next(&mut self, body: &[u8], rules: &Rules) -> Option<(Range<usize>, Sent)> {
        match self.form {
            Form::Message => self.next_message(body, rules),
            Form::Json => self.only_object(body, rules),
            Form::JsonBatch => self.next_object(body, rules),
        }
    }

    fn next_message(&mut self, body: &[u8], rules: &Rules) -> Option<(Range<usize>, Sent)> {
        let mut rest = body.get(self.at..)?.strip_prefix(&[EVENT_TAG])?;
        let length = prost::decode_length_delimiter(&mut rest).ok()?;
        let bytes = rest.get(..length).filter(|bytes| bytes.len() <= rules.max_event_bytes)?;
        let place = body.len() - rest.len()..body.len() - rest.len() + length;
        self.at = place.end;
        self.is_done = place.end == body.len();
        Some((place, Sent::decode(bytes, self.source)?))
    }

    fn only_object(&mut self, body: &[u8], rules: &Rules) -> Option<(Range<usize>, Sent)> {
        (body.len() <= rules.max_event_bytes).then_some(())?;
        let mut reader = Jiter::new(body);
        let sent = json::event(&mut reader, self.source, rules)?;
        reader.finish().ok()?;
        self.is_done = true;
        Some((0..body.len(), sent))
    }

    fn next_object(&mut self, body: &[u8], rules: &Rules) -> Option<(Range<usize>, Sent)> {
        if self.at == 0 {
            let mut reader = Jiter::new(body);
            (reader.next_object().ok()? == Some("events")).then_some(())?;
            reader.next_array().ok()??;
            self.at = reader.current_index();
        }
        // Whatever is in it, no more of it is looked at than an event may be long.
        let rest = body.get(self.at..)?;
        let bytes = rest.get(..rules.max_event_bytes).unwrap_or(rest);
        let mut reader = Jiter::new(bytes);
        let sent = match json::event(&mut reader, self.source, rules) {
            Some(sent) => sent,
            None => {
                reader = Jiter::new(bytes);
                reader.next_skip().ok()?;
                Sent::Unread
            }
        };
        let place = self.at..self.at + reader.current_index();
        let mut reader = Jiter::new(body.get(place.end..)?);
        if reader.array_step().ok()?.is_some() {
            self.at = place.end + reader.current_index();
        } else {
            reader.next_key().ok()?.is_none().then_some(())?;
            reader.finish().ok()?;
            self.is_done = true;
        }
        Some((place, sent))
    }
}

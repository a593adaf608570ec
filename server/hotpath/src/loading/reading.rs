//! How segments become the rows of a batch.

use std::ops::Range;

use crate::frames::{Layout, records};
use crate::loading::facts::{Fact, NOWHERE, Named};
use crate::loading::rows::Rows;
use crate::loading::table::{NO_TIME, Span, text_at, uuid};
use crate::loading::wire::{Content, walk};

impl Rows {
    /// Read a segment: the records that are no events, by their rows. None where something is unusual.
    pub fn read(
        &mut self,
        image: &[u8],
        name: String,
        layout: &Layout,
        rows: usize,
    ) -> Option<Vec<(usize, Range<usize>)>> {
        let found = records(image, layout, rows)?;
        let base = self.table.bytes.len();
        self.table.keep(image)?;
        let segment = u32::try_from(self.segments.len()).ok()?;
        self.segments.push(name);
        let mut others = Vec::new();
        for (row, range) in found.into_iter().enumerate() {
            let (mut event, mut kinds) = (None, 0);
            let mut trace = None;
            walk(image, range.clone(), |number, content| {
                match (number, content) {
                    (1, Content::Bytes(message)) => (event, kinds) = (Some(message), kinds + 1),
                    (2..=4, Content::Bytes(_)) => kinds += 1,
                    (5, Content::Bytes(text)) => trace = Some(str::from_utf8(image.get(text)?).ok()?.to_owned()),
                    _ => return None,
                }
                Some(())
            })?;
            if kinds != 1 {
                return None;
            }
            match event {
                Some(message) => {
                    self.traceparents.extend(trace);
                    self.add(base + message.start..base + message.end, segment, u32::try_from(row).ok()?)?;
                }
                None => others.push((row, range)),
            }
        }
        Some(others)
    }

    /// An accepted event, which lies at `range` of the table's bytes.
    fn add(&mut self, range: Range<usize>, segment: u32, row: u32) -> Option<()> {
        let place = self.facts.len();
        let mut fact = Fact {
            raw: Span::of(&range)?,
            segment,
            row,
            session: NOWHERE,
            address: NOWHERE,
            counted_address: NOWHERE,
            ..Fact::default()
        };
        let (message, beside) = parts(&self.table.bytes, range)?;
        self.table.push();
        self.table.fill(place, message?)?;
        let consent = *self.consents.get(self.table.text(self.numbers.consent, place))?;
        uuid(self.table.text(self.numbers.event_id, place).as_bytes())?;
        (fact.keeps_session, fact.lends) = consent;
        fact.may_repeat = beside.is_retried || !beside.is_id_ours;
        let time = self.table.value(self.numbers.client_time, place);
        fact.is_left = beside.is_retried
            || (beside.has_identifiers && fact.lends)
            || (time != NO_TIME && !self.table.is_within(time))
            || !self.are_marks_in_order(place);
        let site_name = self.span(self.numbers.site, place);
        let is_new;
        (fact.site, is_new) = self.sites.place(self.table.str(site_name));
        if is_new {
            self.site_names.push(site_name);
        }
        let session = self.span(self.numbers.session, place);
        if !session.is_empty() {
            fact.session = self.count(session, fact, place);
        }
        if !beside.ip_key.is_empty() {
            let key = format!("{} {}", fact.site, self.table.str(beside.ip_key));
            let (address, is_new) = self.address_index.place(&key);
            if is_new {
                self.addresses.push(Named {
                    site: fact.site,
                    name: beside.ip_key,
                    events: 0,
                    lends: false,
                    earliest_ms: 0,
                });
            }
            (fact.address, fact.counted_address) = (address, address);
        }
        self.facts.push(fact);
        Some(())
    }

    fn count(&mut self, name: Span, fact: Fact, place: usize) -> u32 {
        let key = format!("{} {}", fact.site, self.table.str(name));
        let (session, is_new) = self.session_index.place(&key);
        if is_new {
            self.sessions.push(Named { site: fact.site, name, events: 0, lends: false, earliest_ms: i64::MAX });
        }
        let is_browser = self.table.text(self.numbers.source, place) == "browser";
        let time_ms = self.table.value(self.numbers.event_time, place);
        if let Some(counted) = self.sessions.get_mut(session as usize) {
            counted.events += 1;
            counted.lends |= fact.lends;
            if is_browser {
                counted.earliest_ms = counted.earliest_ms.min(time_ms);
            }
        }
        session
    }

    fn span(&self, number: usize, place: usize) -> Span {
        self.table.texts.get(number).and_then(|spans| spans.get(place)).copied().unwrap_or_default()
    }

    /// Whether its reasons to be marked are as Python would write them anew.
    fn are_marks_in_order(&self, place: usize) -> bool {
        let reasons = self.table.list(self.numbers.reasons, place);
        let is_marked = self.table.value(self.numbers.fraud, place) != 0;
        is_marked != reasons.is_empty()
            && reasons.is_sorted_by(|one, other| self.table.str(*one) < self.table.str(*other))
    }

    /// In place of an event what Python has made of it.
    pub fn put_back(&mut self, place: usize, event: &[u8], client_text: &str, identified: &str) -> Option<()> {
        let raw = self.table.keep(event)?;
        let (message, _) = parts(&self.table.bytes, raw.range())?;
        self.table.clear(place);
        self.table.fill(place, message?)?;
        if !client_text.is_empty() {
            let text = self.table.keep(client_text.as_bytes())?;
            self.table.set_text(self.numbers.client_text, place, text);
            self.table.hold_time(self.numbers.client_time, place);
        }
        let identified = self.table.keep(identified.as_bytes())?;
        self.table.set_text(self.numbers.identified, place, identified);
        let fact = self.facts.get_mut(place)?;
        (fact.raw, fact.is_left) = (raw, true);
        Some(())
    }
}

/// What an accepted event says beside its row.
#[derive(Default)]
struct Beside {
    has_identifiers: bool,
    ip_key: Span,
    is_id_ours: bool,
    is_retried: bool,
}

fn parts(bytes: &[u8], range: Range<usize>) -> Option<(Option<Range<usize>>, Beside)> {
    let (mut row, mut beside) = (None, Beside::default());
    walk(bytes, range, |number, content| {
        match (number, content) {
            (1, Content::Bytes(message)) if row.is_none() => row = Some(message),
            (2, Content::Bytes(message)) => {
                walk(bytes, message, |_, content| match content {
                    Content::Bytes(text) => text_at(bytes, &text).map(|_| ()),
                    _ => None,
                })?;
                beside.has_identifiers = true;
            }
            (3, Content::Bytes(text)) => beside.ip_key = text_at(bytes, &text)?,
            (4, Content::Varint(truth)) => beside.is_id_ours = truth != 0,
            (5, Content::Varint(truth)) => beside.is_retried = truth != 0,
            _ => return None,
        }
        Some(())
    })?;
    Some((row, beside))
}

//! The accepted events of some segments: what the loader wants to know of all of them, and the rows that they become.

use std::collections::{HashMap, HashSet};

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::frames::Layout;
use crate::loading::facts::{Fact, Index, NOWHERE, Named, Numbers};
use crate::loading::native;
use crate::loading::table::{Column, Kind, NO_TIME, Span, Table, uuid};

/// Of the sessions of a batch: their names, how many events each has, which may have a user, and the earliest time of a
/// browser's event.
type Sessions = (Vec<(String, String)>, Vec<u32>, Vec<bool>, Vec<Option<i64>>);
/// Sessions and addresses by their places, each with its number of events, and a time.
type Rates = (Vec<(u32, u32)>, Vec<(u32, u32)>, i64);
/// Place, session, address, received_time, event_time, and whether it is a browser's.
type Watched = (usize, Option<u32>, Option<u32>, i64, i64, bool);
/// By the place of a session or an address: how many events count for it before a run, how many of the window before that
/// do, and the rate that is too much.
type Limits = HashMap<u32, (u32, u32, f64)>;
/// Segment, site, minute, is_duplicate, is_fraud, and how many rows these have.
type Counted = (String, String, i64, i64, i64, u64);

/// The accepted events of a batch.
#[pyclass(module = "qrumb_hotpath")]
pub struct Rows {
    pub table: Table,
    pub numbers: Numbers,
    /// By consent: whether the scan session may be kept, and whether a user may.
    pub consents: HashMap<String, (bool, bool)>,
    pub facts: Vec<Fact>,
    pub segments: Vec<String>,
    pub sites: Index,
    pub site_names: Vec<Span>,
    pub session_index: Index,
    pub sessions: Vec<Named>,
    pub address_index: Index,
    pub addresses: Vec<Named>,
    pub traceparents: Vec<String>,
}

#[pymethods]
impl Rows {
    /// `columns`: name, type as it is sent, and number of the field. `times`: what a column of time holds.
    #[new]
    fn new(
        columns: Vec<(String, String, usize)>,
        consents: HashMap<String, (bool, bool)>,
        times: (i64, i64),
    ) -> PyResult<Self> {
        let columns: Option<Vec<_>> = columns.into_iter().map(|(name, as_, at)| Column::new(name, as_, at)).collect();
        let table =
            Table::new(columns.ok_or_else(|| PyValueError::new_err("a type is not known"))?, times.0..times.1 + 1);
        let numbers = Numbers::of(&table).ok_or_else(|| PyValueError::new_err("a column is missing"))?;
        Ok(Self {
            table,
            numbers,
            consents,
            facts: Vec::new(),
            segments: Vec::new(),
            sites: Index::default(),
            site_names: Vec::new(),
            session_index: Index::default(),
            sessions: Vec::new(),
            address_index: Index::default(),
            addresses: Vec::new(),
            traceparents: Vec::new(),
        })
    }

    fn __len__(&self) -> usize {
        self.facts.len()
    }

    /// Read a segment of so many rows; the records that are no events, by their rows. None: the batch is Python's.
    fn add_segment<'py>(
        &mut self,
        py: Python<'py>,
        image: &[u8],
        name: String,
        layout: Layout,
        rows: usize,
    ) -> Option<Vec<(usize, Bound<'py, PyBytes>)>> {
        let others = py.detach(|| self.read(image, name, &layout, rows))?;
        Some(
            others
                .into_iter()
                .map(|(row, range)| (row, PyBytes::new(py, image.get(range).unwrap_or_default())))
                .collect(),
        )
    }

    /// The calls that are traced, as far as they say so.
    fn traceparents(&self) -> Vec<String> {
        self.traceparents.clone()
    }

    /// The names of the segments and the rows in them.
    fn row_id(&self, place: usize) -> PyResult<(&str, u32)> {
        let fact = self.facts.get(place).ok_or_else(|| PyIndexError::new_err("no such event"))?;
        Ok((self.segments.get(fact.segment as usize).map_or("", String::as_str), fact.row))
    }

    /// An event as the spool has it, or as Python has put it back.
    fn event<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyBytes>> {
        let fact = self.facts.get(place).ok_or_else(|| PyIndexError::new_err("no such event"))?;
        Ok(PyBytes::new(py, self.table.bytes.get(fact.raw.range()).unwrap_or_default()))
    }

    /// The sites of the batch.
    fn site_ids(&self) -> Vec<&str> {
        self.site_names.iter().map(|name| self.table.str(*name)).collect()
    }

    /// The sessions, in the order of their first events.
    fn sessions(&self) -> Sessions {
        let names = self.sessions.iter().map(|one| (self.site_name(one.site), self.table.str(one.name).to_owned()));
        let earliest = self.sessions.iter().map(|one| (one.earliest_ms < i64::MAX).then_some(one.earliest_ms));
        (
            names.collect(),
            self.sessions.iter().map(|one| one.events).collect(),
            self.sessions.iter().map(|one| one.lends).collect(),
            earliest.collect(),
        )
    }

    /// The keys of addresses, in the order of their first events.
    fn addresses(&self) -> Vec<(String, String)> {
        self.addresses.iter().map(|one| (self.site_name(one.site), self.table.str(one.name).to_owned())).collect()
    }

    /// Places of events that are marked already.
    fn marked(&self) -> Vec<usize> {
        (0..self.facts.len()).filter(|place| self.table.value(self.numbers.fraud, *place) != 0).collect()
    }

    /// Places of the events of some sessions: a truth for each of them.
    fn places(&self, sessions: Vec<bool>) -> Vec<usize> {
        self.places_of(|fact| is_meant(&sessions, fact.session))
    }

    /// Count the events of some sessions and addresses one by one.
    fn watch(&mut self, sessions: Vec<bool>, addresses: Vec<bool>) {
        for fact in &mut self.facts {
            fact.is_watched = is_meant(&sessions, fact.session) || is_meant(&addresses, fact.address);
        }
    }

    /// Those of a run that are watched and not left: places, sessions and addresses, where there are any, time of
    /// receipt and time of the event, and whether it is a browser's.
    fn watched(&self, first: usize, end: usize) -> Vec<Watched> {
        let some = |number| (number != NOWHERE).then_some(number);
        self.run(first, end)
            .filter(|(_, fact)| fact.is_watched && !fact.is_left)
            .map(|(place, fact)| {
                let time = |number| self.table.value(number, place);
                let is_browser = self.table.text(self.numbers.source, place) == "browser";
                let times = (time(self.numbers.received_time), time(self.numbers.event_time));
                (place, some(fact.session), some(fact.address), times.0, times.1, is_browser)
            })
            .collect()
    }

    /// Places of the watched events of a run at which the rate of their session, and those at which that of their address,
    /// is too much, once they are counted in their order. `window`: its milliseconds, and whether the run is of an earlier
    /// one than is counted of sessions, and of addresses.
    fn too_many(
        &self,
        first: usize,
        end: usize,
        mut limits: (Limits, Limits),
        window: (i64, bool, bool),
    ) -> (Vec<usize>, Vec<usize>) {
        let (mut of_sessions, mut of_addresses) = (Vec::new(), Vec::new());
        for (place, fact) in self.run(first, end).filter(|(_, fact)| fact.is_watched) {
            let into_ms = self.table.value(self.numbers.received_time, place).rem_euclid(window.0);
            let is_too_many = |limits: &mut Limits, number, is_late: bool| {
                limits.get_mut(&number).is_some_and(|(counted, last, limit)| {
                    *counted += 1;
                    let passed = if is_late { 0.0 } else { into_ms as f64 / window.0 as f64 };
                    f64::from(*counted) + f64::from(*last) * (1.0 - passed) > *limit
                })
            };
            if is_too_many(&mut limits.0, fact.session, window.1) {
                of_sessions.push(place);
            }
            if is_too_many(&mut limits.1, fact.counted_address, window.2) {
                of_addresses.push(place);
            }
        }
        (of_sessions, of_addresses)
    }

    /// Places of the watched events of browsers in a run that are earlier than a time of their session allows.
    fn too_early(&self, first: usize, end: usize, times: HashMap<u32, i64>) -> Vec<usize> {
        let is_early = |place, fact: &Fact| {
            times.get(&fact.session).is_some_and(|time| self.table.value(self.numbers.event_time, place) < *time)
                && self.table.text(self.numbers.source, place) == "browser"
        };
        self.run(first, end)
            .filter(|(place, fact)| fact.is_watched && is_early(*place, fact))
            .map(|(at, _)| at)
            .collect()
    }

    /// Places of the events in a run whose sessions are among these.
    fn places_in(&self, first: usize, end: usize, sessions: HashSet<u32>) -> Vec<usize> {
        self.run(first, end).filter(|(_, fact)| sessions.contains(&fact.session)).map(|(at, _)| at).collect()
    }

    /// Give rows a further reason to be suspected, by their places; not those of some sites.
    fn mark(&mut self, reason: &str, places: Vec<usize>, ignoring: HashSet<String>) -> PyResult<()> {
        let ignores: Vec<bool> = self.site_names.iter().map(|name| ignoring.contains(self.table.str(*name))).collect();
        let span = self.table.keep(reason.as_bytes()).ok_or_else(|| PyValueError::new_err("too much"))?;
        for place in places {
            if self.facts.get(place).is_none_or(|fact| is_meant(&ignores, fact.site)) {
                continue;
            }
            let mut all = self.table.list(self.numbers.reasons, place).to_vec();
            if all.iter().all(|one| self.table.str(*one) != reason) {
                all.push(span);
            }
            all.sort_by(|one, other| self.table.str(*one).cmp(self.table.str(*other)));
            self.table.set_list(self.numbers.reasons, place, &all);
            self.table.set_number(self.numbers.fraud, place, 1);
        }
        Ok(())
    }

    /// Places of the events whose id is there more than once, or is one of these.
    fn repeated(&self, ids: HashSet<String>) -> Vec<usize> {
        let found: Vec<Option<u128>> = (0..self.facts.len())
            .map(|place| uuid(self.table.text(self.numbers.event_id, place).as_bytes()).map(u128::from_be_bytes))
            .collect();
        let mut numbers: HashMap<Option<u128>, u32> = HashMap::with_capacity(found.len());
        for id in ids {
            numbers.insert(uuid(id.as_bytes()).map(u128::from_be_bytes), 1);
        }
        for id in &found {
            *numbers.entry(*id).or_default() += 1;
        }
        found.iter().enumerate().filter(|(_, id)| numbers.get(*id).is_some_and(|n| *n > 1)).map(|(at, _)| at).collect()
    }

    /// Ids of events that cannot have arrived before, since the collector made them.
    fn made_ids(&self) -> Vec<&str> {
        self.places_of(|fact| !fact.may_repeat)
            .into_iter()
            .map(|place| self.table.text(self.numbers.event_id, place))
            .collect()
    }

    /// Site, id and time of receipt of the events that may have arrived before: all, or also those of some ids.
    fn asked<'py>(
        &self,
        py: Python<'py>,
        is_every: bool,
        also: HashSet<String>,
    ) -> Vec<(Bound<'py, PyString>, Bound<'py, PyString>, i64)> {
        let sites = self.site_texts(py);
        let id_of = |place| self.table.text(self.numbers.event_id, place);
        let mut places: Vec<usize> = (0..self.facts.len()).collect();
        // In the order of receipt, as they count.
        places.sort_by_key(|place| self.table.value(self.numbers.received_time, *place));
        places
            .into_iter()
            .filter_map(|place| Some((place, self.facts.get(place)?)))
            .filter(|(place, fact)| is_every || fact.may_repeat || (!also.is_empty() && also.contains(id_of(*place))))
            .filter_map(|(place, fact)| {
                let site = sites.get(fact.site as usize)?.clone();
                Some((site, PyString::new(py, id_of(place)), self.table.value(self.numbers.received_time, place)))
            })
            .collect()
    }

    /// Runs of events, by their places, that were received within one window of time.
    fn windows(&self, window_ms: i64) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        let mut last = None;
        for place in 0..self.facts.len() {
            let window = self.table.value(self.numbers.received_time, place).div_euclid(window_ms);
            match runs.last_mut() {
                Some(run) if last == Some(window) => run.1 = place + 1,
                _ => runs.push((place, place + 1)),
            }
            last = Some(window);
        }
        runs
    }

    /// Say of each session whether it stands alone: then its events do not count for their addresses.
    fn stand_alone(&mut self, sessions: Vec<bool>) {
        for fact in self.facts.iter_mut().filter(|fact| is_meant(&sessions, fact.session)) {
            fact.counted_address = NOWHERE;
        }
    }

    /// How many events of a run each session has, and each address, and when the first was received: of all, or of those
    /// that are not left to Python and are watched or not.
    fn rates(&self, first: usize, end: usize, is_watched: Option<bool>) -> Rates {
        let is_meant = |fact: &Fact| is_watched.is_none_or(|is| !fact.is_left && fact.is_watched == is);
        let some = || self.run(first, end).map(|(_, fact)| fact).filter(|fact| is_meant(fact));
        let of_sessions = counted(some().map(|fact| fact.session));
        let of_addresses = counted(some().map(|fact| fact.counted_address));
        (of_sessions, of_addresses, self.table.value(self.numbers.received_time, first))
    }

    /// Site and hour of the events, and whether there is one in it whose session is not kept.
    fn hours(&self, hour_ms: i64) -> Vec<(String, i64, bool)> {
        let mut hours: HashMap<(u32, i64), bool> = HashMap::new();
        for (place, fact) in self.facts.iter().enumerate() {
            let hour = self.table.value(self.numbers.event_time, place).div_euclid(hour_ms);
            *hours.entry((fact.site, hour)).or_default() |= fact.session == NOWHERE || !fact.keeps_session;
        }
        hours.into_iter().map(|((site, hour), is_without)| (self.site_name(site), hour, is_without)).collect()
    }

    /// Leave these to Python, and with them all of their sessions: what becomes of them is `put`. The places of all
    /// that are left.
    fn leave(&mut self, places: Vec<usize>) -> Vec<usize> {
        for place in places {
            if let Some(fact) = self.facts.get_mut(place) {
                fact.is_left = true;
            }
        }
        let left = self.facts.iter().filter(|fact| fact.is_left && fact.session != NOWHERE);
        let sessions: HashSet<u32> = left.map(|fact| fact.session).collect();
        self.facts.iter_mut().for_each(|fact| fact.is_left |= sessions.contains(&fact.session));
        self.places_of(|fact| fact.is_left)
    }

    /// Give all others the QR code of their session, and its user where they may have one; `source` says whence.
    fn settle(&mut self, codes: Vec<String>, users: Vec<String>, source: &str) -> PyResult<()> {
        let full = || PyValueError::new_err("too much for a batch");
        let mut keep = |texts: Vec<String>| -> Option<Vec<Span>> {
            texts.iter().map(|text| self.table.keep(text.as_bytes())).collect()
        };
        let (codes, users) = (keep(codes).ok_or_else(full)?, keep(users).ok_or_else(full)?);
        let source = self.table.keep(source.as_bytes()).ok_or_else(full)?;
        for (place, fact) in self.facts.iter().enumerate().filter(|(_, fact)| !fact.is_left) {
            if let Some(code) = codes.get(fact.session as usize) {
                self.table.set_text(self.numbers.code, place, *code);
            }
            let user = users.get(fact.session as usize).copied().unwrap_or_default();
            if fact.lends && !user.is_empty() {
                self.table.set_text(self.numbers.user, place, user);
                self.table.set_text(self.numbers.user_source, place, source);
            }
            if !fact.keeps_session {
                self.table.set_text(self.numbers.session, place, Span::NOTHING);
            }
        }
        Ok(())
    }

    /// Put back what Python has made of an event: the message, the text of a time that no column holds, and the user
    /// that its identifiers name.
    fn put(&mut self, place: usize, event: &[u8], client_text: &str, identified: &str) -> PyResult<()> {
        self.put_back(place, event, client_text, identified)
            .ok_or_else(|| PyValueError::new_err("not of ordinary form"))
    }

    /// The code, the user, its source and the session of a row, and its reasons to be suspected, as they are now.
    fn attributed(&self, place: usize) -> (&str, &str, &str, &str, Vec<&str>) {
        let text = |number| self.table.text(number, place);
        let reasons = self.table.list(self.numbers.reasons, place).iter().map(|reason| self.table.str(*reason));
        let Numbers { code, user, user_source, session, .. } = self.numbers;
        (text(code), text(user), text(user_source), text(session), reasons.collect())
    }

    /// How many rows there are of each segment, site, minute and mark.
    fn counts(&self, minute_ms: i64) -> Vec<Counted> {
        let mut counts: HashMap<(u32, u32, i64, i64, i64), u64> = HashMap::new();
        for (place, fact) in self.facts.iter().enumerate() {
            let minute = self.table.value(self.numbers.received_time, place).div_euclid(minute_ms) * minute_ms;
            let duplicate = self.table.value(self.numbers.duplicate, place);
            let fraud = self.table.value(self.numbers.fraud, place);
            *counts.entry((fact.segment, fact.site, minute, duplicate, fraud)).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|((segment, site, minute, duplicate, fraud), number)| {
                let segment = self.segments.get(segment as usize).cloned().unwrap_or_default();
                (segment, self.site_name(site), minute, duplicate, fraud, number)
            })
            .collect()
    }

    /// All rows as one block of ClickHouse's `Native` format.
    fn native<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let block = py.detach(|| {
            native::block(&self.table, self.facts.len(), |kind, out| {
                for fact in &self.facts {
                    match kind {
                        Kind::Segment => native::text(
                            out,
                            self.segments.get(fact.segment as usize).map_or(&[], |name| name.as_bytes()),
                        ),
                        _ => out.extend_from_slice(&fact.row.to_le_bytes()),
                    }
                }
            })
        });
        PyBytes::new(py, &block)
    }

    /// A column as a list, in the carriers of `ports.TableBatch`; numbers of money as texts.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let column = self.table.columns.iter().find(|column| column.name == name);
        let column = column.ok_or_else(|| PyValueError::new_err("no such column"))?;
        let (number, places) = (column.number, 0..self.facts.len());
        match column.kind {
            Kind::Text | Kind::Uuid | Kind::Money => {
                PyList::new(py, places.map(|place| self.table.text(number, place)).collect::<Vec<_>>())
            }
            Kind::Texts => {
                let list = |place| self.table.list(number, place).iter().map(|text| self.table.str(*text)).collect();
                PyList::new(py, places.map(list).collect::<Vec<Vec<_>>>())
            }
            Kind::MaybeTime => {
                let times = places.map(|place| Some(self.table.value(number, place)).filter(|time| *time != NO_TIME));
                PyList::new(py, times.collect::<Vec<_>>())
            }
            Kind::Time | Kind::Truth => {
                PyList::new(py, places.map(|place| self.table.value(number, place)).collect::<Vec<_>>())
            }
            Kind::Fixed => {
                PyList::new(py, places.map(|place| self.table.value(number, place).cast_unsigned()).collect::<Vec<_>>())
            }
            Kind::Row => PyList::new(py, self.facts.iter().map(|fact| fact.row).collect::<Vec<_>>()),
            Kind::Segment => {
                let names: Vec<_> = self.segments.iter().map(|name| PyString::new(py, name)).collect();
                PyList::new(py, self.facts.iter().map(|fact| names.get(fact.segment as usize)).collect::<Vec<_>>())
            }
        }
    }
}

impl Rows {
    fn site_name(&self, site: u32) -> String {
        self.table.str(self.site_names.get(site as usize).copied().unwrap_or_default()).to_owned()
    }

    fn run(&self, first: usize, end: usize) -> impl Iterator<Item = (usize, &Fact)> {
        (first..end).zip(self.facts.get(first..end).unwrap_or_default())
    }

    fn site_texts<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyString>> {
        self.site_names.iter().map(|name| PyString::new(py, self.table.str(*name))).collect()
    }

    fn places_of(&self, is_meant: impl Fn(&Fact) -> bool) -> Vec<usize> {
        self.facts.iter().enumerate().filter(|(_, fact)| is_meant(fact)).map(|(place, _)| place).collect()
    }
}

fn is_meant(truths: &[bool], number: u32) -> bool {
    truths.get(number as usize).is_some_and(|is| *is)
}

/// How often each number is there, in the order of the first ones.
fn counted(numbers: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut found: Vec<(u32, u32)> = Vec::new();
    for number in numbers.filter(|number| *number != NOWHERE) {
        let place = *places.entry(number).or_insert(found.len());
        match found.get_mut(place) {
            Some(one) => one.1 += 1,
            None => found.push((number, 1)),
        }
    }
    found
}

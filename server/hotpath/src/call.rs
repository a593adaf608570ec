//! A call on its way: read, let in, judged; each a slice at a time, so that long ones leave room for others.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use prost::Message;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::body::{Body, Form};
use crate::circumstances::{Caller, Circumstances};
use crate::decode::{Sent, Source};
use crate::judge::Bench;
use crate::messages::qrumb_server::wire::v1::{Record, record::Kind};
use crate::receipt;
use crate::rules::Rules;
use crate::visitors::{Address, Agent, Visitors};

/// A call whose events are bytes, or read, or judged.
#[pyclass(module = "qrumb_hotpath")]
pub struct Call {
    rules: Arc<Rules>,
    request: Py<PyBytes>,
    body: Body,
    most: usize,
    /// Of the events that are read.
    places: Vec<Range<usize>>,
    sent: Vec<Sent>,
    judged: usize,
}

#[pymethods]
impl Call {
    fn __len__(&self) -> usize {
        self.places.len()
    }

    /// The bytes of one event.
    fn event<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyBytes>> {
        let place = self.places.get(index).cloned();
        let bytes = place.and_then(|place| self.request.as_bytes(py).get(place));
        bytes.map(|bytes| PyBytes::new(py, bytes)).ok_or_else(|| PyValueError::new_err("no such event"))
    }

    /// Read events until `most_bytes` are read; whether all are. Raises ValueError where the call is Python's as a whole.
    fn read(&mut self, py: Python<'_>, most_bytes: usize) -> PyResult<bool> {
        let body = self.request.as_bytes(py);
        let mut left = most_bytes;
        while !self.body.is_done && left > 0 {
            let next = if self.places.len() < self.most { self.body.next(body, &self.rules) } else { None };
            let (place, sent) = next.ok_or_else(|| PyValueError::new_err("not a list of ordinary events"))?;
            left = left.saturating_sub(place.len() + 1);
            self.places.push(place);
            self.sent.push(sent);
        }
        Ok(self.body.is_done)
    }

    /// Places of the events that could not be read.
    fn unread(&self) -> Vec<usize> {
        (0..self.sent.len()).filter(|place| matches!(self.sent.get(*place), Some(Sent::Unread))).collect()
    }

    /// How many events each site has; of those that are read and not judged yet.
    fn sites(&self) -> HashMap<&str, usize> {
        let mut numbers = HashMap::new();
        for site_id in self.sent.iter().filter_map(Sent::site_id) {
            *numbers.entry(site_id).or_default() += 1;
        }
        numbers
    }
}

/// Records, receipts and sites of the next events, each None where the event is Python's.
type Judged<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>);

/// What judges calls: one for a process.
#[pyclass(module = "qrumb_hotpath")]
pub struct Judge {
    rules: Arc<Rules>,
    visitors: Visitors,
}

#[pymethods]
impl Judge {
    #[new]
    fn new(rules: Rules) -> Self {
        Self { rules: Arc::new(rules), visitors: Visitors::default() }
    }

    /// The call of a request, nothing of it read yet.
    fn open(&self, request: Py<PyBytes>, is_server: bool, is_batch: bool, is_json: bool) -> Call {
        let source = if is_server { Source::Server } else { Source::Browser };
        let form = match (is_json, is_batch) {
            (false, _) => Form::Message,
            (true, false) => Form::Json,
            (true, true) => Form::JsonBatch,
        };
        Call {
            rules: self.rules.clone(),
            request,
            body: Body::new(source, form),
            most: if is_batch { self.rules.max_batch_events } else { 1 },
            places: Vec::new(),
            sent: Vec::new(),
            judged: 0,
        }
    }

    /// A call in one step. None where it is not for this: an event is Python's, or has a visitor who is to be learnt, or
    /// is not of a site among `sites` that all are of. `moment`: when it came, the epoch, and what names events.
    fn at_once<'py>(
        &mut self,
        request: Bound<'py, PyBytes>,
        kind: (bool, bool, bool),
        caller: Py<Caller>,
        sites: &Bound<'py, PyDict>,
        moment: (i64, i64, Bound<'py, PyAny>),
    ) -> PyResult<Option<Judged<'py>>> {
        let (py, (received_time_ms, epoch, new_event_id)) = (request.py(), moment);
        self.visitors.begin(epoch);
        let mut call = self.open(request.unbind(), kind.0, kind.1, kind.2);
        let Ok(_) = call.read(py, usize::MAX) else { return Ok(None) };
        let [site_id] = *call.sites().into_keys().collect::<Vec<_>>() else { return Ok(None) };
        let Some(site) = sites.get_item(site_id)? else { return Ok(None) };
        let sites = [(site_id.to_owned(), site.extract()?)].into();
        let at = Circumstances { received_time_ms, caller, sites, new_event_id };
        let judged = self.judge(py, &mut call, at, usize::MAX)?;
        Ok((!judged.0.iter().any(|record| record.is_none())).then_some(judged))
    }

    /// Agents and addresses of a call that are still to be looked up and learnt.
    ///
    /// `epoch`: addresses of another one are forgotten.
    fn lacking(&mut self, call: &Call, epoch: i64) -> (HashSet<String>, HashSet<String>) {
        self.visitors.begin(epoch);
        let (mut agents, mut addresses) = (HashSet::new(), HashSet::new());
        for (agent, address) in call.sent.iter().map(Sent::visitor) {
            if self.visitors.agents.lacks(agent) {
                agents.insert(agent.to_owned());
            }
            if self.visitors.addresses.lacks(address) {
                addresses.insert(address.to_owned());
            }
        }
        (agents, addresses)
    }

    /// What an agent says.
    fn learn_agent(&mut self, text: String, agent: Agent) {
        self.visitors.agents.learn(text, agent);
    }

    /// What is known of an address.
    fn learn_address(&mut self, text: String, address: Address) {
        self.visitors.addresses.learn(text, address);
    }

    /// Judge the next events, until `most_bytes` are judged.
    fn judge<'py>(
        &self,
        py: Python<'py>,
        call: &mut Call,
        at: Circumstances<'py>,
        most_bytes: usize,
    ) -> PyResult<Judged<'py>> {
        let (records, receipts, sites) = (PyList::empty(py), PyList::empty(py), PyList::empty(py));
        let names: HashMap<&str, Bound<'_, PyString>> =
            at.sites.keys().map(|id| (id.as_str(), PyString::new(py, id))).collect();
        let bench = Bench::new(&self.rules, &self.visitors, &at);
        let form = (call.body.form != Form::Message).then_some(&self.rules.receipt_form);
        let mut left = most_bytes;
        while left > 0 {
            let index = call.judged;
            let Some(sent) = call.sent.get_mut(index).map(|sent| mem::replace(sent, Sent::Unread)) else {
                break;
            };
            call.judged += 1;
            let size = call.places.get(index).map_or(0, Range::len);
            left = left.saturating_sub(size + 1);
            let judged = if size <= self.rules.max_struct_bytes { bench.judge(sent) } else { None };
            let Some(mut accepted) = judged else {
                [&records, &receipts, &sites].into_iter().try_for_each(|list| list.append(py.None()))?;
                continue;
            };
            let row = accepted.row.get_or_insert_default();
            if row.event_id.is_empty() {
                row.event_id = at.new_event_id.call1((index,))?.extract()?;
                accepted.event_id_generated = true;
            }
            sites.append(names.get(row.site_id.as_str()))?;
            receipts.append(PyBytes::new(py, &receipt::accepted(&row.event_id, at.received_time_ms, form)?))?;
            let record = Record { kind: Some(Kind::AcceptedEvent(accepted)), ..Record::default() };
            records.append(PyBytes::new(py, &record.encode_to_vec()))?;
        }
        Ok((records, receipts, sites))
    }
}

//! A call on its way: read, let in, judged; each a slice at a time, so that long ones leave room for others.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::ops::Range;

use prost::Message;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::circumstances::Circumstances;
use crate::decode::{Sent, Source, events};
use crate::judge::Bench;
use crate::receipt;
use crate::record::Kept;
use crate::rules::Rules;
use crate::visitors::{Address, Agent, Visitors};

/// Longer agents are not kept in memory, and so are Python's.
const MAX_KNOWN_TEXT: usize = 512;

/// A call whose events are bytes, or read, or judged.
#[pyclass(module = "qrumb_hotpath")]
pub struct Call {
    request: Py<PyBytes>,
    source: Source,
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
        Ok(PyBytes::new(py, self.bytes(py, index)?))
    }

    /// Read events until `most_bytes` are read; whether all are. Raises ValueError where one is no event.
    fn read(&mut self, py: Python<'_>, most_bytes: usize) -> PyResult<bool> {
        let mut left = most_bytes;
        while self.sent.len() < self.places.len() && left > 0 {
            let bytes = self.bytes(py, self.sent.len())?;
            let sent = Sent::decode(bytes, self.source).ok_or_else(|| PyValueError::new_err("not an event"))?;
            left = left.saturating_sub(bytes.len() + 1);
            self.sent.push(sent);
        }
        Ok(self.sent.len() == self.places.len())
    }

    /// How many events each site has; of those that are read and not judged yet.
    fn sites<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for sent in &self.sent {
            *numbers.entry(sent.site_id()).or_default() += 1;
        }
        let sites = PyDict::new(py);
        for (site_id, number) in numbers {
            sites.set_item(site_id, number)?;
        }
        Ok(sites)
    }
}

impl Call {
    fn bytes<'a>(&'a self, py: Python<'a>, index: usize) -> PyResult<&'a [u8]> {
        let place = self.places.get(index).cloned();
        place
            .and_then(|place| self.request.as_bytes(py).get(place))
            .ok_or_else(|| PyValueError::new_err("no such event"))
    }
}

/// Records, receipts and sites of the next events, each None where the event is Python's.
type Judged<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>);

/// What judges calls: one for a process.
#[pyclass(module = "qrumb_hotpath")]
pub struct Judge {
    rules: Rules,
    visitors: Visitors,
}

#[pymethods]
impl Judge {
    #[new]
    fn new(rules: Rules) -> Self {
        Self { rules, visitors: Visitors::default() }
    }

    /// The call of a request, nothing of it read yet; None where it is Python's as a whole.
    fn open(&self, py: Python<'_>, request: Py<PyBytes>, is_server: bool, is_batch: bool) -> Option<Call> {
        let most = if is_batch { self.rules.max_batch_events } else { 1 };
        let places = events(request.as_bytes(py), most, self.rules.max_event_bytes)?;
        let source = if is_server { Source::Server } else { Source::Browser };
        let sent = Vec::with_capacity(places.len());
        (!places.is_empty()).then_some(Call { request, source, places, sent, judged: 0 })
    }

    /// Agents and addresses of a call that are still to be looked up and learnt.
    ///
    /// `epoch`: addresses of another one are forgotten.
    fn lacking(&mut self, call: &Call, epoch: i64) -> (HashSet<String>, HashSet<String>) {
        self.visitors.begin(epoch);
        let (mut agents, mut addresses) = (HashSet::new(), HashSet::new());
        for sent in &call.sent {
            let (agent, address) = sent.visitor();
            if self.visitors.lacks_agent(agent) && agent.len() <= MAX_KNOWN_TEXT {
                agents.insert(agent.to_owned());
            }
            if self.visitors.lacks_address(address) && address.len() <= MAX_KNOWN_TEXT {
                addresses.insert(address.to_owned());
            }
        }
        (agents, addresses)
    }

    /// What an agent says.
    fn learn_agent(&mut self, text: String, agent: Agent) {
        self.visitors.learn_agent(text, agent);
    }

    /// What is known of an address.
    fn learn_address(&mut self, text: String, address: Address) {
        self.visitors.learn_address(text, address);
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
        let bench = Bench { rules: &self.rules, visitors: &self.visitors, at: &at };
        let mut left = most_bytes;
        while left > 0 {
            let index = call.judged;
            let Some(sent) = call.sent.get_mut(index).map(|sent| mem::replace(sent, Sent::Yours(String::new()))) else {
                break;
            };
            call.judged += 1;
            let size = call.places.get(index).map_or(0, Range::len);
            left = left.saturating_sub(size + 1);
            let kept = if size <= self.rules.max_struct_bytes { bench.judge(sent) } else { None };
            let Some(kept) = kept else {
                records.append(py.None())?;
                receipts.append(py.None())?;
                sites.append(py.None())?;
                continue;
            };
            let kept = named(kept, index, &at)?;
            sites.append(names.get(kept.row.site_id.as_str()))?;
            receipts.append(PyBytes::new(py, &receipt::accepted(&kept.row.event_id, at.received_time_ms)))?;
            records.append(PyBytes::new(py, &kept.record().encode_to_vec()))?;
        }
        Ok((records, receipts, sites))
    }
}

/// With an id of ours where its sender gave none.
fn named(mut kept: Kept, index: usize, at: &Circumstances<'_>) -> PyResult<Kept> {
    if kept.row.event_id.is_empty() {
        kept.row.event_id = at.new_event_id.call1((index,))?.extract()?;
        kept.event_id_generated = true;
    }
    Ok(kept)
}

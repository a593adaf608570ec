//! What counts for a call as a whole: when it came, from whom, and what its sites want. Python works it out.

use std::collections::{HashMap, HashSet};

use pyo3::prelude::*;

use crate::visitors::{Address, Agent};

/// What a site wants done with its events; the fields of `pipeline.compiled_rules.SiteRules`.
#[derive(FromPyObject)]
pub struct SiteRules {
    /// The consent that counts where an event states none; empty where all is allowed.
    pub unstated_consent: String,
    /// How old an event may be.
    pub retention_ms: i64,
    /// Clocks that are further ahead are marked.
    pub max_clock_ahead_ms: i64,
    /// Reasons by which the site does not want to be marked.
    pub ignored_reasons: HashSet<String>,
    /// Whether it has listed own fields that stay where consent is denied.
    pub keeps_fields: bool,
    /// Tells whether its redirect has not signed a scan session; None: it signs none.
    pub is_forged: Option<Py<PyAny>>,
}

/// The same, made once for each policy.
#[pyclass(frozen, module = "qrumb_hotpath")]
pub struct Site(pub SiteRules);

#[pymethods]
impl Site {
    #[new]
    fn new(stated: SiteRules) -> Self {
        Self(stated)
    }
}

/// Who calls, and what was looked up of them; the fields of `pipeline.compiled_rules.Visitor`.
#[derive(FromPyObject)]
pub struct Visitor {
    /// With its hints; what counts for browser events that state none. So does the address for all of them.
    pub agent: Agent,
    pub address: Address,
    pub is_prefetch: bool,
    pub is_retried: bool,
}

/// The same, made once for all their calls.
#[pyclass(frozen, module = "qrumb_hotpath")]
pub struct Caller(pub Visitor);

#[pymethods]
impl Caller {
    #[new]
    fn new(stated: Visitor) -> Self {
        Self(stated)
    }
}

/// The fields of `pipeline.compiled_rules.Circumstances`.
#[derive(FromPyObject)]
pub struct Circumstances<'py> {
    pub received_time_ms: i64,
    pub caller: Py<Caller>,
    /// By id; all sites of the call.
    pub sites: HashMap<String, Py<Site>>,
    /// Names the event at a place, whose sender did not.
    pub new_event_id: Bound<'py, PyAny>,
}

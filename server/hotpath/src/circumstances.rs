//! What counts for a call as a whole: when it came, from whom, and what its sites want. Python works it out.

use std::collections::{HashMap, HashSet};

use pyo3::prelude::*;

use crate::visitors::{Address, Agent};

/// What a site wants done with its events; the fields of `pipeline.compiled_rules.SiteRules`.
#[derive(FromPyObject)]
struct Stated {
    unstated_consent: String,
    retention_ms: i64,
    max_clock_ahead_ms: i64,
    ignored_reasons: HashSet<String>,
    signs_sessions: bool,
}

/// The same, made once for each policy.
#[pyclass(frozen, module = "qrumb_hotpath")]
pub struct Site(Stated);

#[pymethods]
impl Site {
    #[new]
    fn new(stated: Stated) -> Self {
        Self(stated)
    }
}

impl Site {
    /// The consent that counts where an event states none; empty where all is allowed.
    pub fn unstated_consent(&self) -> &str {
        &self.0.unstated_consent
    }

    /// How old an event may be.
    pub fn retention_ms(&self) -> i64 {
        self.0.retention_ms
    }

    /// Clocks that are further ahead are marked.
    pub fn max_clock_ahead_ms(&self) -> i64 {
        self.0.max_clock_ahead_ms
    }

    /// Whether the site wants to be marked by a reason.
    pub fn counts(&self, reason: &str) -> bool {
        !self.0.ignored_reasons.contains(reason)
    }

    /// Whether its redirect signs scan sessions, so that a browser's has to be checked.
    pub fn signs_sessions(&self) -> bool {
        self.0.signs_sessions
    }
}

/// The fields of `pipeline.compiled_rules.Circumstances`.
#[derive(FromPyObject)]
pub struct Circumstances<'py> {
    pub received_time_ms: i64,
    /// Of the caller, with its hints; what counts for browser events that state none.
    pub agent: Agent,
    /// Of the caller's address; what counts for browser events.
    pub address: Address,
    pub is_prefetch: bool,
    pub is_retried: bool,
    /// By id; all sites of the call.
    pub sites: HashMap<String, Py<Site>>,
    /// Names the event at a place, whose sender did not.
    pub new_event_id: Bound<'py, PyAny>,
}

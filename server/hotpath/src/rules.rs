//! The field rules' constants, as Python states them.
//!
//! `pipeline/compiled_rules.py` reads each from the module that owns it, so that nothing is stated twice.

use std::collections::{HashMap, HashSet};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regex::Regex;

/// A regular expression. Those that a whole text has to match say so themselves.
pub struct Pattern(Regex);

impl Pattern {
    /// Whether it is in the text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Pattern {
    type Error = PyErr;

    fn extract(pattern: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Regex::new(pattern.extract()?).map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// A pattern of which each match begins with one of a few characters: where no byte is the first of one, nothing is
/// looked for.
pub struct Sign {
    pattern: Pattern,
    is_first: [bool; 256],
}

impl Sign {
    /// Whether it is in the text.
    pub fn is_in(&self, text: &str) -> bool {
        let is_first = |byte: u8| self.is_first.get(usize::from(byte)).is_some_and(|is_first| *is_first);
        text.bytes().any(is_first) && self.pattern.is_in(text)
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Sign {
    type Error = PyErr;

    fn extract(stated: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (pattern, beginnings): (Pattern, String) = stated.extract()?;
        let mut is_first = [false; 256];
        for beginning in beginnings.chars() {
            let byte = beginning.encode_utf8(&mut [0; 4]).bytes().next();
            if let Some(is_first) = byte.and_then(|byte| is_first.get_mut(usize::from(byte))) {
                *is_first = true;
            }
        }
        Ok(Self { pattern, is_first })
    }
}

/// What consent allows to keep; the fields are those of `pipeline.consent.Allowed`.
#[derive(FromPyObject, Clone, Copy)]
pub struct Allowed {
    pub user: bool,
    pub city: bool,
    pub address_key: bool,
    pub full_urls: bool,
    pub all_metadata: bool,
}

/// All of them; the fields are those of `pipeline.compiled_rules.Rules`.
#[derive(FromPyObject)]
pub struct Rules {
    pub max_event_bytes: usize,
    pub max_batch_events: usize,
    pub site_id: Pattern,
    pub uuid: Pattern,
    /// UUIDs that name nothing.
    pub no_names: HashSet<String>,
    pub max_scan_session_id: usize,
    pub max_name: usize,
    pub max_url: usize,
    pub max_title: usize,
    pub max_user_agent: usize,
    pub max_device_type: usize,
    pub max_language: usize,
    pub max_timezone: usize,
    pub max_screen: u32,
    pub max_touch_points: u32,
    pub max_external_id: usize,
    pub page_url: Pattern,
    pub referrer: Pattern,
    pub email_sign: Sign,
    /// An identifier of which Python folds nothing but its case.
    pub plain_name: Pattern,
    /// As Python calls the user of a hash.
    pub name_of_hash: Pattern,
    pub placeholder_words: HashSet<String>,
    pub placeholder_filler: Pattern,
    pub placeholder_hashes: HashSet<String>,
    pub hash: Pattern,
    pub hash_of_nothing: String,
    pub currency_decimals: HashMap<String, usize>,
    pub max_amount: f64,
    pub refund: String,
    /// A key of canonical JSON that seems to say who a person is.
    pub personal_key: Pattern,
    pub max_depth: usize,
    pub max_values: usize,
    pub max_json_bytes: usize,
    /// A Struct of more bytes on the wire is too large, whatever it holds.
    pub max_struct_bytes: usize,
    pub max_ahead_ms: i64,
    pub first_second: i64,
    pub last_second: i64,
    /// The form of time that nearly all senders write in JSON.
    pub plain_time: Pattern,
    /// Numbers of the consents that can be stated, by what JSON has for them.
    pub consent_names: HashMap<String, i32>,
    /// Numbers and names of the stated consents.
    pub consents: Vec<(i32, String)>,
    /// What each name allows.
    pub allowed: Vec<(String, Allowed)>,
    /// Why an event is marked, in the order in which `pipeline.mark` finds it.
    pub marks: [String; 7],
    /// What stands around id and time of an accepted event in its receipt as JSON.
    pub receipt_form: [String; 3],
    pub device_types: HashSet<String>,
    /// Browsers that say Macintosh on a Macintosh only.
    pub never_on_ipad: HashSet<String>,
}

impl Rules {
    /// Whether a stored text keeps its limit, in characters, and has no sign of an e-mail address.
    pub fn is_clean(&self, text: &str, limit: usize) -> bool {
        within(text, limit) && !self.email_sign.is_in(text)
    }

    /// The name of a stated consent.
    pub fn consent(&self, number: i32) -> Option<&str> {
        self.consents.iter().find(|(stated, _)| *stated == number).map(|(_, name)| name.as_str())
    }

    /// What it allows.
    pub fn allowed(&self, consent: &str) -> Option<Allowed> {
        self.allowed.iter().find(|(name, _)| name == consent).map(|(_, allowed)| *allowed)
    }

    /// Whether an identifier surely names one. Any that is not plain is Python's to fold and to judge.
    pub fn is_name(&self, text: &str) -> bool {
        self.plain_name.is_in(text) && !self.is_placeholder(&text.to_ascii_lowercase())
    }

    fn is_placeholder(&self, folded: &str) -> bool {
        self.placeholder_words.contains(folded)
            || self.placeholder_filler.is_in(folded)
            || self.placeholder_hashes.contains(folded)
            || folded == self.hash_of_nothing
    }
}

/// Whether a text has at most so many characters.
pub fn within(text: &str, limit: usize) -> bool {
    text.len() <= limit || text.chars().count() <= limit
}

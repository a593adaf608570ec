//! What was looked up of agents and addresses: Python fills it, so that its lists and databases stay its own.
//!
//! Invariant: memory stays small. A full cache is emptied; addresses, whose keys change and whose files may be replaced,
//! are forgotten with each new epoch. Nothing of it is ever written.

use std::collections::HashMap;

use pyo3::prelude::*;

use crate::rules::Rules;

/// Entries of a cache that is then emptied: an entry takes some 200 bytes.
const MAX_KNOWN: usize = 20_000;
/// Longer agents are not kept in memory, and so are Python's.
const MAX_KNOWN_TEXT: usize = 512;

/// Of a visitor's device; the fields are those of `enrich.agent.Agent`.
#[derive(FromPyObject, Clone, Default)]
pub struct Agent {
    pub device_type: String,
    pub browser_family: String,
    pub os_family: String,
    pub is_bot: bool,
    pub is_preview: bool,
    pub contradicts_hints: bool,
}

impl Agent {
    /// With what the page itself knows: the twin of `enrich.agent.refine`.
    pub fn refined(mut self, max_touch_points: u32, stated_type: &str, rules: &Rules) -> Self {
        if self.is_bot {
            return self;
        }
        if self.os_family == "Mac OS X" && max_touch_points > 1 && !rules.never_on_ipad.contains(&self.browser_family) {
            self.device_type = "tablet".to_owned();
            self.os_family = "iOS".to_owned();
            return self;
        }
        if matches!(self.device_type.as_str(), "" | "other") {
            let stated = stated_type.trim().to_lowercase();
            if rules.device_types.contains(&stated) {
                self.is_bot = stated == "bot";
                self.device_type = stated;
            }
        }
        self
    }
}

/// Of a visitor's address, which is not kept itself; the fields are those of `pipeline.compiled_rules.Address`.
#[derive(FromPyObject, Clone, Default)]
pub struct Address {
    pub country_code: String,
    pub city: String,
    /// Its keyed hash, another one each day.
    pub key: String,
    pub is_data_centre: bool,
}

/// What was looked up of texts; of the empty one nothing is to be known.
#[derive(Default)]
pub struct Known<T>(HashMap<String, T>);

impl<T: Clone + Default> Known<T> {
    /// What is known of a text.
    pub fn of(&self, text: &str) -> Option<T> {
        if text.is_empty() { Some(T::default()) } else { self.0.get(text).cloned() }
    }

    /// Whether a look-up is still to be done.
    pub fn lacks(&self, text: &str) -> bool {
        !text.is_empty() && text.len() <= MAX_KNOWN_TEXT && !self.0.contains_key(text)
    }

    /// Keep what Python found.
    pub fn learn(&mut self, text: String, found: T) {
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(text, found);
    }
}

/// Both caches.
#[derive(Default)]
pub struct Visitors {
    /// Of their devices.
    pub agents: Known<Agent>,
    /// Of where they are.
    pub addresses: Known<Address>,
    epoch: i64,
}

impl Visitors {
    /// Forget the addresses of an earlier epoch.
    pub fn begin(&mut self, epoch: i64) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.addresses = Known::default();
        }
    }
}

//! The field rules, and what only the receipt of an event can tell: the twin of `pipeline.validate`, `pipeline.consent`
//! and `pipeline.stamp` for an event in which they find nothing to say. Everything else is None, "yours".

use prost_types::Timestamp;

use crate::circumstances::{Circumstances, SiteRules};
use crate::decode::Sent;
use crate::messages::qrumb::v1::{BrowserEvent, ConversionValue, Device, EventRow, ServerEvent, UserIdentifiers};
use crate::messages::qrumb_server::wire::v1::AcceptedEvent;
use crate::metadata::Own;
use crate::money;
use crate::record::{fingerprint, timestamp};
use crate::rules::{Allowed, Rules, within};
use crate::visitors::{Address, Agent, Visitors};

/// All that an event is judged by.
pub struct Bench<'a, 'py> {
    rules: &'a Rules,
    visitors: &'a Visitors,
    at: &'a Circumstances<'py>,
    /// The site of the call, where all its events are of one.
    only: Option<(&'a str, &'a SiteRules)>,
}

/// What its core says of an event.
struct Found<'a> {
    site: &'a SiteRules,
    consent: &'a str,
    allowed: Allowed,
    /// How far the sender's clock is ahead.
    ahead_ms: i64,
}

impl Found<'_> {
    /// What consent leaves of the sender's own fields; None where the site has listed some that stay.
    fn kept_fields(&self, text: String) -> Option<String> {
        if self.allowed.all_metadata || text == "{}" {
            Some(text)
        } else {
            (!self.site.keeps_fields).then(|| "{}".to_owned())
        }
    }
}

impl<'a, 'py> Bench<'a, 'py> {
    /// The constants, what was looked up, and what counts for the call.
    pub fn new(rules: &'a Rules, visitors: &'a Visitors, at: &'a Circumstances<'py>) -> Self {
        let mut sites = at.sites.iter();
        let only = sites.next().filter(|(site_id, _)| sites.next().is_none() && rules.site_id.is_in(site_id));
        Self { rules, visitors, at, only: only.map(|(site_id, site)| (site_id.as_str(), &site.get().0)) }
    }

    /// What is kept of the event, but for the id that its sender did not give; None: yours.
    pub fn judge(&self, sent: Sent) -> Option<AcceptedEvent> {
        match sent {
            Sent::Browser(event, own) => self.browser(*event, own),
            Sent::Server(event, own) => self.server(*event, own),
            Sent::Yours(_) | Sent::Unread => None,
        }
    }

    fn browser(&self, mut event: BrowserEvent, own: Own) -> Option<AcceptedEvent> {
        let rules = self.rules;
        event.event_id.make_ascii_lowercase();
        let found =
            self.core([&event.site_id, &event.event_id, &event.scan_session_id], event.event_time, event.consent)?;
        if !found.allowed.full_urls {
            bare(&mut event.page_url, rules)?;
            bare(&mut event.referrer, rules)?;
        }
        let is_clean = !event.event_type.is_empty()
            && rules.is_clean(&event.event_type, rules.max_name)
            && rules.is_clean(&event.page_title, rules.max_title)
            && is_url(&event.page_url, &rules.page_url, rules)
            && is_url(&event.referrer, &rules.referrer, rules)
            && event.device.as_ref().is_none_or(|device| is_device(device, rules));
        is_clean.then_some(())?;
        let agent = self.browser_agent(event.device.as_ref())?;
        let metadata = found.kept_fields(own.text(rules)?)?;
        let fingerprint = fingerprint(&event, &metadata);
        let of_page = [agent.device_type.is_empty(), self.is_forged(&event.scan_session_id, found.site)?];
        let address = &self.at.caller.get().0.address;
        let marks = self.marks(&agent, address, of_page, found.site);
        let row = EventRow {
            event_id: event.event_id,
            site_id: event.site_id,
            scan_session_id: event.scan_session_id,
            source: "browser".to_owned(),
            event_type: event.event_type,
            page_url: event.page_url,
            page_title: event.page_title,
            referrer: event.referrer,
            metadata,
            fingerprint,
            ..Default::default()
        };
        Some(self.kept(row, &found, agent, address, marks, None))
    }

    fn server(&self, mut event: ServerEvent, own: Own) -> Option<AcceptedEvent> {
        let rules = self.rules;
        event.event_id.make_ascii_lowercase();
        let found =
            self.core([&event.site_id, &event.event_id, &event.scan_session_id], event.event_time, event.consent)?;
        let is_clean = !event.scan_session_id.is_empty()
            && !event.event_name.is_empty()
            && rules.is_clean(&event.event_name, rules.max_name)
            && within(&event.user_agent, rules.max_user_agent);
        is_clean.then_some(())?;
        // Looked at in any case, since a broken rule refuses the event whatever its consent.
        let stated = event.user_identifiers.as_ref().map(|sent| identifiers(sent, rules).ok_or(()));
        let user_identifiers = stated.transpose().ok()?.filter(|_| found.allowed.user);
        event.user_identifiers.take_if(|_| !found.allowed.user);
        let worth = event.conversion_value.as_ref();
        let (conversion_value, conversion_currency) =
            worth.map_or_else(|| Some(Default::default()), |sent| conversion(sent, &event.event_name, rules))?;
        let agent = self.visitors.agents.of(&event.user_agent)?;
        let address = self.visitors.addresses.of(&event.client_ip)?;
        let metadata = found.kept_fields(own.text(rules)?)?;
        let fingerprint = fingerprint(&event, &metadata);
        let marks = self.marks(&agent, &address, [false; 2], found.site);
        let row = EventRow {
            event_id: event.event_id,
            site_id: event.site_id,
            scan_session_id: event.scan_session_id,
            source: "server".to_owned(),
            event_name: event.event_name,
            conversion_value,
            conversion_currency,
            metadata,
            fingerprint,
            ..Default::default()
        };
        Some(self.kept(row, &found, agent, &address, marks, user_identifiers))
    }

    fn core(&self, ids: [&str; 3], event_time: Option<Timestamp>, consent: i32) -> Option<Found<'_>> {
        let (rules, [site_id, event_id, session_id]) = (self.rules, ids);
        let site = self.site(site_id)?;
        let stated = if consent == 0 { None } else { Some(rules.consent(consent)?) };
        let consent = stated.unwrap_or(&site.unstated_consent);
        let allowed = rules.allowed(consent)?;
        let ahead_ms = event_time.map_or(Some(0), |time| self.ahead_ms(time, site))?;
        let is_ordinary = (event_id.is_empty() || (rules.uuid.is_in(event_id) && !rules.no_names.contains(event_id)))
            && rules.is_clean(session_id, rules.max_scan_session_id)
            && (session_id.is_empty() || rules.is_name(session_id));
        is_ordinary.then_some(Found { site, consent, allowed, ahead_ms })
    }

    /// What the site wants; None where it is none. Most calls have one site, which is looked at once.
    fn site(&self, site_id: &str) -> Option<&SiteRules> {
        if let Some((only, site)) = self.only
            && only == site_id
        {
            return Some(site);
        }
        let site = &self.at.sites.get(site_id)?.get().0;
        self.rules.site_id.is_in(site_id).then_some(site)
    }

    /// How far a time is ahead of the receipt; None where it cannot be true, or is marked.
    fn ahead_ms(&self, time: Timestamp, site: &SiteRules) -> Option<i64> {
        let rules = self.rules;
        if !(0..1_000_000_000).contains(&time.nanos)
            || !(rules.first_second..=rules.last_second).contains(&time.seconds)
        {
            return None;
        }
        let ahead = time.seconds * 1000 + i64::from(time.nanos / 1_000_000) - self.at.received_time_ms;
        let latest = rules.max_ahead_ms.min(site.max_clock_ahead_ms);
        (-site.retention_ms..=latest).contains(&ahead).then_some(ahead)
    }

    fn browser_agent(&self, device: Option<&Device>) -> Option<Agent> {
        let Some(device) = device else { return Some(self.at.caller.get().0.agent.clone()) };
        if !device.r#type.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let described = match device.user_agent.as_str() {
            "" => self.at.caller.get().0.agent.clone(),
            stated => self.visitors.agents.of(stated)?,
        };
        Some(described.refined(device.max_touch_points, &device.r#type, self.rules))
    }

    /// Whether the site signs the scan sessions of browsers, and not this one.
    fn is_forged(&self, session_id: &str, site: &SiteRules) -> Option<bool> {
        let py = self.at.new_event_id.py();
        match &site.is_forged {
            Some(look) if !session_id.is_empty() => look.call1(py, (session_id,)).ok()?.extract(py).ok(),
            _ => Some(false),
        }
    }

    /// The twin of `pipeline.mark.marks_at_receipt`.
    fn marks(&self, agent: &Agent, address: &Address, of_page: [bool; 2], site: &SiteRules) -> Vec<String> {
        let [lacks_agent, is_forged] = of_page;
        [
            agent.is_bot,
            agent.is_preview,
            self.at.caller.get().0.is_prefetch,
            lacks_agent,
            agent.contradicts_hints,
            address.is_data_centre,
            is_forged,
        ]
        .into_iter()
        .zip(&self.rules.marks)
        .filter(|(is_found, name)| *is_found && !site.ignored_reasons.contains(*name))
        .map(|(_, name)| name.clone())
        .collect()
    }

    fn kept(
        &self,
        row: EventRow,
        found: &Found<'_>,
        agent: Agent,
        address: &Address,
        marks: Vec<String>,
        user_identifiers: Option<UserIdentifiers>,
    ) -> AcceptedEvent {
        let received_ms = self.at.received_time_ms;
        let of = |is_allowed: bool, value: &String| if is_allowed { value.clone() } else { String::new() };
        AcceptedEvent {
            row: Some(EventRow {
                event_time: Some(timestamp(received_ms + found.ahead_ms)),
                received_time: Some(timestamp(received_ms)),
                consent: found.consent.to_owned(),
                device_type: agent.device_type,
                browser_family: agent.browser_family,
                os_family: agent.os_family,
                country_code: address.country_code.clone(),
                city: of(found.allowed.city, &address.city),
                is_fraud: u32::from(!marks.is_empty()),
                fraud_reasons: marks,
                ..row
            }),
            user_identifiers,
            ip_key: of(found.allowed.address_key, &address.key),
            event_id_generated: false,
            retried: self.at.caller.get().0.is_retried,
        }
    }
}

/// Cut what denied consent takes from a URL; None where that may be more than its query and fragment.
fn bare(url: &mut String, rules: &Rules) -> Option<()> {
    let scheme = url.split(':').next().unwrap_or_default();
    let is_plain = !rules.email_sign.is_in(url)
        && url.bytes().all(|byte| byte >= b' ')
        && !scheme.bytes().any(|byte| byte.is_ascii_uppercase());
    url.truncate(url.find(['?', '#']).unwrap_or(url.len()));
    is_plain.then_some(())
}

/// Without a sign of an @ a URL holds no user info either.
fn is_url(text: &str, form: &crate::rules::Pattern, rules: &Rules) -> bool {
    text.is_empty() || (rules.is_clean(text, rules.max_url) && form.is_in(text))
}

fn is_device(device: &Device, rules: &Rules) -> bool {
    let sizes = [device.screen_width, device.screen_height, device.viewport_width, device.viewport_height];
    within(&device.r#type, rules.max_device_type)
        && within(&device.user_agent, rules.max_user_agent)
        && within(&device.language, rules.max_language)
        && within(&device.timezone, rules.max_timezone)
        && sizes.iter().all(|size| *size <= rules.max_screen)
        && device.max_touch_points <= rules.max_touch_points
}

/// In their normal form; None where one breaks a rule or names no one.
fn identifiers(sent: &UserIdentifiers, rules: &Rules) -> Option<UserIdentifiers> {
    let is_id = sent.external_id.is_empty()
        || (rules.is_clean(&sent.external_id, rules.max_external_id)
            && rules.is_name(&sent.external_id)
            && !rules.name_of_hash.is_in(&sent.external_id));
    is_id.then_some(())?;
    Some(UserIdentifiers {
        email_hash: hash(&sent.email_hash, rules)?,
        phone_hash: hash(&sent.phone_hash, rules)?,
        external_id: sent.external_id.clone(),
    })
}

fn hash(sent: &str, rules: &Rules) -> Option<String> {
    if sent.is_empty() {
        return Some(String::new());
    }
    let lowered = sent.to_ascii_lowercase();
    let is_ones =
        rules.hash.is_in(sent) && lowered != rules.hash_of_nothing && !rules.placeholder_hashes.contains(&lowered);
    is_ones.then_some(lowered)
}

/// Amount and currency; None where one breaks a rule or the amount is to be rounded.
fn conversion(sent: &ConversionValue, event_name: &str, rules: &Rules) -> Option<(String, String)> {
    let decimals = *rules.currency_decimals.get(&sent.currency)?;
    let is_allowed = sent.amount.is_finite()
        && sent.amount.abs() <= rules.max_amount
        && if event_name == rules.refund { sent.amount <= 0.0 } else { sent.amount >= 0.0 };
    is_allowed.then_some(())?;
    Some((money::exact(sent.amount, decimals)?, sent.currency.clone()))
}

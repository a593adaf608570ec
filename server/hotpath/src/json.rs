//! JSON into an event: the twin of `reading.usual`, for what deserves no word.
//!
//! Any other value than a field's usual one is None, "yours": a name that is not known or there twice, a number as a
//! text, half a surrogate pair. What is null, or an empty text, is not set.

use jiter::{Jiter, Peek};
use prost_types::Timestamp;

use crate::decode::{Sent, Source};
use crate::messages::qrumb::v1::{BrowserEvent, ConversionValue, Device, ServerEvent, UserIdentifiers};
use crate::metadata::Own;
use crate::rules::Rules;

/// Digits that a double surely keeps.
pub const KEPT_DIGITS: usize = 15;

/// The event that the next value is.
pub fn event(json: &mut Jiter<'_>, source: Source, rules: &Rules) -> Option<Sent> {
    match source {
        Source::Browser => browser_event(json, rules),
        Source::Server => server_event(json, rules),
    }
}

fn browser_event(json: &mut Jiter<'_>, rules: &Rules) -> Option<Sent> {
    let (mut event, mut own) = (BrowserEvent::default(), Own::Nothing);
    let read = |name: &str, json: &mut Jiter<'_>| {
        match name {
            "site_id" => event.site_id = text(json)?,
            "event_id" => event.event_id = text(json)?,
            "event_type" => event.event_type = text(json)?,
            "event_time" => event.event_time = time(json, rules)?,
            "page_url" => event.page_url = text(json)?,
            "page_title" => event.page_title = text(json)?,
            "referrer" => event.referrer = text(json)?,
            "scan_session_id" => event.scan_session_id = text(json)?,
            "consent" => event.consent = consent(json, rules)?,
            "device" => event.device = device(json)?,
            "metadata" => own = Own::of_json(json, rules)?,
            _ => return None,
        }
        Some(())
    };
    members(json, read)?.then(|| Sent::Browser(Box::new(event), own))
}

fn server_event(json: &mut Jiter<'_>, rules: &Rules) -> Option<Sent> {
    let (mut event, mut own) = (ServerEvent::default(), Own::Nothing);
    let read = |name: &str, json: &mut Jiter<'_>| {
        match name {
            "site_id" => event.site_id = text(json)?,
            "event_id" => event.event_id = text(json)?,
            "event_name" => event.event_name = text(json)?,
            "event_time" => event.event_time = time(json, rules)?,
            "scan_session_id" => event.scan_session_id = text(json)?,
            "consent" => event.consent = consent(json, rules)?,
            "user_identifiers" => event.user_identifiers = user_identifiers(json)?,
            "conversion_value" => event.conversion_value = conversion_value(json)?,
            "client_ip" => event.client_ip = text(json)?,
            "user_agent" => event.user_agent = text(json)?,
            "properties" => own = Own::of_json(json, rules)?,
            _ => return None,
        }
        Some(())
    };
    members(json, read)?.then(|| Sent::Server(Box::new(event), own))
}

fn device(json: &mut Jiter<'_>) -> Option<Option<Device>> {
    let mut device = Device::default();
    let read = |name: &str, json: &mut Jiter<'_>| {
        match name {
            "type" => device.r#type = text(json)?,
            "user_agent" => device.user_agent = text(json)?,
            "language" => device.language = text(json)?,
            "screen_width" => device.screen_width = size(json)?,
            "screen_height" => device.screen_height = size(json)?,
            "viewport_width" => device.viewport_width = size(json)?,
            "viewport_height" => device.viewport_height = size(json)?,
            "timezone" => device.timezone = text(json)?,
            "max_touch_points" => device.max_touch_points = size(json)?,
            _ => return None,
        }
        Some(())
    };
    members(json, read).map(|is_set| is_set.then_some(device))
}

fn user_identifiers(json: &mut Jiter<'_>) -> Option<Option<UserIdentifiers>> {
    let mut identifiers = UserIdentifiers::default();
    let read = |name: &str, json: &mut Jiter<'_>| {
        match name {
            "email_hash" => identifiers.email_hash = text(json)?,
            "phone_hash" => identifiers.phone_hash = text(json)?,
            "external_id" => identifiers.external_id = text(json)?,
            _ => return None,
        }
        Some(())
    };
    members(json, read).map(|is_set| is_set.then_some(identifiers))
}

/// An amount has to be there: the message could not tell that there was none.
fn conversion_value(json: &mut Jiter<'_>) -> Option<Option<ConversionValue>> {
    let (mut amount, mut currency) = (None, String::new());
    let read = |name: &str, json: &mut Jiter<'_>| {
        match name {
            "amount" => amount = Some(sum(json)?),
            "currency" => currency = text(json)?,
            _ => return None,
        }
        Some(())
    };
    let is_set = members(json, read)?;
    if is_set { Some(Some(ConversionValue { amount: amount?, currency })) } else { Some(None) }
}

/// Read the members of the next value, each once; whether it is an object and not null.
fn members<'j>(json: &mut Jiter<'j>, mut read: impl FnMut(&str, &mut Jiter<'j>) -> Option<()>) -> Option<bool> {
    if is_null(json)? {
        return Some(false);
    }
    let mut seen: Vec<String> = Vec::with_capacity(12);
    let mut key = json.next_object().ok()?.map(field_name);
    while let Some(name) = key {
        if seen.contains(&name) {
            return None;
        }
        read(&name, json)?;
        seen.push(name);
        key = json.next_key().ok()?.map(field_name);
    }
    Some(true)
}

/// The contract's name of a field that may be written in camel case. Whatever else a key is, it becomes none.
fn field_name(key: &str) -> String {
    let is_camel_case = !key.contains('_');
    let mut name = String::with_capacity(key.len() + 2);
    for sign in key.chars() {
        if is_camel_case && sign.is_ascii_uppercase() {
            name.push('_');
            name.push(sign.to_ascii_lowercase());
        } else {
            name.push(sign);
        }
    }
    name
}

/// Whether the next value is null, which is then read.
pub fn is_null(json: &mut Jiter<'_>) -> Option<bool> {
    let is_null = json.peek().ok()? == Peek::Null;
    if is_null {
        json.known_null().ok()?;
    }
    Some(is_null)
}

fn text(json: &mut Jiter<'_>) -> Option<String> {
    if is_null(json)? { Some(String::new()) } else { Some(json.next_str().ok()?.to_owned()) }
}

fn time(json: &mut Jiter<'_>, rules: &Rules) -> Option<Option<Timestamp>> {
    if is_null(json)? {
        return Some(None);
    }
    let written = json.next_str().ok()?;
    if written.is_empty() {
        return Some(None);
    }
    rules.plain_time.is_in(written).then(|| written.parse().ok())?.map(Some)
}

fn consent(json: &mut Jiter<'_>, rules: &Rules) -> Option<i32> {
    if is_null(json)? {
        return Some(0);
    }
    match json.next_str().ok()? {
        "" => Some(0),
        written => rules.consent_names.get(written).copied(),
    }
}

/// A whole number, by its digits alone.
fn size(json: &mut Jiter<'_>) -> Option<u32> {
    if is_null(json)? { Some(0) } else { number(json)?.parse().ok() }
}

/// An amount of money.
fn sum(json: &mut Jiter<'_>) -> Option<f64> {
    let written = number(json)?;
    (written.len() <= KEPT_DIGITS && !written.contains(['e', 'E'])).then(|| written.parse().ok())?
}

/// The digits of the next value, which is a number.
pub fn number<'a>(json: &'a mut Jiter<'_>) -> Option<&'a str> {
    std::str::from_utf8(json.next_number_bytes().ok()?).ok()
}

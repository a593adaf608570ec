//! The sender's own fields as canonical JSON: the twin of `pipeline.struct_json`, where it finds nothing to say.

use std::ops::Range;

use jiter::{Jiter, Peek};
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::json;
use crate::rules::Rules;

/// Doubles below this hold every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Smaller fractions may be written with an exponent, in which the writers of JSON differ.
const SMALLEST: f64 = 1e-4;
/// Digits of a whole number that no double comes near.
const MAX_DIGITS: usize = 300;

/// Fields of the sender's own, whichever way they came.
pub enum Own {
    /// There are none.
    Nothing,
    /// Over gRPC.
    Struct(Struct),
    /// Out of JSON: canonical already.
    Text(Vec<u8>),
}

impl Own {
    /// Those that the next value is; None where a limit is broken or a value is unusual.
    pub fn of_json(reader: &mut Jiter<'_>, rules: &Rules) -> Option<Self> {
        if json::is_null(reader)? {
            return Some(Self::Nothing);
        }
        (reader.peek().ok()? == Peek::Object).then_some(())?;
        let mut writer = Writer::new(rules);
        writer.json_object(reader, 1)?;
        Some(Self::Text(writer.out))
    }

    /// As canonical JSON; likewise.
    pub fn text(self, rules: &Rules) -> Option<String> {
        let bytes = match self {
            Self::Nothing => return Some("{}".to_owned()),
            Self::Struct(root) => {
                let mut writer = Writer::new(rules);
                writer.object(&root, 1)?;
                writer.out
            }
            Self::Text(bytes) => bytes,
        };
        let text = String::from_utf8(bytes).ok()?;
        let is_ordinary =
            text.len() <= rules.max_json_bytes && !rules.email_sign.is_in(&text) && !rules.personal_key.is_in(&text);
        is_ordinary.then_some(text)
    }
}

struct Writer<'a> {
    out: Vec<u8>,
    values_left: usize,
    rules: &'a Rules,
}

impl<'a> Writer<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self { out: Vec::with_capacity(128), values_left: rules.max_values, rules }
    }

    /// Keys of a map come sorted by their bytes, which is their order by code points.
    fn object(&mut self, object: &Struct, depth: usize) -> Option<()> {
        self.within(b"{}", object.fields.iter(), |writer, (key, value)| {
            writer.string(key)?;
            writer.out.push(b':');
            writer.value(value, depth)
        })
    }

    fn within<T>(
        &mut self,
        [open, close]: &[u8; 2],
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Option<()>,
    ) -> Option<()> {
        self.enter(items.len())?;
        self.out.push(*open);
        for (place, item) in items.enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write(self, item)?;
        }
        self.out.push(*close);
        Some(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Option<()> {
        match value.kind.as_ref()? {
            Kind::NullValue(number) => (*number == 0).then(|| self.raw("null"))?,
            Kind::BoolValue(is_true) => self.raw(&is_true.to_string()),
            Kind::NumberValue(number) => self.number(*number),
            Kind::StringValue(text) => self.string(text),
            Kind::StructValue(inner) => self.object(inner, self.deeper(depth)?),
            Kind::ListValue(inner) => {
                let depth = self.deeper(depth)?;
                self.within(b"[]", inner.values.iter(), |writer, value| writer.value(value, depth))
            }
        }
    }

    /// The same of JSON, whose members come in any order: they are sorted once they are written.
    fn json_object(&mut self, reader: &mut Jiter<'_>, depth: usize) -> Option<()> {
        self.out.push(b'{');
        let start = self.out.len();
        let mut members: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        let mut next = reader.known_object().ok()?.map(|key| self.key(key));
        while let Some(key) = next {
            let key = key?;
            self.enter(1)?;
            self.json_value(reader, depth)?;
            members.push((key.clone(), key.start - 1..self.out.len()));
            next = reader.next_key().ok()?.map(|key| {
                self.out.push(b',');
                self.key(key)
            });
        }
        self.sort(members, start)?;
        self.out.push(b'}');
        Some(())
    }

    /// Bring members, places of their keys and of all of them, into the order of their keys; each is there once.
    fn sort(&mut self, mut members: Vec<(Range<usize>, Range<usize>)>, start: usize) -> Option<()> {
        let out = &self.out;
        let key = |member: &(Range<usize>, Range<usize>)| out.get(member.0.clone());
        if members.is_sorted_by(|one, other| key(one) < key(other)) {
            return Some(());
        }
        members.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
        if !members.is_sorted_by(|one, other| key(one) < key(other)) {
            return None;
        }
        let texts: Option<Vec<&[u8]>> = members.iter().map(|(_, all)| out.get(all.clone())).collect();
        let sorted = texts?.join(&b',');
        self.out.truncate(start);
        self.out.extend_from_slice(&sorted);
        Some(())
    }

    /// Write a key; its place. One with escapes is not in the order of its text.
    fn key(&mut self, key: &str) -> Option<Range<usize>> {
        let start = self.out.len() + 1;
        self.string(key)?;
        self.out.push(b':');
        (self.out.len() == start + key.len() + 2).then_some(start..start + key.len())
    }

    fn json_list(&mut self, reader: &mut Jiter<'_>, depth: usize) -> Option<()> {
        self.out.push(b'[');
        let mut next = reader.known_array().ok()?;
        while next.is_some() {
            self.enter(1)?;
            self.json_value(reader, depth)?;
            next = reader.array_step().ok()?;
            if next.is_some() {
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Some(())
    }

    fn json_value(&mut self, reader: &mut Jiter<'_>, depth: usize) -> Option<()> {
        match reader.peek().ok()? {
            Peek::Null => {
                reader.known_null().ok()?;
                self.raw("null")
            }
            Peek::String => self.string(reader.known_str().ok()?),
            Peek::Object => self.json_object(reader, self.deeper(depth)?),
            Peek::Array => self.json_list(reader, self.deeper(depth)?),
            truth @ (Peek::True | Peek::False) => self.raw(&reader.known_bool(truth).ok()?.to_string()),
            _ => self.json_number(json::number(reader)?),
        }
    }

    /// Whole numbers keep all their digits, others have no more than their double keeps.
    fn json_number(&mut self, written: &str) -> Option<()> {
        if written.contains(['e', 'E']) || written == "-0" || written.len() > MAX_DIGITS {
            return None;
        }
        if !written.contains('.') {
            return self.raw(written);
        }
        let number: f64 = written.parse().ok()?;
        let is_kept = written.len() <= json::KEPT_DIGITS || ryu::Buffer::new().format(number) == written;
        if is_kept { self.number(number) } else { None }
    }

    fn raw(&mut self, text: &str) -> Option<()> {
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }

    #[allow(clippy::cast_possible_truncation)] // below EXACT nothing is
    fn number(&mut self, number: f64) -> Option<()> {
        let size = number.abs();
        if size < EXACT && number.fract() == 0.0 {
            self.raw(&(number as i64).to_string())
        } else if (SMALLEST..EXACT).contains(&size) {
            self.raw(ryu::Buffer::new().format_finite(number))
        } else {
            None
        }
    }

    fn string(&mut self, text: &str) -> Option<()> {
        serde_json::to_writer(&mut self.out, text).ok()
    }

    /// The depth of what a value holds, where that may be.
    fn deeper(&self, depth: usize) -> Option<usize> {
        (depth < self.rules.max_depth).then_some(depth + 1)
    }

    /// Count what a container holds, as Python does.
    fn enter(&mut self, number: usize) -> Option<()> {
        self.values_left = self.values_left.checked_sub(number)?;
        Some(())
    }
}

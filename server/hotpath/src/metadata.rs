//! The sender's own fields as canonical JSON: the twin of `pipeline.struct_json.canonical_json`, where it finds nothing.

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::rules::Rules;

/// Doubles below this hold every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Smaller fractions may be written with an exponent, in which the writers of JSON differ.
const SMALLEST: f64 = 1e-4;

/// Fields of the sender's own, whichever way they came.
pub enum Own {
    /// There are none.
    Nothing,
    /// Over gRPC.
    Struct(Struct),
}

impl Own {
    /// As canonical JSON; None where a limit is broken or a value is unusual.
    pub fn text(self, rules: &Rules) -> Option<String> {
        let Self::Struct(root) = self else { return Some("{}".to_owned()) };
        let mut writer = Writer { out: Vec::with_capacity(128), values_left: rules.max_values, rules };
        writer.object(&root, 1)?;
        let text = String::from_utf8(writer.out).ok()?;
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

impl Writer<'_> {
    /// Keys of a map come sorted by their bytes, which is their order by code points.
    fn object(&mut self, object: &Struct, depth: usize) -> Option<()> {
        self.enter(object.fields.len())?;
        self.out.push(b'{');
        for (place, (key, value)) in object.fields.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.string(key)?;
            self.out.push(b':');
            self.value(value, depth)?;
        }
        self.out.push(b'}');
        Some(())
    }

    fn list(&mut self, values: &[Value], depth: usize) -> Option<()> {
        self.enter(values.len())?;
        self.out.push(b'[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.value(value, depth)?;
        }
        self.out.push(b']');
        Some(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Option<()> {
        match value.kind.as_ref()? {
            Kind::NullValue(number) => (*number == 0).then(|| self.out.extend_from_slice(b"null")),
            Kind::BoolValue(is_true) => {
                self.out.extend_from_slice(if *is_true { b"true" } else { b"false" });
                Some(())
            }
            Kind::NumberValue(number) => self.number(*number),
            Kind::StringValue(text) => self.string(text),
            Kind::StructValue(inner) => {
                if depth < self.rules.max_depth {
                    self.object(inner, depth + 1)
                } else {
                    None
                }
            }
            Kind::ListValue(inner) => {
                if depth < self.rules.max_depth {
                    self.list(&inner.values, depth + 1)
                } else {
                    None
                }
            }
        }
    }

    #[allow(clippy::cast_possible_truncation)] // below EXACT nothing is
    fn number(&mut self, number: f64) -> Option<()> {
        let size = number.abs();
        if size < EXACT && number.fract() == 0.0 {
            self.out.extend_from_slice((number as i64).to_string().as_bytes());
        } else if (SMALLEST..EXACT).contains(&size) {
            self.out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
        } else {
            return None;
        }
        Some(())
    }

    fn string(&mut self, text: &str) -> Option<()> {
        serde_json::to_writer(&mut self.out, text).ok()
    }

    /// Count what a container holds, as Python does.
    fn enter(&mut self, number: usize) -> Option<()> {
        self.values_left = self.values_left.checked_sub(number)?;
        Some(())
    }
}

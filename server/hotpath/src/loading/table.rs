//! Rows by their columns, as the spool has them: where each text lies, and numbers.

use std::ops::Range;
use std::str;

use crate::loading::wire::{Content, walk};

/// A text: where it lies in the bytes of the table. Of several texts: which spans are theirs.
#[derive(Clone, Copy, Default)]
pub struct Span {
    start: u32,
    size: u32,
}

impl Span {
    pub const NOTHING: Self = Self { start: 0, size: 0 };

    pub fn of(range: &Range<usize>) -> Option<Self> {
        Some(Self { start: u32::try_from(range.start).ok()?, size: u32::try_from(range.len()).ok()? })
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..(self.start + self.size) as usize
    }

    pub fn is_empty(self) -> bool {
        self.size == 0
    }
}

/// What a column holds, and so the type that it is sent as.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// `String`.
    Text,
    /// `Array(String)`.
    Texts,
    /// `UUID`.
    Uuid,
    /// `Nullable(Decimal(18, 4))`, a text of a number in the message.
    Money,
    /// `DateTime64(3)`, milliseconds.
    Time,
    /// `Nullable(DateTime64(3))`; `NO_TIME` where there is none.
    MaybeTime,
    /// `UInt8`: 0 or 1.
    Truth,
    /// `UInt64`, eight bytes in the message.
    Fixed,
    /// The segment's name.
    Segment,
    /// `UInt32`: the row of the segment.
    Row,
}

/// In place of a time that is not there.
pub const NO_TIME: i64 = i64::MIN;

/// A column: its name, the type that it is sent as, and the number of its field in the message. A number that no field
/// of the message has is a column that nothing fills but the loader.
pub struct Column {
    pub name: String,
    pub sent_as: String,
    pub number: usize,
    pub kind: Kind,
}

impl Column {
    /// None for a type that is not known here.
    pub fn new(name: String, sent_as: String, number: usize) -> Option<Self> {
        let kind = match (name.as_str(), sent_as.as_str()) {
            ("segment_id", "String") => Kind::Segment,
            ("segment_row", "UInt32") => Kind::Row,
            (_, "String") => Kind::Text,
            (_, "Array(String)") => Kind::Texts,
            (_, "UUID") => Kind::Uuid,
            (_, "Nullable(Decimal(18, 4))") => Kind::Money,
            (_, "DateTime64(3, 'UTC')") => Kind::Time,
            (_, "Nullable(DateTime64(3, 'UTC'))") => Kind::MaybeTime,
            (_, "UInt8") => Kind::Truth,
            (_, "UInt64") => Kind::Fixed,
            _ => return None,
        };
        Some(Self { name, sent_as, number, kind })
    }
}

/// The columns of all rows.
pub struct Table {
    pub bytes: Vec<u8>,
    pub columns: Vec<Column>,
    /// By the number of their field; those of `listed` for several texts.
    pub texts: Vec<Vec<Span>>,
    pub numbers: Vec<Vec<i64>>,
    pub listed: Vec<Span>,
    kinds: Vec<Option<Kind>>,
    /// Times that the columns hold.
    times: Range<i64>,
}

impl Table {
    pub fn new(columns: Vec<Column>, times: Range<i64>) -> Self {
        let most = columns.iter().map(|column| column.number + 1).max().unwrap_or(0);
        let mut kinds = vec![None; most];
        for column in &columns {
            if let Some(kind) = kinds.get_mut(column.number) {
                *kind = Some(column.kind);
            }
        }
        let (texts, numbers) = (vec![Vec::new(); most], vec![Vec::new(); most]);
        Self { bytes: Vec::new(), columns, texts, numbers, listed: Vec::new(), kinds, times }
    }

    /// The number of the column of that name.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.number)
    }

    pub fn is_within(&self, time_ms: i64) -> bool {
        self.times.contains(&time_ms)
    }

    pub fn text(&self, number: usize, place: usize) -> &str {
        self.str(self.texts.get(number).and_then(|spans| spans.get(place)).copied().unwrap_or_default())
    }

    /// The same as bytes.
    pub fn text_bytes(&self, number: usize, place: usize) -> &[u8] {
        self.bytes_of(self.texts.get(number).and_then(|spans| spans.get(place)).copied().unwrap_or_default())
    }

    pub fn bytes_of(&self, span: Span) -> &[u8] {
        self.bytes.get(span.range()).unwrap_or_default()
    }

    /// Make a time one that the column holds: the nearest.
    pub fn hold_time(&mut self, number: usize, place: usize) {
        let time_ms = self.value(number, place).clamp(self.times.start, self.times.end - 1);
        self.set_number(number, place, time_ms);
    }

    pub fn str(&self, span: Span) -> &str {
        // They were looked at when they were read.
        self.bytes.get(span.range()).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The texts of a column of several.
    pub fn list(&self, number: usize, place: usize) -> &[Span] {
        let span = self.texts.get(number).and_then(|spans| spans.get(place)).copied().unwrap_or_default();
        self.listed.get(span.range()).unwrap_or_default()
    }

    pub fn value(&self, number: usize, place: usize) -> i64 {
        self.numbers.get(number).and_then(|values| values.get(place)).copied().unwrap_or_default()
    }

    /// Put a text of our own into a row.
    pub fn set_text(&mut self, number: usize, place: usize, span: Span) {
        if let Some(text) = self.texts.get_mut(number).and_then(|spans| spans.get_mut(place)) {
            *text = span;
        }
    }

    pub fn set_number(&mut self, number: usize, place: usize, value: i64) {
        if let Some(old) = self.numbers.get_mut(number).and_then(|values| values.get_mut(place)) {
            *old = value;
        }
    }

    /// Put several texts into a row.
    pub fn set_list(&mut self, number: usize, place: usize, texts: &[Span]) {
        let start = self.listed.len();
        self.listed.extend_from_slice(texts);
        if let Some(span) = Span::of(&(start..self.listed.len())) {
            self.set_text(number, place, span);
        }
    }

    /// Keep a text of our own.
    pub fn keep(&mut self, text: &[u8]) -> Option<Span> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        Span::of(&(start..self.bytes.len()))
    }

    /// A row more, of nothing.
    pub fn push(&mut self) {
        for ((kind, texts), numbers) in self.kinds.iter().zip(&mut self.texts).zip(&mut self.numbers) {
            match kind {
                Some(Kind::Text | Kind::Texts | Kind::Uuid | Kind::Money) => texts.push(Span::NOTHING),
                Some(Kind::MaybeTime) => numbers.push(NO_TIME),
                Some(Kind::Time | Kind::Truth | Kind::Fixed) => numbers.push(0),
                Some(Kind::Segment | Kind::Row) | None => {}
            }
        }
    }

    /// Read the message `EventRow` at `range` into a row of nothing; None where it is not one of ordinary form.
    pub fn fill(&mut self, place: usize, range: Range<usize>) -> Option<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let filled = self.fill_from(&bytes, place, range);
        self.bytes = bytes;
        filled
    }

    /// Make it a row of nothing again.
    pub fn clear(&mut self, place: usize) {
        for number in 0..self.kinds.len() {
            match self.kinds.get(number) {
                Some(Some(Kind::MaybeTime)) => self.set_number(number, place, NO_TIME),
                Some(Some(_)) => {
                    self.set_text(number, place, Span::NOTHING);
                    self.set_number(number, place, 0);
                }
                _ => {}
            }
        }
    }

    fn fill_from(&mut self, bytes: &[u8], place: usize, range: Range<usize>) -> Option<()> {
        let (mut seen, mut last) = (0_u64, 0);
        walk(bytes, range, |number, content| {
            let field = usize::try_from(number).ok()?;
            let kind = (*self.kinds.get(field)?)?;
            let bit = 1_u64.checked_shl(number)?;
            let is_first = seen & bit == 0;
            if !is_first && (kind != Kind::Texts || last != number) {
                return None; // a field that is there twice
            }
            seen |= bit;
            last = number;
            match (kind, content) {
                (Kind::Text, Content::Bytes(text)) => self.set_text(field, place, text_at(bytes, &text)?),
                (Kind::Uuid, Content::Bytes(text)) => {
                    uuid(bytes.get(text.clone())?)?;
                    self.set_text(field, place, Span::of(&text)?);
                }
                (Kind::Money, Content::Bytes(text)) => {
                    money(bytes.get(text.clone())?)?;
                    self.set_text(field, place, Span::of(&text)?);
                }
                (Kind::Texts, Content::Bytes(text)) => {
                    let text = text_at(bytes, &text)?;
                    let until = self.listed.len();
                    let from = if is_first { until } else { self.texts.get(field)?.get(place)?.range().start };
                    self.listed.push(text);
                    self.set_text(field, place, Span::of(&(from..until + 1))?);
                }
                (Kind::Time | Kind::MaybeTime, Content::Bytes(time)) => {
                    let time_ms = milliseconds(bytes, time)?;
                    if kind == Kind::Time && !self.is_within(time_ms) {
                        return None;
                    }
                    self.set_number(field, place, time_ms);
                }
                (Kind::Truth, Content::Varint(truth @ (0 | 1))) => self.set_number(field, place, i64::from(truth == 1)),
                (Kind::Fixed, Content::Fixed(value)) => self.set_number(field, place, value.cast_signed()),
                _ => return None,
            }
            Some(())
        })
    }
}

/// A text where it lies, if it is one.
pub fn text_at(bytes: &[u8], range: &Range<usize>) -> Option<Span> {
    str::from_utf8(bytes.get(range.clone())?).ok()?;
    Span::of(range)
}

/// The bytes of a UUID in its normal form.
pub fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut found = [0; 16];
    let mut digits = text.iter().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23)).map(|(_, digit)| *digit);
    let has_dashes = [8, 13, 18, 23].iter().all(|at| text.get(*at) == Some(&b'-'));
    if text.len() != 36 || !has_dashes {
        return None;
    }
    for byte in &mut found {
        *byte = nibble(digits.next()?)? << 4 | nibble(digits.next()?)?;
    }
    Some(found)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Ten thousandths of a decimal number with at most four decimals; None of "" is no number.
pub fn money(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let (mut value, mut decimals, mut has_point) = (0_i64, 0, false);
    for (at, digit) in digits.iter().enumerate() {
        match digit {
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
                decimals += u32::from(has_point);
            }
            b'.' if !has_point && at > 0 && at + 1 < digits.len() => has_point = true,
            _ => return None,
        }
    }
    let is_number = !digits.is_empty() && decimals <= 4 && digits.len() <= 19;
    let value = value.checked_mul(10_i64.pow(4_u32.checked_sub(decimals)?))?;
    (is_number && value < 1_000_000_000_000_000_000).then_some(if is_negative { -value } else { value })
}

/// Milliseconds of a Timestamp that is one.
fn milliseconds(bytes: &[u8], range: Range<usize>) -> Option<i64> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    walk(bytes, range, |number, content| {
        match (number, content) {
            (1, Content::Varint(value)) => seconds = value.cast_signed(),
            (2, Content::Varint(value)) => nanos = value.cast_signed(),
            _ => return None,
        }
        Some(())
    })?;
    let is_one = (0..1_000_000_000).contains(&nanos);
    let whole = seconds.checked_mul(1000).filter(|_| is_one)?;
    Some(whole + nanos / 1_000_000)
}

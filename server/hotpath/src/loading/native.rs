//! A block of ClickHouse's `Native` format: columns one after another, each with its name and type.

use crate::loading::table::{Kind, NO_TIME, Table, money, uuid};

/// All columns of the rows; `placed` writes the one of the segments' names, and the one of the rows in them.
pub fn block(table: &Table, rows: usize, placed: impl Fn(Kind, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(table.bytes.len() + rows * 64);
    number(&mut out, table.columns.len());
    number(&mut out, rows);
    for column in &table.columns {
        text(&mut out, column.name.as_bytes());
        text(&mut out, column.sent_as.as_bytes());
        let at = column.number;
        match column.kind {
            Kind::Segment | Kind::Row => placed(column.kind, &mut out),
            Kind::Text => (0..rows).for_each(|place| text(&mut out, table.text_bytes(at, place))),
            Kind::Uuid => {
                for place in 0..rows {
                    let id = uuid(table.text_bytes(at, place)).unwrap_or_default();
                    let (high, low) = id.split_at(8);
                    out.extend(high.iter().rev());
                    out.extend(low.iter().rev());
                }
            }
            Kind::Money => {
                let values: Vec<_> = (0..rows).map(|place| money(table.text_bytes(at, place))).collect();
                out.extend(values.iter().map(|value| u8::from(value.is_none())));
                values.iter().for_each(|value| out.extend_from_slice(&value.unwrap_or_default().to_le_bytes()));
            }
            Kind::MaybeTime => {
                let times: Vec<_> = (0..rows).map(|place| table.value(at, place)).collect();
                out.extend(times.iter().map(|time| u8::from(*time == NO_TIME)));
                for time in times {
                    out.extend_from_slice(&(if time == NO_TIME { 0 } else { time }).to_le_bytes());
                }
            }
            Kind::Time | Kind::Fixed => {
                (0..rows).for_each(|place| out.extend_from_slice(&table.value(at, place).to_le_bytes()));
            }
            Kind::Truth => out.extend((0..rows).map(|place| u8::from(table.value(at, place) != 0))),
            Kind::Texts => {
                let mut end = 0_u64;
                for place in 0..rows {
                    end += table.list(at, place).len() as u64;
                    out.extend_from_slice(&end.to_le_bytes());
                }
                for place in 0..rows {
                    table.list(at, place).iter().for_each(|one| text(&mut out, table.bytes_of(*one)));
                }
            }
        }
    }
    out
}

/// A text with its length before it.
pub fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len());
    out.extend_from_slice(text);
}

fn number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

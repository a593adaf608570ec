//! The fields of a protobuf message where they lie, without making a message of them.

use std::ops::Range;

/// What a field holds.
pub enum Content {
    /// An integer, or a truth.
    Varint(u64),
    /// Eight bytes.
    Fixed(u64),
    /// A text or a message: where its bytes are.
    Bytes(Range<usize>),
}

/// Go through the fields of the message at `range`; None where it is broken, or `each` will not have one of them.
pub fn walk(bytes: &[u8], range: Range<usize>, mut each: impl FnMut(u32, Content) -> Option<()>) -> Option<()> {
    let message = bytes.get(..range.end)?;
    let mut at = range.start;
    while at < range.end {
        let tag = varint(message, &mut at)?;
        let content = match tag & 7 {
            0 => Content::Varint(varint(message, &mut at)?),
            1 => {
                let eight = message.get(at..at.checked_add(8)?)?;
                at += 8;
                Content::Fixed(u64::from_le_bytes(eight.try_into().ok()?))
            }
            2 => {
                let size = usize::try_from(varint(message, &mut at)?).ok()?;
                let start = at;
                at = start.checked_add(size).filter(|end| *end <= range.end)?;
                Content::Bytes(start..at)
            }
            _ => return None, // groups, which no one writes any more, and four bytes, which no field of ours has
        };
        each(u32::try_from(tag >> 3).ok()?, content)?;
    }
    Some(())
}

fn varint(message: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *message.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

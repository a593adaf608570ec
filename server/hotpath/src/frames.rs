//! Records as a segment has them: the twin of `spool.format.encode_frames`, and of its `scan_segment` for what nothing
//! has happened to.

use std::ops::Range;

use crc32fast::Hasher;
use pyo3::prelude::*;

/// How a segment is laid out, as `spool.format` says.
#[derive(FromPyObject)]
pub struct Layout {
    header: Vec<u8>,
    marker: Vec<u8>,
    seed: u32,
    max_record_bytes: usize,
}

/// Its records, row 0 upwards; None where one is not whole. What follows on them was never acknowledged.
pub fn records(image: &[u8], layout: &Layout, rows: usize) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::with_capacity(rows.min(image.len() / 20));
    let mut at = layout.header.len();
    if image.get(..at)? != layout.header {
        return None;
    }
    for row in 0..rows {
        let head = image.get(at..at.checked_add(16)?)?;
        let mut sum = Hasher::new_with_initial(layout.seed);
        sum.update(head);
        let length = usize::try_from(word(image, at + 4)?).ok()?;
        let start = at + 20;
        let record = image.get(start..start.checked_add(length)?)?;
        let is_whole = head.get(..4)? == layout.marker
            && length <= layout.max_record_bytes
            && usize::try_from(word(image, at + 8)?).ok()? == row
            && word(image, at + 16)? == sum.finalize()
            && word(image, at + 12)? == crc32fast::hash(record);
        if !is_whole {
            return None;
        }
        at = start + length;
        found.push(start..at);
    }
    Some(found)
}

/// Put the frame of a row behind others; None where no frame can be as long.
pub fn add(image: &mut Vec<u8>, layout: &Layout, row: u32, record: &[u8]) -> Option<()> {
    let start = image.len();
    image.extend_from_slice(&layout.marker);
    for number in [u32::try_from(record.len()).ok()?, row, crc32fast::hash(record)] {
        image.extend_from_slice(&number.to_le_bytes());
    }
    let mut sum = Hasher::new_with_initial(layout.seed);
    sum.update(image.get(start..)?);
    image.extend_from_slice(&sum.finalize().to_le_bytes());
    image.extend_from_slice(record);
    Some(())
}

fn word(image: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?))
}

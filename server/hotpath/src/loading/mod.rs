//! The loader's half: segments in, the columns of events.valid_events out, without a message for each event.
//!
//! It takes what Python would read, and leaves a batch to Python as a whole where a byte of it is unusual. What becomes
//! of events is decided in Python (`loader/by_columns.py`), by what this tells of all of them.

mod facts;
mod native;
mod reading;
mod rows;
mod table;
mod wire;

pub use rows::Rows;

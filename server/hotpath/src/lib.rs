//! The compiled way of an ordinary event: bytes of a call in, protobuf or JSON, spool records and receipts out; and in
//! `loading`, segments of the spool in, columns of a table out. Between the two is the disk's thread of a worker.
//!
//! It may only say yes. Whatever it does not know to be ordinary is "yours": Python, which stays the reference, judges
//! that event. What it does take is byte for byte what Python would have made; tests hold the two together.
//!
//! Invariants: no bytes make it panic; a slice of work ends with the first event beyond its size; every limit, pattern
//! and word comes from the Python module that owns it (`rules`).

mod body;
mod call;
mod circumstances;
mod decode;
mod disk;
mod frames;
mod json;
mod judge;
mod loading;
mod metadata;
mod money;
mod receipt;
mod record;
mod rules;
mod visitors;

/// The contract's messages and the spool's, as `build.rs` makes them.
#[allow(missing_docs, dead_code, clippy::all)]
mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

use pyo3::prelude::*;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The module as Python sees it; `qrumb_hotpath.pyi` has its types.
#[pymodule]
mod qrumb_hotpath {
    #[pymodule_export]
    use crate::call::{Call, Judge};
    #[pymodule_export]
    use crate::circumstances::{Caller, Site};
    #[pymodule_export]
    use crate::disk::{AppendFile, Disk};
    #[pymodule_export]
    use crate::loading::Rows;

    /// What Python and this say to each other; another number, another language.
    #[pymodule_export]
    const INTERFACE: u32 = 12;
}

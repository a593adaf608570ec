//! A worker's disk: what its event loop hands over is written and synced by a thread that never needs the interpreter.
//!
//! A group commit is short. A thread of Python would wait for the interpreter before and after it, and make the event
//! loop wait as well.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::frames::{self, Layout};

/// What an error without a number counts as: a fault of the disk.
const EIO: i32 = 5;

fn number_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EIO)
}

/// A file that is only ever written at its end: `spool.filesystem.AppendFile`.
#[pyclass(frozen, module = "qrumb_hotpath")]
pub struct AppendFile {
    file: Mutex<Option<Arc<File>>>,
}

impl AppendFile {
    fn opened(&self) -> io::Result<Arc<File>> {
        let file = self.file.lock().ok().and_then(|file| file.clone());
        file.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn with<T: Send>(&self, py: Python<'_>, call: impl FnOnce(&File) -> io::Result<T> + Send) -> PyResult<T> {
        let done = self.opened().and_then(|file| py.detach(|| call(&file)));
        done.map_err(|error| fault(py, &error, None))
    }
}

/// As Python's own calls raise it.
fn fault(py: Python<'_>, error: &io::Error, path: Option<PathBuf>) -> PyErr {
    let number = number_of(error);
    let text = py.import("os").and_then(|os| os.call_method1("strerror", (number,))).map(Bound::unbind);
    text.map_or_else(|error| error, |text| PyOSError::new_err((number, text, path)))
}

#[pymethods]
impl AppendFile {
    /// A new, empty file.
    #[staticmethod]
    fn create(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(|| OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path));
        let file = opened.map_err(|error| fault(py, &error, Some(path)))?;
        Ok(Self { file: Mutex::new(Some(Arc::new(file))) })
    }

    /// Append, and return how many bytes were taken.
    fn write(&self, py: Python<'_>, content: PyBuffer<u8>) -> PyResult<usize> {
        let content = content.to_vec(py)?;
        self.with(py, |mut file| file.write(&content))
    }

    /// Make content and length durable.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, File::sync_data)
    }

    /// Cut the end off.
    fn truncate(&self, py: Python<'_>, size_bytes: u64) -> PyResult<()> {
        self.with(py, |file| file.set_len(size_bytes))
    }

    /// Let go of the file.
    fn close(&self) {
        if let Ok(mut file) = self.file.lock() {
            *file = None;
        }
    }
}

struct Job {
    file: Arc<File>,
    content: Vec<u8>,
}

/// The thread, one for a worker; one job at a time.
#[pyclass(frozen, module = "qrumb_hotpath")]
pub struct Disk {
    jobs: Mutex<Option<Sender<Job>>>,
    ended: PipeReader,
}

#[pymethods]
impl Disk {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let (jobs, work) = mpsc::channel();
        let begun = io::pipe().and_then(|(ended, told)| {
            thread::Builder::new().name("disk".to_owned()).spawn(|| serve(work, told))?;
            Ok(ended)
        });
        let ended = begun.map_err(|error| fault(py, &error, None))?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), ended })
    }

    /// A descriptor that can be read once a job has ended.
    fn fileno(&self) -> i32 {
        self.ended.as_raw_fd()
    }

    /// Begin to append the frames of these records, `first_row` upwards.
    fn append(
        &self,
        file: &AppendFile,
        records: &Bound<'_, PyList>,
        size_bytes: usize,
        first_row: u32,
        layout: Layout,
    ) -> PyResult<()> {
        let mut content = Vec::with_capacity(size_bytes);
        for (record, row) in records.iter().zip(first_row..) {
            let framed = frames::add(&mut content, &layout, row, record.cast::<PyBytes>()?.as_bytes());
            framed.ok_or_else(|| PyValueError::new_err("a record is too long"))?;
        }
        let file = file.opened().map_err(|error| fault(records.py(), &error, None))?;
        let jobs = self.jobs.lock().ok();
        let sent = jobs.as_ref().and_then(|jobs| jobs.as_ref()).map(|jobs| jobs.send(Job { file, content }));
        matches!(sent, Some(Ok(()))).then_some(()).ok_or_else(|| PyRuntimeError::new_err("the disk's thread ended"))
    }

    /// How the job ended, once it has: 0, or the number of the error that ended its write, or below 0 its sync.
    fn ended(&self, py: Python<'_>) -> PyResult<i32> {
        let mut said = [0; 4];
        let read = (&self.ended).read_exact(&mut said);
        read.map(|()| i32::from_ne_bytes(said)).map_err(|error| fault(py, &error, None))
    }

    /// End the thread after its job.
    fn close(&self) {
        if let Ok(mut jobs) = self.jobs.lock() {
            *jobs = None;
        }
    }
}

fn serve(work: Receiver<Job>, mut told: impl Write) {
    for Job { file, content } in work {
        let ended = match file.as_ref().write_all(&content) {
            Err(error) => number_of(&error),
            Ok(()) => file.sync_data().map_or_else(|error| -number_of(&error), |()| 0),
        };
        drop(file); // so that closing it closes it, once it is told that the job has ended
        if told.write_all(&ended.to_ne_bytes()).is_err() {
            break;
        }
    }
}

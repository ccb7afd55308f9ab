//! Reads of large files: in place when the bytes are in memory, else on a few threads of the folder's own.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::{Arc, OnceLock};
use std::thread;

use bytes::Bytes;
use crossbeam::channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

/// How many reads of one folder wait for a disk at a time.
const THREADS: usize = 4;

/// Reads what is not in memory. Its threads start with the first such read, and end when it is dropped.
#[derive(Default)]
pub(super) struct Reader {
    jobs: OnceLock<Sender<Job>>,
}

/// A read that is waited for.
pub(super) type Reading = oneshot::Receiver<io::Result<Bytes>>;

struct Job {
    file: Arc<File>,
    at: u64,
    len: usize,
    done: oneshot::Sender<io::Result<Bytes>>,
}

impl Reader {
    /// Begins a read on another thread. A body waits for one at a time, so no more wait than there are bodies.
    pub(super) fn begin(&self, file: &Arc<File>, at: u64, len: usize) -> io::Result<Reading> {
        let (done, reading) = oneshot::channel();
        let job = Job { file: Arc::clone(file), at, len, done };
        self.jobs()?.send(job).map_err(|_| io::Error::other("no thread reads files any more"))?;
        Ok(reading)
    }

    fn jobs(&self) -> io::Result<&Sender<Job>> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let (jobs, come) = unbounded::<Job>();
        for number in 0..THREADS {
            let come = come.clone();
            thread::Builder::new().name(format!("fnhost-files-{number}")).spawn(move || work(&come))?;
        }
        // Of two who come first, the threads of one end again.
        Ok(self.jobs.get_or_init(|| jobs))
    }
}

fn work(jobs: &Receiver<Job>) {
    for Job { file, at, len, done } in jobs {
        // Nobody waits for it when the client has gone.
        if !done.is_closed() {
            let read = read_exact(&file, at, len);
            drop(file);
            let _ = done.send(read);
        }
    }
}

/// Reads so many bytes, and waits for the disk.
///
/// # Errors
///
/// `UnexpectedEof` when they are no longer there.
pub(super) fn read_exact(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut read = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match read_at(file, &mut read[filled..], at + filled as u64) {
            Ok(0) => return Err(shrunk(at + filled as u64)),
            Ok(some) => filled += some,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read.into())
}

/// Reads what is in memory of so many bytes; none when nothing is, or when the system cannot tell.
pub(super) fn read_at_once(file: &File, at: u64, len: usize) -> Option<io::Result<Bytes>> {
    let mut read = vec![0; len];
    match read_cached(file, &mut read, at) {
        Ok(0) => Some(Err(shrunk(at))),
        Ok(some) => {
            read.truncate(some);
            Some(Ok(read.into()))
        }
        Err(_) => None,
    }
}

fn shrunk(at: u64) -> io::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        format!("the file ends at byte {at}: it has shrunk while it was sent"),
    )
}

#[cfg(target_os = "linux")]
fn read_cached(file: &File, read: &mut [u8], at: u64) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    Ok(preadv2(file, &mut [io::IoSliceMut::new(read)], at, ReadWriteFlags::NOWAIT)?)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn read_at(file: &File, read: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, read, at)
}

#[cfg(windows)]
fn read_at(file: &File, read: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, read, at)
}

//! How far a conversion is, and the way to stop it; and a writer that knows when to end.

use std::{
    fs::File,
    io::{self, Seek as _, Write},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

/// Watches a conversion from another thread.
#[derive(Debug, Default)]
pub struct Watch {
    permille: AtomicU16,
    stopped: AtomicBool,
}

impl Watch {
    /// How far it is, in thousandths.
    pub fn permille(&self) -> u16 {
        self.permille.load(Ordering::Relaxed)
    }

    /// Asks it to stop soon.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// True once it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Says how far it is.
    pub(crate) fn tell(&self, permille: u64) {
        self.permille.store(u16::try_from(permille.min(1_000)).unwrap_or(1_000), Ordering::Relaxed);
    }
}

/// The conversion's side of a [`Watch`], over one pass through a file.
#[derive(Debug, Clone)]
pub(super) struct Stop(Rc<Pass>);

#[derive(Debug)]
struct Pass {
    /// Shares its position with whoever reads the file.
    file: File,
    size_bytes: u64,
    watch: Arc<Watch>,
    from: u64,
    until: u64,
}

impl Stop {
    /// A pass over `file` that takes progress from `from` to `until` thousandths.
    pub(super) fn over(file: &File, watch: &Arc<Watch>, from: u64, until: u64) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len().max(1);
        Ok(Self(Rc::new(Pass { file: file.try_clone()?, size_bytes, watch: Arc::clone(watch), from, until })))
    }

    /// Tells how far it is; false when it is to stop.
    pub(super) fn goes_on(&self) -> bool {
        let pass = &self.0;
        let at = (&pass.file).stream_position().unwrap_or(0).min(pass.size_bytes);
        let share = u128::from(pass.until - pass.from) * u128::from(at) / u128::from(pass.size_bytes);
        pass.watch.tell(pass.from + u64::try_from(share).unwrap_or(0));
        !pass.watch.is_stopped()
    }
}

/// A writer that refuses to write more than so many bytes.
pub(crate) struct Bounded<W> {
    inner: W,
    left: u64,
}

impl<W> Bounded<W> {
    pub(crate) fn new(inner: W, bytes_max: u64) -> Self {
        Self { inner, left: bytes_max }
    }
}

impl<W: Write> Bounded<W> {
    /// Ends it, once everything is written.
    pub(crate) fn into_inner(mut self) -> io::Result<W> {
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "the result is too large"))?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

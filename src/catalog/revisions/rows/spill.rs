//! Working files: what does not fit into memory, split by the hash of a key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Working files of one split; a power of two.
const BUCKETS: usize = 32;
/// Names tried before giving up.
const NAMES_MAX: u64 = 1_000;

/// A hash that stands for a key or a row: the first half of a SHA-256, so that nobody finds two rows for one.
pub(super) type Hash = [u8; 16];

/// Opens an empty file in `dir` that has no name any more: it is gone when it is closed, also by a crash.
pub(super) fn unnamed_file(dir: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(dir)?;
    for _ in 0..NAMES_MAX {
        let path = dir.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        match OpenOptions::new().create_new(true).read(true).write(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // A process of the same number on another machine is at it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no working file can be made"))
}

/// Records split by hash, in the order in which they were written.
pub(super) struct Buckets(Vec<BufWriter<File>>);

impl Buckets {
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        (0..BUCKETS).map(|_| unnamed_file(dir).map(BufWriter::new)).collect::<io::Result<_>>().map(Self)
    }

    /// Adds a record to the bucket of its hash.
    pub(super) fn add(&mut self, hash: &Hash, record: &[u8]) -> io::Result<()> {
        let at = usize::from(hash[0]) % BUCKETS;
        self.0.get_mut(at).map_or(Ok(()), |file| file.write_all(record))
    }

    /// The buckets, each read from its beginning.
    pub(super) fn into_readers(self) -> io::Result<Vec<BufReader<File>>> {
        let rewound = self.0.into_iter().map(|writer| {
            let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            Ok(BufReader::new(file))
        });
        rewound.collect()
    }
}

/// Reads `buffer` full; false at the end of the file.
pub(super) fn read_record(reader: &mut BufReader<File>, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(true)
}

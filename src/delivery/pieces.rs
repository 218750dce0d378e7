//! A part of a large file, read in big pieces one ahead of the reader.
//!
//! Each piece of a local file is one short visit to the blocking pool: a slow client holds no thread, and at most
//! two pieces are in memory, the one on its way out and the one being read. Of a whole file the last piece is held
//! back until the digest of all of them is known to be right: a reader never gets a damaged file whole.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use tokio::task::{JoinHandle, spawn_blocking};

use super::damage::Damage;
use crate::{base::digest::Sha256, limits};

/// The bytes of a range, in order.
pub struct Pieces(Source);

enum Source {
    Local { ready: Option<Bytes>, reading: Option<JoinHandle<io::Result<(Reader, Bytes)>>> },
    Remote(BoxStream<'static, io::Result<Bytes>>),
}

/// What a whole file is compared with.
pub(super) struct Expected {
    pub(super) key: String,
    pub(super) sha256: String,
    pub(super) damage: Damage,
}

struct Check {
    hash: Sha256,
    expected: Expected,
}

struct Reader {
    file: File,
    left_bytes: u64,
    check: Option<Check>,
}

impl Pieces {
    /// Opens a local file that must hold `size_bytes`, and reads the first piece of `range` right away: a file that is
    /// missing or of another size is found out before an answer begins. `expected` is for whole files.
    pub(super) async fn open(
        path: PathBuf,
        size_bytes: u64,
        range: Range<u64>,
        expected: Option<Expected>,
    ) -> io::Result<Self> {
        let opened = spawn_blocking(move || Reader::open(path, size_bytes, range, expected)?.read_piece()).await;
        let (reader, piece) = opened.map_err(io::Error::other)??;
        Ok(Self(Source::Local { ready: Some(piece), reading: reader.read_ahead() }))
    }

    /// The pieces of a remote file as they come, `size_bytes` in all; checked where they are a whole file.
    pub(super) fn remote(
        pieces: BoxStream<'static, object_store::Result<Bytes>>,
        size_bytes: u64,
        expected: Option<Expected>,
    ) -> Self {
        let pieces = pieces.map(|piece| piece.map_err(io::Error::from));
        Self(Source::Remote(match expected {
            None => pieces.boxed(),
            Some(expected) => checked(pieces.boxed(), size_bytes, expected),
        }))
    }
}

/// The same pieces, the last one only if all of them together are what was stored.
fn checked(
    pieces: BoxStream<'static, io::Result<Bytes>>,
    size_bytes: u64,
    expected: Expected,
) -> BoxStream<'static, io::Result<Bytes>> {
    let check = Check { hash: Sha256::new(), expected };
    futures::stream::try_unfold((pieces, size_bytes, Some(check)), |(mut pieces, left, mut check)| async move {
        let Some(piece) = pieces.next().await.transpose()? else {
            return if left == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        let left = left.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
        if let Some(check) = &mut check {
            check.hash.update(&piece);
        }
        if left == 0
            && let Some(check) = check.take()
        {
            check.finish()?;
        }
        Ok(Some((piece, (pieces, left, check))))
    })
    .boxed()
}

impl Check {
    /// Refuses when what was read is not what was stored, and notes it.
    fn finish(self) -> io::Result<()> {
        let Expected { key, sha256, damage } = self.expected;
        if self.hash.finish_hex() == sha256 {
            return Ok(());
        }
        let text = format!("the stored file {key} was changed: its SHA-256 is not {sha256}");
        damage.note(key);
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Pieces {
    /// Reads a file that is open already, from its beginning.
    pub(super) async fn of(file: File, size_bytes: u64) -> io::Result<Self> {
        let opened = spawn_blocking(move || Reader { file, left_bytes: size_bytes, check: None }.read_piece()).await;
        let (reader, piece) = opened.map_err(io::Error::other)??;
        Ok(Self(Source::Local { ready: Some(piece), reading: reader.read_ahead() }))
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (piece, next) = match &mut self.0 {
            Source::Remote(pieces) => return pieces.poll_next_unpin(context),
            Source::Local { ready, reading } => {
                if let Some(piece) = ready.take() {
                    return Poll::Ready(Some(Ok(piece)));
                }
                let Some(task) = reading.as_mut() else { return Poll::Ready(None) };
                let read = ready!(Pin::new(task).poll(context));
                *reading = None;
                match read.map_err(io::Error::other).and_then(|read| read) {
                    Ok((reader, piece)) => (Ok(piece), reader.read_ahead()),
                    Err(error) => (Err(error), None),
                }
            }
        };
        if let Source::Local { reading, .. } = &mut self.0 {
            *reading = next;
        }
        Poll::Ready(Some(piece))
    }
}

impl Reader {
    fn open(path: PathBuf, size_bytes: u64, range: Range<u64>, expected: Option<Expected>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let found = file.metadata()?.len();
        if found != size_bytes {
            if let Some(expected) = expected {
                expected.damage.note(expected.key);
            }
            return Err(io::Error::other(format!("the stored file holds {found} bytes instead of {size_bytes}")));
        }
        file.seek(SeekFrom::Start(range.start))?;
        let check = expected.map(|expected| Check { hash: Sha256::new(), expected });
        Ok(Self { file, left_bytes: range.end.saturating_sub(range.start), check })
    }

    fn read_piece(mut self) -> io::Result<(Self, Bytes)> {
        let want = self.left_bytes.min(limits::DOWNLOAD_PIECE_BYTES);
        // Not zeroed first: `read_to_end` fills spare capacity.
        let mut piece = Vec::with_capacity(usize::try_from(want).unwrap_or(0));
        let got = u64::try_from((&self.file).take(want).read_to_end(&mut piece)?).unwrap_or(0);
        if got != want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left_bytes -= want;
        if let Some(check) = &mut self.check {
            check.hash.update(&piece);
        }
        if self.left_bytes == 0
            && let Some(check) = self.check.take()
        {
            check.finish()?;
        }
        Ok((self, piece.into()))
    }

    fn read_ahead(self) -> Option<JoinHandle<io::Result<(Self, Bytes)>>> {
        (self.left_bytes > 0).then(|| spawn_blocking(move || self.read_piece()))
    }
}

//! A part of a large file, read in big pieces one ahead of the reader.
//!
//! Each piece is one short visit to the blocking pool: a slow client holds no thread, and at most
//! two pieces are in memory, the one on its way out and the one being read.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::limits;

/// The bytes of a range, in order.
#[derive(Debug)]
pub struct Pieces {
    ready: Option<Bytes>,
    reading: Option<JoinHandle<io::Result<(Reader, Bytes)>>>,
}

#[derive(Debug)]
struct Reader {
    file: File,
    left_bytes: u64,
}

impl Pieces {
    /// Opens a file that must hold `size_bytes`, and reads the first piece of `range` right away: a
    /// file that is missing or of another size is found out before an answer begins.
    pub(super) async fn open(path: PathBuf, size_bytes: u64, range: Range<u64>) -> io::Result<Self> {
        let opened = spawn_blocking(move || Reader::open(path, size_bytes, range)?.read_piece()).await;
        let (reader, piece) = opened.map_err(io::Error::other)??;
        Ok(Self { ready: Some(piece), reading: reader.read_ahead() })
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(piece) = self.ready.take() {
            return Poll::Ready(Some(Ok(piece)));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        match read.map_err(io::Error::other).and_then(|read| read) {
            Ok((reader, piece)) => {
                self.reading = reader.read_ahead();
                Poll::Ready(Some(Ok(piece)))
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl Reader {
    fn open(path: PathBuf, size_bytes: u64, range: Range<u64>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let found = file.metadata()?.len();
        if found != size_bytes {
            return Err(io::Error::other(format!("the stored file holds {found} bytes instead of {size_bytes}")));
        }
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Self { file, left_bytes: range.end.saturating_sub(range.start) })
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
        Ok((self, piece.into()))
    }

    fn read_ahead(self) -> Option<JoinHandle<io::Result<(Self, Bytes)>>> {
        (self.left_bytes > 0).then(|| spawn_blocking(move || self.read_piece()))
    }
}

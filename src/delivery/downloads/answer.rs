//! The bytes of an answer, counted as they leave.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use crate::{
    delivery::{Delivered, Pieces, Recorder},
    limits,
};

/// Where the bytes come from.
pub(super) enum Content {
    /// A small file, or a part of one.
    Memory(Bytes),
    /// A large one.
    Stored(Pieces),
}

/// A body that counts what the connection takes, and notes the delivery when it ends, however it ends.
///
/// The count is of bytes handed to the connection; when a client goes away it may exceed what arrived
/// by what was still in buffers, some 0.5 MB.
pub(super) struct Counted {
    content: Content,
    delivered: Option<Delivered>,
    recorder: Recorder,
}

impl Counted {
    /// Sends `content`, and notes it as `delivered` with the bytes that were sent.
    pub(super) fn new(content: Content, delivered: Delivered, recorder: Recorder) -> Self {
        Self { content, delivered: Some(delivered), recorder }
    }
}

impl Stream for Counted {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match &mut self.content {
            Content::Memory(rest) => Poll::Ready(next_piece(rest).map(Ok)),
            Content::Stored(pieces) => pieces.poll_next_unpin(context),
        };
        if let (Poll::Ready(Some(Ok(piece))), Some(delivered)) = (&next, &mut self.delivered) {
            delivered.bytes_sent += u64::try_from(piece.len()).unwrap_or(0);
        }
        if let Poll::Ready(Some(Err(error))) = &next {
            tracing::error!(error = %error, "a download broke off: {error}");
        }
        next
    }
}

/// Splits off what goes out at once; the memory is shared, not copied.
fn next_piece(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.len().min(usize::try_from(limits::DOWNLOAD_PIECE_BYTES).unwrap_or(usize::MAX));
    (length > 0).then(|| rest.split_to(length))
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(delivered) = self.delivered.take() {
            self.recorder.record(delivered);
        }
    }
}

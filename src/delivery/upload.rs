//! Bytes on their way into the store, hashed as they pass.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::MultipartUpload;

use super::Stored;
use crate::{
    base::digest::Sha256,
    error::{Error, Problem, Result},
};

/// The size with one more piece.
///
/// # Errors
/// [`Problem::TooLarge`] beyond `bytes_max`.
pub(super) fn counted(size_bytes: u64, piece: &Bytes, bytes_max: u64) -> Result<u64> {
    let size_bytes = size_bytes + piece.len() as u64;
    if size_bytes > bytes_max {
        return Err(Error::new(Problem::TooLarge, format!("A file holds at most {bytes_max} bytes here.")));
    }
    Ok(size_bytes)
}

/// A multipart upload; what is not completed is given up, also when the client hangs up in the middle.
pub(super) struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    pub(super) fn begun(upload: Box<dyn MultipartUpload>) -> Self {
        Self(Some(upload))
    }

    /// Writes `body` in parts of so many bytes.
    ///
    /// # Errors
    /// Those of the stream; [`Problem::TooLarge`] beyond `bytes_max`; internal ones of the store.
    pub(super) async fn write_parts<S>(&mut self, mut body: S, bytes_max: u64, part_bytes: usize) -> Result<Stored>
    where
        S: Stream<Item = Result<Bytes>> + Unpin + Send,
    {
        let (mut hash, mut size_bytes, mut part) = (Sha256::new(), 0_u64, Vec::with_capacity(part_bytes));
        while let Some(piece) = body.next().await {
            let mut piece = piece?;
            size_bytes = counted(size_bytes, &piece, bytes_max)?;
            hash.update(&piece);
            while part.len() + piece.len() >= part_bytes {
                part.extend_from_slice(&piece.split_to(part_bytes - part.len()));
                self.put_part(std::mem::replace(&mut part, Vec::with_capacity(part_bytes))).await?;
            }
            part.extend_from_slice(&piece);
        }
        if !part.is_empty() {
            self.put_part(part).await?;
        }
        Ok(Stored { size_bytes, sha256: hash.finish_hex() })
    }

    async fn put_part(&mut self, part: Vec<u8>) -> Result<()> {
        match &mut self.0 {
            Some(upload) => upload.put_part(part.into()).await.map_err(Error::internal),
            None => Err(Error::internal("the upload has ended")),
        }
    }

    /// Gives it up.
    pub(super) async fn abort(&mut self) {
        if let Some(mut upload) = self.0.take()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(error = %error, "an upload that was given up could not be removed: {error}");
        }
    }

    /// Makes the key appear, whole.
    ///
    /// # Errors
    /// Internal ones of the store.
    pub(super) async fn complete(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(upload) => {
                upload.complete().await.map_err(Error::internal)?;
                self.0 = None;
                Ok(())
            }
            None => Err(Error::internal("the upload has ended")),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { Self(Some(upload)).abort().await });
        }
    }
}

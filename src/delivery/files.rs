//! Where the bytes of all revisions are kept.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::{MultipartUpload as _, ObjectStoreExt as _, local::LocalFileSystem, path::Path as Key};
use quick_cache::{Weighter, sync::Cache};

use super::pieces::Pieces;
use crate::{
    base::digest::{Sha256, sha256_hex},
    error::{Error, Problem, Result},
    limits,
};

/// Bytes gathered before they are handed to the store.
const PART_BYTES: usize = 1024 * 1024;

/// How many small files the memory is laid out for; more fit, if they are smaller.
const SMALL_FILES_EXPECTED: usize = 1_024;

/// The store of files, by key. A key is written once and never changes.
#[derive(Debug)]
pub struct Files {
    store: LocalFileSystem,
    root: PathBuf,
    /// Small files as they were last read, whole and checked.
    small: Cache<String, Bytes, ByBytes>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Bytes> for ByBytes {
    fn weight(&self, key: &String, file: &Bytes) -> u64 {
        u64::try_from(key.len() + file.len()).unwrap_or(u64::MAX)
    }
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes written.
    pub size_bytes: u64,
    /// SHA-256 of them, 64 hexadecimal digits.
    pub sha256: String,
}

impl Files {
    /// Opens the store in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory can't be made or read.
    pub fn open(dir: &Path) -> Result<Self> {
        let named = |error: &dyn std::fmt::Display| Error::internal(format!("{}: {error}", dir.display()));
        std::fs::create_dir_all(dir).map_err(|error| named(&error))?;
        let root = dir.canonicalize().map_err(|error| named(&error))?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| named(&error))?;
        let small = Cache::with_weighter(SMALL_FILES_EXPECTED, limits::SMALL_FILES_BYTES_MAX, ByBytes);
        Ok(Self { store, root, small })
    }

    /// Streams `body` into a fresh key. Nothing stays behind when it fails.
    ///
    /// # Errors
    /// Those of the stream; [`Problem::TooLarge`] beyond `bytes_max`; internal ones of the store.
    pub async fn put<S>(&self, key: &str, body: S, bytes_max: u64) -> Result<Stored>
    where
        S: Stream<Item = Result<Bytes>> + Unpin + Send,
    {
        let mut upload = self.store.put_multipart(&Key::from(key)).await.map_err(Error::internal)?;
        match write_parts(upload.as_mut(), body, bytes_max).await {
            Ok(stored) => {
                upload.complete().await.map_err(Error::internal)?;
                Ok(stored)
            }
            Err(error) => {
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Removes a key that nothing refers to; one that is not there is fine.
    ///
    /// # Errors
    /// Internal ones of the store.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&Key::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// A small file, whole: from memory, or read once and checked against its SHA-256.
    ///
    /// # Errors
    /// Internal ones when the file is missing, or is not the one that was stored.
    pub async fn read_small(&self, key: &str, size_bytes: u64, sha256: &str) -> Result<Bytes> {
        if let Some(file) = self.small.get(key) {
            return Ok(file);
        }
        let load = async {
            let mut pieces = self.read(key, size_bytes, 0..size_bytes).await?;
            let mut file = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
            while let Some(piece) = pieces.next().await {
                file.extend_from_slice(&piece.map_err(Error::internal)?);
            }
            if sha256_hex(&file) != sha256 {
                return Err(Error::internal(format!("the stored file {key} was changed: its SHA-256 is not {sha256}")));
            }
            Ok(Bytes::from(file))
        };
        self.small.get_or_insert_async(key, load).await
    }

    /// A range of a file that holds `size_bytes`, in pieces of at most [`limits::DOWNLOAD_PIECE_BYTES`].
    ///
    /// # Errors
    /// Internal ones when the file is missing or of another size.
    pub async fn read(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Pieces> {
        let named = |error| Error::internal(format!("the stored file {key} can't be read: {error}"));
        Pieces::open(self.local_path(key), size_bytes, range).await.map_err(named)
    }

    /// The file behind a key, for blocking readers such as the profiler.
    pub fn local_path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}

async fn write_parts<S>(upload: &mut dyn object_store::MultipartUpload, mut body: S, bytes_max: u64) -> Result<Stored>
where
    S: Stream<Item = Result<Bytes>> + Unpin + Send,
{
    let (mut hash, mut size_bytes, mut part) = (Sha256::new(), 0_u64, Vec::with_capacity(PART_BYTES));
    while let Some(piece) = body.next().await {
        let piece = piece?;
        size_bytes += piece.len() as u64;
        if size_bytes > bytes_max {
            return Err(Error::new(Problem::TooLarge, format!("A file holds at most {bytes_max} bytes here.")));
        }
        hash.update(&piece);
        part.extend_from_slice(&piece);
        if part.len() >= PART_BYTES {
            let full = std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES));
            upload.put_part(full.into()).await.map_err(Error::internal)?;
        }
    }
    if !part.is_empty() {
        upload.put_part(part.into()).await.map_err(Error::internal)?;
    }
    Ok(Stored { size_bytes, sha256: hash.finish_hex() })
}

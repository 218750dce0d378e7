//! Where the bytes of all revisions are kept: a local directory, or a bucket.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    local::LocalFileSystem,
    path::Path as Key,
    signer::{SignedUrlOptions, Signer},
};
use quick_cache::{Weighter, sync::Cache};
use tokio_util::io::ReaderStream;

use super::{
    damage::Damage,
    pieces::{Expected, Pieces},
    upload::{Upload, counted},
};
use crate::{
    base::digest::{Sha256, sha256_hex},
    error::{Error, Result},
    limits,
};

/// Bytes gathered before they are handed to a local directory.
const LOCAL_PART_BYTES: usize = 1024 * 1024;
/// Bytes of a part of a multipart upload: 10,000 of them, the most there can be, hold more than the largest file.
///
/// Source: Amazon S3 user guide, "Multipart upload limits" (5 MiB to 5 GiB).
const REMOTE_PART_BYTES: usize = 8 * 1024 * 1024;

/// How many small files the memory is laid out for; more fit, if they are smaller.
const SMALL_FILES_EXPECTED: usize = 1_024;

/// The store of files, by key. A key is written once and never changes.
#[derive(Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    place: Place,
    /// For what is being made; nothing in it is kept.
    scratch: PathBuf,
    /// Small files as they were last read, whole and checked.
    small: Cache<String, Bytes, ByBytes>,
    damage: Damage,
}

#[derive(Debug)]
enum Place {
    Local(Local),
    Remote(Remote),
}

#[derive(Debug)]
struct Local {
    root: PathBuf,
    /// Where the web server in front has this directory, for itself alone.
    accel_prefix: Option<String>,
}

/// Who sends a file instead of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherSender {
    /// The bucket, at this signed address.
    Bucket(String),
    /// The web server in front, which has the file at this path (`X-Accel-Redirect`).
    WebServer(String),
}

/// A bucket that can hand out its files itself.
#[derive(Debug)]
pub struct Remote {
    /// Signs addresses.
    pub signer: Arc<dyn Signer>,
    /// How long an address holds.
    pub link: Duration,
    /// Downloads are answered with such an address instead of the bytes.
    pub redirects: bool,
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

/// A stored file on this machine; of a bucket a copy that is gone with it.
#[derive(Debug)]
pub struct LocalCopy {
    path: PathBuf,
    is_copy: bool,
}

impl LocalCopy {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalCopy {
    fn drop(&mut self) {
        if self.is_copy {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Files {
    /// Opens the store in the directory `dir`, with `scratch` for what is being made; both are made if they are not
    /// there.
    ///
    /// # Errors
    /// When a directory can't be made or read.
    pub fn open(dir: &Path, scratch: &Path) -> Result<Self> {
        make_dir(dir)?;
        let root = dir.canonicalize().map_err(|error| named(dir, &error))?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| named(dir, &error))?;
        Self::over(Arc::new(store), Place::Local(Local { root, accel_prefix: None }), scratch)
    }

    /// Leaves the sending of files in a directory to the web server in front, which has it at `prefix`; empty does not.
    #[must_use]
    pub fn sent_by_web_server(mut self, prefix: &str) -> Self {
        if let Place::Local(local) = &mut self.place {
            local.accel_prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        }
        self
    }

    /// Takes a bucket as the store.
    ///
    /// # Errors
    /// When `scratch` can't be made.
    pub fn remote(store: Arc<dyn ObjectStore>, remote: Remote, scratch: &Path) -> Result<Self> {
        Self::over(store, Place::Remote(remote), scratch)
    }

    fn over(store: Arc<dyn ObjectStore>, place: Place, scratch: &Path) -> Result<Self> {
        make_dir(scratch)?;
        let small = Cache::with_weighter(SMALL_FILES_EXPECTED, limits::SMALL_FILES_BYTES_MAX, ByBytes);
        Ok(Self { store, place, scratch: scratch.to_owned(), small, damage: Damage::default() })
    }

    /// Asks the store for a file that is not there: settings that don't hold show at once.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub async fn check(&self) -> Result<()> {
        match self.store.head(&Key::from("nothing")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::internal(format!("the store of files can't be used: {error}"))),
        }
    }

    /// Streams `body` into a fresh key. Nothing stays behind when it fails.
    ///
    /// # Errors
    /// Those of the stream; [`TooLarge`](crate::error::Problem::TooLarge) beyond `bytes_max`; internal ones of the store.
    pub async fn put<S>(&self, key: &str, body: S, bytes_max: u64) -> Result<Stored>
    where
        S: Stream<Item = Result<Bytes>> + Unpin + Send,
    {
        let part_bytes = match self.place {
            Place::Local(_) => LOCAL_PART_BYTES,
            Place::Remote(_) => REMOTE_PART_BYTES,
        };
        let upload = self.store.put_multipart(&Key::from(key)).await.map_err(Error::internal)?;
        let mut upload = Upload::begun(upload);
        match upload.write_parts(body, bytes_max, part_bytes).await {
            Ok(stored) => {
                upload.complete().await?;
                Ok(stored)
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    /// Streams a local file into a fresh key.
    ///
    /// # Errors
    /// Internal ones of the file and of the store.
    pub async fn put_file(&self, key: &str, path: &Path) -> Result<Stored> {
        let file = tokio::fs::File::open(path).await.map_err(Error::internal)?;
        let pieces = ReaderStream::with_capacity(file, LOCAL_PART_BYTES);
        self.put(key, pieces.map_err(Error::internal), u64::MAX).await
    }

    /// A path for a file that is being made; whoever asks removes it.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Streams `body` into a local file that is gone with what is returned.
    ///
    /// # Errors
    /// Those of the stream; [`TooLarge`](crate::error::Problem::TooLarge) beyond `bytes_max`; internal ones of the disk.
    pub async fn put_scratch<S>(&self, name: &str, mut body: S, bytes_max: u64) -> Result<(LocalCopy, Stored)>
    where
        S: Stream<Item = Result<Bytes>> + Unpin + Send,
    {
        use tokio::io::AsyncWriteExt as _;
        let copy = LocalCopy { path: self.scratch(name), is_copy: true };
        let mut file = tokio::fs::File::create(&copy.path).await.map_err(Error::internal)?;
        let (mut hash, mut size_bytes) = (Sha256::new(), 0_u64);
        while let Some(piece) = body.next().await {
            let piece = piece?;
            size_bytes = counted(size_bytes, &piece, bytes_max)?;
            hash.update(&piece);
            file.write_all(&piece).await.map_err(Error::internal)?;
        }
        file.flush().await.map_err(Error::internal)?;
        Ok((copy, Stored { size_bytes, sha256: hash.finish_hex() }))
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

    /// Removes what a killed process left of making a file: what it stored under `key`, whole or half, and what it was
    /// writing in the scratch directory of this machine under names that begin with `scratch`.
    ///
    /// # Errors
    /// Internal ones of the store and of the disk.
    pub async fn sweep(&self, key: &str, scratch: &str) -> Result<()> {
        self.delete(key).await?;
        if let Place::Local(local) = &self.place
            && let Some((folder, name)) = key.rsplit_once('/')
        {
            // The store writes beside a key until a file is complete.
            remove_beginning(&local.root.join(folder), &format!("{name}#")).await?;
        }
        remove_beginning(&self.scratch, scratch).await
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
            // Not checked on the way: nobody sees a part of it.
            let mut pieces = self.pieces(key, size_bytes, 0..size_bytes, None).await?;
            let mut file = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
            while let Some(piece) = pieces.next().await {
                file.extend_from_slice(&piece.map_err(Error::internal)?);
            }
            if sha256_hex(&file) != sha256 {
                self.damage.note(key.to_owned());
                return Err(Error::internal(format!("the stored file {key} was changed: its SHA-256 is not {sha256}")));
            }
            Ok(Bytes::from(file))
        };
        self.small.get_or_insert_async(key, load).await
    }

    /// A range of a file that holds `size_bytes`, in pieces of at most [`limits::DOWNLOAD_PIECE_BYTES`]. Of a whole file
    /// the last piece comes only if all of them have the digest `sha256`.
    ///
    /// # Errors
    /// Internal ones when the file is missing or of another size.
    pub async fn read(&self, key: &str, size_bytes: u64, sha256: &str, range: Range<u64>) -> Result<Pieces> {
        let is_whole = range == (0..size_bytes);
        let expected =
            is_whole.then(|| Expected { key: key.to_owned(), sha256: sha256.to_owned(), damage: self.damage.clone() });
        self.pieces(key, size_bytes, range, expected).await
    }

    async fn pieces(
        &self,
        key: &str,
        size_bytes: u64,
        range: Range<u64>,
        expected: Option<Expected>,
    ) -> Result<Pieces> {
        if let Place::Local(Local { root, .. }) = &self.place {
            let named = |error| Error::internal(format!("the stored file {key} can't be read: {error}"));
            return Pieces::open(root.join(key), size_bytes, range, expected).await.map_err(named);
        }
        let asked = (range != (0..size_bytes)).then(|| GetRange::Bounded(range.clone()));
        let options = GetOptions { range: asked, ..GetOptions::default() };
        let found = self.store.get_opts(&Key::from(key), options).await.map_err(Error::internal)?;
        if found.meta.size != size_bytes {
            self.damage.note(key.to_owned());
            let size = found.meta.size;
            return Err(Error::internal(format!("the stored file {key} holds {size} bytes instead of {size_bytes}")));
        }
        Ok(Pieces::remote(found.into_stream(), range.end - range.start, expected))
    }

    /// All of a file as it is now, unchecked, with its size; nothing when it is not there.
    pub(super) async fn reread(
        &self,
        key: &str,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>> {
        match self.store.get(&Key::from(key)).await {
            Ok(found) => Ok(Some((found.meta.size, found.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// The file on this machine, for blocking readers such as the profiler: of a bucket a copy, which is checked.
    ///
    /// # Errors
    /// Internal ones when the file is missing, or is not the one that was stored.
    pub async fn local_copy(&self, key: &str, size_bytes: u64, sha256: &str, name: &str) -> Result<LocalCopy> {
        if let Place::Local(Local { root, .. }) = &self.place {
            return Ok(LocalCopy { path: root.join(key), is_copy: false });
        }
        let pieces = self.read(key, size_bytes, sha256, 0..size_bytes).await?;
        let pieces = pieces.map_err(Error::internal);
        self.put_scratch(name, pieces, u64::MAX).await.map(|(copy, _)| copy)
    }

    /// Who sends a file instead of the exchange, where downloads are answered so; of a bucket with these headers.
    ///
    /// # Errors
    /// Internal ones of signing.
    pub async fn other_sender(&self, key: &str, content_type: &str, disposition: &str) -> Result<Option<OtherSender>> {
        let remote = match &self.place {
            Place::Local(local) => {
                let path = local.accel_prefix.as_ref().map(|prefix| format!("{prefix}{key}"));
                return Ok(path.map(OtherSender::WebServer));
            }
            Place::Remote(remote) => remote,
        };
        if !remote.redirects {
            return Ok(None);
        }
        let said = [("response-content-type", content_type), ("response-content-disposition", disposition)];
        let options = SignedUrlOptions::new().with_query(said);
        let url = remote.signer.signed_url_opts(reqwest::Method::GET, &Key::from(key), remote.link, &options).await;
        url.map(|url| Some(OtherSender::Bucket(url.to_string()))).map_err(Error::internal)
    }

    /// The file behind a key of a local directory.
    pub fn local_path(&self, key: &str) -> PathBuf {
        match &self.place {
            Place::Local(local) => local.root.join(key),
            Place::Remote(_) => self.scratch(key),
        }
    }

    /// Every key there is, with size and time; not what is being written.
    pub(super) fn list(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(None)
    }

    /// The scratch directory.
    pub(super) fn scratch_dir(&self) -> &Path {
        &self.scratch
    }

    /// Where a local directory keeps what is being written, beside its keys.
    pub(super) fn local_root(&self) -> Option<&Path> {
        match &self.place {
            Place::Local(local) => Some(&local.root),
            Place::Remote(_) => None,
        }
    }

    /// Keys that somebody read and found to be damaged, since this was last asked.
    pub(super) fn take_damaged(&self) -> BTreeSet<String> {
        self.damage.take()
    }
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("{}: {error}", path.display()))
}

fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| named(path, &error))
}

/// Removes the files of a folder whose names begin so; it need not be there.
async fn remove_beginning(folder: &Path, beginning: &str) -> Result<()> {
    let gone = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(Error::internal(error)),
    };
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    while let Some(entry) = entries.next_entry().await.map_err(Error::internal)? {
        if entry.file_name().to_string_lossy().starts_with(beginning) {
            tokio::fs::remove_file(entry.path()).await.or_else(gone)?;
        }
    }
    Ok(())
}

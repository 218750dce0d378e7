//! A bucket on a server that speaks S3: another project's (`s3s-fs`), on a port of this machine.

use std::path::{Path, PathBuf};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use torv::config::Config;

const NAME: &str = "torv-files";
const ACCESS_KEY: &str = "AKTORVTEST";
const SECRET_KEY: &str = "a secret of the test alone";

/// A bucket with a folder of its own; its server ends with the test's runtime.
pub struct Bucket {
    folder: tempfile::TempDir,
    port: u16,
}

impl Bucket {
    /// Starts the server.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(folder.path().join(NAME)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).expect("a file system"));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    // A client that hangs up is no fault of the server's.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder, port }
    }

    /// Has an exchange keep its files here.
    pub fn keep_files_of(&self, config: &mut Config) {
        config.storage.kind = "s3".to_owned();
        let s3 = &mut config.storage.s3;
        s3.bucket = NAME.to_owned();
        s3.endpoint = self.endpoint();
        s3.path_style = true;
        s3.access_key_id = ACCESS_KEY.to_owned();
        s3.secret_access_key = SECRET_KEY.into();
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the server keeps an object.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root().join(key)
    }

    /// Every object there is, without what the server keeps beside them.
    pub fn keys(&self) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).expect("the bucket is read").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() {
                    walk(&entry.path(), root, found);
                } else if !name.starts_with('.') {
                    found.push(entry.path().strip_prefix(root).expect("below").display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.root(), &self.root(), &mut found);
        found
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }
}

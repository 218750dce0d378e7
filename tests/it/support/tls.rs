//! Receivers over TLS, with certificates of an authority of the tests' own (`tls/make` made them).

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

fn made(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}

/// The authority's own certificate: a process that is told of it by `SSL_CERT_FILE` trusts it and nobody else.
pub fn authority() -> PathBuf {
    made("ca.pem")
}

/// What a receiver shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Of the authority, for 127.0.0.1, now.
    Good,
    /// Of nobody but itself.
    SelfSigned,
    /// As [`Shows::Good`], until 2021.
    Expired,
    /// Of the authority, for hooks.example.org.
    OtherName,
}

/// Takes connections with this certificate.
pub fn acceptor(shows: Shows) -> TlsAcceptor {
    let file = match shows {
        Shows::Good => "good.pem",
        Shows::SelfSigned => "self_signed.pem",
        Shows::Expired => "expired.pem",
        Shows::OtherName => "other_name.pem",
    };
    let certificate = CertificateDer::from_pem_file(made(file)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(made("key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is the certificate's");
    TlsAcceptor::from(Arc::new(config))
}

/// A listener whose connections are secured; who refuses its certificate is not heard of.
pub struct Secured {
    pub listener: TcpListener,
    pub acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((socket, address)) = self.listener.accept().await
                && let Ok(secured) = self.acceptor.accept(socket).await
            {
                return (secured, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

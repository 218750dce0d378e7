//! What was wrong with a secured connection, told from the errors of those who tried to make it.

use std::{error::Error as StdError, io};

use rustls::{CertificateError, Error as TlsError};

/// Why a connection was not secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsFault {
    /// No authority that is trusted here has issued the certificate.
    Untrusted,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// The certificate is for another name.
    OtherName,
    /// The other side does not speak TLS, or not as it has to.
    Handshake,
}

impl TlsFault {
    /// What kept a connection from being secured; nothing where that was not the reason.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref::<TlsError>() {
                return Some(Self::told_by(fault));
            }
            // What an I/O error carries is not its source: that is the source of what it carries.
            let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(fault) = carried.and_then(|carried| Self::of(carried)) {
                return Some(fault);
            }
            next = error.source();
        }
        None
    }

    fn told_by(error: &TlsError) -> Self {
        let TlsError::InvalidCertificate(fault) = error else { return Self::Handshake };
        match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
            _ => Self::Untrusted,
        }
    }

    /// The same as a clause.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Untrusted => "the server's certificate is of no authority that is trusted here",
            Self::Expired => "the server's certificate has expired, or is not valid yet",
            Self::OtherName => "the server's certificate is for another name",
            Self::Handshake => "the server does not speak TLS as it has to",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_however_deep_it_is_carried() {
        let expired = TlsError::InvalidCertificate(CertificateError::Expired);
        let carried = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, expired));
        assert_eq!(TlsFault::of(&carried), Some(TlsFault::Expired));
        assert_eq!(TlsFault::of(&io::Error::other("the line went dead")), None);
        assert_eq!(TlsFault::of(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
        assert_eq!(TlsFault::of(&TlsError::HandshakeNotComplete), Some(TlsFault::Handshake));
    }
}

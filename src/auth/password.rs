//! Passwords: hashed with Argon2id, away from the async threads, a few at a time.

use std::{fmt, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc::PasswordHash};
use argon2::{PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    config::Secret,
    error::{Error, Result},
    limits,
};

/// Memory of one hash in KiB, passes over it, and lanes.
///
/// Source: OWASP Password Storage Cheat Sheet, the Argon2id setting with 19 MiB.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Random bytes that make equal passwords hash differently.
const SALT_BYTES: usize = 16;
/// Seconds a client is asked to wait when too many hashes are being computed.
const BUSY_RETRY_AFTER_SECONDS: u32 = 2;

/// What a password is compared with when there is no such account, so that the answer takes as
/// long as for one that exists. Its digest is made up: no password is known that gives it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dGhlcmUgaXMgbm9ib2R5$Zm9yIG5vYm9keSBrbm93cyB3aGF0IHRoaXMgd291bGQ";

/// Hashes and verifies passwords, [`limits::PASSWORD_HASHES_AT_ONCE`] at a time.
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(…)")
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(limits::PASSWORD_HASHES_AT_ONCE)) }
    }
}

impl Passwords {
    /// Hashes `password` for keeping, as a PHC string with its own salt and parameters.
    ///
    /// # Errors
    /// `Unavailable` when too many hashes wait.
    pub async fn hash(&self, password: &Secret) -> Result<String> {
        let password = normalized(password);
        self.work(move || {
            let mut salt = [0; SALT_BYTES];
            SystemRandom::new().fill(&mut salt).map_err(|_| Error::internal("the system gave no randomness"))?;
            let hash = hasher()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
        })
        .await
    }

    /// True when `password` gives `hash`. Without a hash (no such account) it does the same work
    /// and is false.
    ///
    /// # Errors
    /// `Unavailable` when too many hashes wait; an internal error for a hash that is none.
    pub async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool> {
        let password = normalized(password);
        self.work(move || {
            let exists = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODY);
            let hash = PasswordHash::new(hash).map_err(|_| Error::internal("a stored password hash can't be read"))?;
            let matches = hasher()?.verify_password(password.expose().as_bytes(), &hash).is_ok();
            Ok(exists && matches)
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = self.permit().await?;
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            // The permit lives as long as the work, even when the client has gone.
            drop(permit);
            outcome
        });
        done.await.map_err(Error::internal)?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let wait = Duration::from_secs(limits::PASSWORD_HASH_WAIT_SECONDS_MAX);
        let busy = || Error::unavailable("Too many people log in at this moment. Try again.", BUSY_RETRY_AFTER_SECONDS);
        let permit = tokio::time::timeout(wait, self.permits.clone().acquire_owned()).await;
        permit.map_err(|_| busy())?.map_err(|_| busy())
    }
}

/// The same password, however a keyboard composes its accents.
///
/// Source: RFC 8265, section 4.2 (OpaqueString): normalisation form C.
fn normalized(password: &Secret) -> Secret {
    Secret::from(password.expose().nfc().collect::<String>().as_str())
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"a long enough one".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&"a long enough one".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&"a long enough two".into(), Some(hash.clone())).await.unwrap());
        assert_ne!(hash, passwords.hash(&"a long enough one".into()).await.unwrap(), "a fresh salt each time");
    }

    #[tokio::test]
    async fn the_same_letters_verify_however_they_are_composed() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&"caf\u{e9} på torvet".into()).await.unwrap();
        assert!(passwords.verify(&"cafe\u{301} på torvet".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password_but_costs_the_same() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(nobody.hash.unwrap().as_bytes().len(), Params::DEFAULT_OUTPUT_LEN);
        assert!(!Passwords::default().verify(&"anything at all".into(), None).await.unwrap());
    }
}

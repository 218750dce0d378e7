//! Keys derived from the one master secret, each for one purpose.

use std::{fmt, io::Write as _, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf, hmac,
    rand::SecureRandom as _,
};

use crate::{
    base::digest,
    config::Secret,
    error::{Error, Result},
};

/// Name of the file that holds the master secret of an embedded exchange.
const SECRET_FILE: &str = "secret.key";

/// The derived keys. `Debug` shows nothing of them.
pub struct Secrets {
    sealing: RandomizedNonceKey,
    links: hmac::Key,
    trials: hmac::Key,
    webhooks: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Derives the keys from `master`.
    ///
    /// # Errors
    /// Only if the cryptographic library fails.
    pub fn from_master(master: &str) -> Result<Self> {
        let sealing = derive(master, b"torv sealing 1")?;
        let links = derive(master, b"torv links 1")?;
        let webhooks = derive(master, b"torv webhooks 1")?;
        let trials = derive(master, b"torv trials 1")?;
        Ok(Self {
            sealing: RandomizedNonceKey::new(&AES_256_GCM, &sealing).map_err(|_| failed())?,
            links: hmac::Key::new(hmac::HMAC_SHA256, &links),
            trials: hmac::Key::new(hmac::HMAC_SHA256, &trials),
            webhooks: format!("whsec_{}", digest::hex(&webhooks)),
        })
    }

    /// Takes the configured master secret, or the one in `data_dir`, which is made on first use.
    ///
    /// # Errors
    /// When the secret file can't be read or written.
    pub fn open(configured: &Secret, data_dir: &Path) -> Result<Self> {
        if !configured.is_empty() {
            return Self::from_master(configured.expose());
        }
        let path = data_dir.join(SECRET_FILE);
        match create_secret_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::internal(format!("{}: {error}", path.display()))),
        }
        let master =
            std::fs::read_to_string(&path).map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
        Self::from_master(master.trim())
    }

    /// Seals `plain` so that only this master secret opens it again.
    ///
    /// # Errors
    /// Only if the cryptographic library fails.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut body = plain.to_vec();
        let nonce = self.sealing.seal_in_place_append_tag(Aad::empty(), &mut body).map_err(|_| failed())?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`Secrets::seal`] made.
    ///
    /// # Errors
    /// When it was sealed under another master secret, or changed since.
    pub fn unseal(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let refused =
            || Error::internal("a sealed key can't be opened: auth.master_secret is not the one it was sealed with");
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = body.to_vec();
        let plain = self.sealing.open_in_place(nonce, Aad::empty(), &mut body).map_err(|_| refused())?;
        Ok(plain.to_vec())
    }

    /// The signature of a download link, 64 hexadecimal digits.
    pub fn sign_link(&self, text: &str) -> String {
        digest::hex(hmac::sign(&self.links, text.as_bytes()).as_ref())
    }

    /// True when `signature` is [`Secrets::sign_link`] of `text`; takes equal time either way.
    pub fn verify_link(&self, text: &str, signature: &str) -> bool {
        digest::unhex(signature).is_some_and(|tag| hmac::verify(&self.links, text.as_bytes(), &tag).is_ok())
    }

    /// 32 bytes for one purpose of questions about tables, and one text: nobody else can compute them, so they tell
    /// nothing of a text that could be guessed.
    pub fn trial_digest(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut tag = hmac::Context::with_key(&self.trials);
        tag.update(purpose.as_bytes());
        tag.update(b"\n");
        tag.update(text.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.sign().as_ref());
        bytes
    }

    /// The secret the sandbox signs webhooks with when none is configured.
    pub fn default_webhook_secret(&self) -> &str {
        &self.webhooks
    }
}

/// `BYTES` random bytes as hexadecimal digits.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_hex<const BYTES: usize>() -> Result<String> {
    Ok(digest::hex(&random_bytes::<BYTES>()?))
}

/// `BYTES` random bytes.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_bytes<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| failed())?;
    Ok(bytes)
}

fn create_secret_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let secret = random_hex::<32>().map_err(std::io::Error::other)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()
}

fn derive(master: &str, purpose: &'static [u8]) -> Result<[u8; 32]> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"torv");
    let mut key = [0; 32];
    salt.extract(master.as_bytes())
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| failed())?;
    Ok(key)
}

fn failed() -> Error {
    Error::internal("the cryptographic library failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_under_the_same_secret() {
        let (one, two) = (Secrets::from_master("one").unwrap(), Secrets::from_master("two").unwrap());
        let sealed = one.seal(b"private").unwrap();
        assert_eq!(one.unseal(&sealed).unwrap(), b"private");
        assert!(two.unseal(&sealed).is_err());
        assert!(one.unseal(&sealed[..5]).is_err());
        assert_ne!(sealed, one.seal(b"private").unwrap(), "a fresh nonce each time");
    }

    #[test]
    fn digests_of_trials_belong_to_their_purpose_and_secret() {
        let (one, two) = (Secrets::from_master("one").unwrap(), Secrets::from_master("two").unwrap());
        assert_eq!(one.trial_digest("noise", "a"), one.trial_digest("noise", "a"));
        assert_ne!(one.trial_digest("noise", "a"), one.trial_digest("question", "a"));
        assert_ne!(one.trial_digest("noise", "a"), two.trial_digest("noise", "a"));
    }

    #[test]
    fn a_link_signature_holds_for_its_text_alone() {
        let secrets = Secrets::from_master("one").unwrap();
        let signature = secrets.sign_link("file 1 until 7");
        assert!(secrets.verify_link("file 1 until 7", &signature));
        assert!(!secrets.verify_link("file 1 until 8", &signature));
        assert!(!secrets.verify_link("file 1 until 7", "zz"));
    }
}

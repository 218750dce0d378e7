//! Signatures with a stored Ed25519 key.

use aws_lc_rs::signature::Ed25519KeyPair;

use crate::error::{Error, Result};

/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// Signs `message` with a private key as [`generate_pair`](super::token::generate_pair) makes it.
///
/// # Errors
/// Internal, for bytes that are no such key.
pub fn sign(private_key: &[u8], message: &[u8]) -> Result<[u8; SIGNATURE_BYTES]> {
    let refused = || Error::internal("a stored signing key is not an Ed25519 key");
    let pair = Ed25519KeyPair::from_pkcs8(private_key).map_err(|_| refused())?;
    pair.sign(message).as_ref().try_into().map_err(|_| refused())
}

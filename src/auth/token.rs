//! Access tokens: JWTs signed with Ed25519 (`EdDSA`), valid for minutes.
//!
//! Source: RFC 7519 (JWT), RFC 8037 (`EdDSA` in JOSE), RFC 8725 (best practices: one algorithm, the
//! key chosen by `kid` among our own, nothing read from `jku` or `jwk`).

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use entity::ids::{AccountId, SessionId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::secrets::random_hex;
use crate::error::{Error, Result};

/// The only algorithm that is signed with or accepted.
const ALGORITHM: Algorithm = Algorithm::EdDSA;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Which exchange issued it.
    pub iss: String,
    /// The person.
    pub sub: AccountId,
    /// The log-in it descends from; when that ends, the token ends.
    pub sid: SessionId,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// No longer valid from then on, in seconds since 1970.
    pub exp: i64,
    /// Makes every token different.
    pub jti: String,
}

/// A key of the ring. `Debug` is not derived: it holds the private half.
pub struct TokenKey {
    /// Its name, the `kid` of the tokens it signed.
    pub kid: String,
    /// The raw public key, 32 bytes.
    pub public: Vec<u8>,
    /// It signs before then.
    pub signs_until: OffsetDateTime,
    /// It verifies before then.
    pub verifies_until: OffsetDateTime,
    signer: Option<EncodingKey>,
    verifier: DecodingKey,
}

impl TokenKey {
    /// A key as it was stored; without its private half (PKCS#8) it only verifies.
    pub fn new(
        kid: String,
        public: Vec<u8>,
        private: Option<&[u8]>,
        signs_until: OffsetDateTime,
        verifies_until: OffsetDateTime,
    ) -> Self {
        let verifier = DecodingKey::from_ed_der(&public);
        Self { kid, public, signs_until, verifies_until, signer: private.map(EncodingKey::from_ed_der), verifier }
    }
}

/// A fresh pair: the private half as PKCS#8, and the raw public key.
///
/// # Errors
/// Only if the cryptographic library fails.
pub fn generate_pair() -> Result<(Vec<u8>, Vec<u8>)> {
    let failed = || Error::internal("no signing key could be generated");
    let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| failed())?;
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).map_err(|_| failed())?;
    Ok((private.as_ref().to_vec(), pair.public_key().as_ref().to_vec()))
}

/// What a token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Ours, and not expired.
    Valid(Claims),
    /// Well-formed, but signed with a key this process has not seen: another may have made it.
    UnknownKey,
    /// Anything else.
    Refused,
}

/// The keys as they were last read.
#[derive(Clone, Default)]
struct Ring {
    /// How many there had ever been.
    seen: usize,
    keys: Arc<Vec<TokenKey>>,
}

/// Signs and verifies access tokens with the keys it was last given.
pub struct Tokens {
    issuer: String,
    ring: RwLock<Ring>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    /// Without keys yet; tokens name `issuer` and only those that do are accepted.
    pub fn new(issuer: String) -> Self {
        Self { issuer, ring: RwLock::default() }
    }

    /// The keys in use, newest first.
    pub fn ring(&self) -> Arc<Vec<TokenKey>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
    }

    /// Replaces the keys, newest first, by those of a look that found `seen` keys ever made. A look
    /// that found fewer than an earlier one was overtaken and changes nothing.
    pub fn install(&self, seen: usize, keys: Vec<TokenKey>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if seen >= ring.seen {
            *ring = Ring { seen, keys: Arc::new(keys) };
        }
    }

    /// A token for `session` of `account` that holds for `seconds`; nothing if no key may sign now.
    ///
    /// # Errors
    /// Only if the cryptographic library fails.
    pub fn issue(
        &self,
        account: AccountId,
        session: SessionId,
        seconds: u32,
        now: OffsetDateTime,
    ) -> Result<Option<String>> {
        let ring = self.ring();
        let signing = ring.iter().filter(|key| now < key.signs_until).find_map(|key| Some((key, key.signer.as_ref()?)));
        let Some((key, signer)) = signing else { return Ok(None) };
        let iat = now.unix_timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: account,
            sid: session,
            iat,
            exp: iat + i64::from(seconds),
            jti: random_hex::<16>()?,
        };
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(ALGORITHM) };
        jsonwebtoken::encode(&header, &claims, signer).map(Some).map_err(Error::internal)
    }

    /// Judges `token` at `now`; the signature is checked before anything in it is believed.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Verdict {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Verdict::Refused };
        let (ALGORITHM, Some(kid), None) = (header.alg, header.kid, header.crit) else { return Verdict::Refused };
        let ring = self.ring();
        let Some(key) = ring.iter().find(|key| key.kid == kid) else { return Verdict::UnknownKey };
        if now >= key.verifies_until {
            return Verdict::Refused;
        }
        match jsonwebtoken::decode::<Claims>(token, &key.verifier, &self.validation()) {
            Ok(data) if now.unix_timestamp() < data.claims.exp => Verdict::Valid(data.claims),
            _ => Verdict::Refused,
        }
    }

    /// Expiry is left out: the library would read the system clock, where the exchange has its own.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(ALGORITHM);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.validate_exp = false;
        validation
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 10:00 UTC);

    fn tokens(kid: &str) -> Tokens {
        let (private, public) = generate_pair().unwrap();
        let tokens = Tokens::new("torv".to_owned());
        let (signs_until, verifies_until) = (NOW + Duration::days(1), NOW + Duration::days(2));
        tokens.install(1, vec![TokenKey::new(kid.to_owned(), public, Some(&private), signs_until, verifies_until)]);
        tokens
    }

    fn issue(tokens: &Tokens, now: OffsetDateTime) -> Option<String> {
        tokens.issue(AccountId::at(now), SessionId::at(now), 900, now).unwrap()
    }

    #[test]
    fn a_token_holds_until_its_last_second() {
        let tokens = tokens("sig_1");
        let token = issue(&tokens, NOW).unwrap();
        let Verdict::Valid(claims) = tokens.verify(&token, NOW + Duration::seconds(899)) else { panic!("refused") };
        assert_eq!((claims.exp - claims.iat, claims.iss.as_str()), (900, "torv"));
        assert_eq!(tokens.verify(&token, NOW + Duration::seconds(900)), Verdict::Refused);
    }

    #[test]
    fn a_key_verifies_longer_than_it_signs() {
        let tokens = tokens("sig_1");
        let token = issue(&tokens, NOW + Duration::hours(23)).unwrap();
        assert!(issue(&tokens, NOW + Duration::days(1)).is_none());
        assert!(matches!(tokens.verify(&token, NOW + Duration::hours(23)), Verdict::Valid(_)));
        assert_eq!(tokens.verify(&token, NOW + Duration::days(2)), Verdict::Refused);
    }

    #[test]
    fn another_key_of_the_same_name_does_not_verify() {
        let token = issue(&tokens("sig_1"), NOW).unwrap();
        assert_eq!(tokens("sig_1").verify(&token, NOW), Verdict::Refused);
        assert_eq!(tokens("sig_2").verify(&token, NOW), Verdict::UnknownKey);
    }

    #[test]
    fn another_exchange_is_another_issuer() {
        let ours = tokens("sig_1");
        let token = issue(&ours, NOW).unwrap();
        let theirs = Tokens { issuer: "elsewhere".to_owned(), ring: RwLock::new(Ring { seen: 1, keys: ours.ring() }) };
        assert_eq!(theirs.verify(&token, NOW), Verdict::Refused);
    }
}

//! The gateway itself: what every call shares. The calls are in the files named after Stripe's objects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use stripe_client_core::{CustomizedStripeRequest, IdempotencyKey, RequestStrategy, StripeClient, StripeRequest};
use stripe_types::{Currency, RangeBoundsTs, RangeQueryTs};
use time::OffsetDateTime;

use crate::client::{HttpClient, Success};
use crate::currency::{AmountUse, rule_of};
use crate::error::{Failure, GatewayError};
use crate::read::Read;
use crate::settings::Settings;
use crate::webhook::Verifier;

/// Elements of one page, as many as Stripe gives.
pub const PAGE_ITEMS_MAX: u8 = 100;
const ID_BYTES_MAX: usize = 255;

/// The connection to one Stripe account (the platform's), or through it to a connected one. Cheap to clone.
///
/// Dropping a call's future (a timeout around it, a closed request) leaves its effect unknown, as `GatewayError::Unknown` does.
#[derive(Debug, Clone)]
pub struct Gateway {
    client: Arc<HttpClient>,
    verifier: Arc<Verifier>,
    /// `Stripe-Account` of each call.
    account: Option<String>,
    drifts: Arc<AtomicU64>,
}

/// What part of a list to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Created at or after this moment.
    pub created_from: Option<OffsetDateTime>,
    /// Created before this moment.
    pub created_before: Option<OffsetDateTime>,
    /// `Page::next` of the page before.
    pub after: Option<String>,
    /// At most `PAGE_ITEMS_MAX`, which 0 stands for.
    pub limit: u8,
}

impl ListQuery {
    /// What was created from this moment until, but not at, that one.
    pub fn created(from: OffsetDateTime, before: OffsetDateTime) -> Self {
        Self { created_from: Some(from), created_before: Some(before), ..Self::default() }
    }

    /// The same query for the page after one whose `next` is given.
    #[must_use]
    pub fn after(&self, next: &str) -> Self {
        Self { after: Some(next.to_owned()), ..self.clone() }
    }

    pub(crate) fn range(&self) -> Option<RangeQueryTs> {
        let bounds = RangeBoundsTs {
            gte: self.created_from.map(OffsetDateTime::unix_timestamp),
            lt: self.created_before.map(OffsetDateTime::unix_timestamp),
            ..RangeBoundsTs::default()
        };
        (bounds.gte.is_some() || bounds.lt.is_some()).then_some(RangeQueryTs::Bounds(bounds))
    }

    pub(crate) fn limit(&self) -> i64 {
        let limit = if self.limit == 0 { PAGE_ITEMS_MAX } else { self.limit };
        i64::from(limit.min(PAGE_ITEMS_MAX))
    }
}

/// Our `StripeClient` for one call. It keeps the answer's bytes, which async-stripe decodes into its types and drops.
struct Call<'a> {
    client: &'a HttpClient,
    success: Mutex<Option<Success>>,
}

impl StripeClient for Call<'_> {
    type Err = Failure;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, Failure> {
        let success = self.client.run(request).await?;
        let body = success.body.clone();
        *self.success.lock().unwrap_or_else(PoisonError::into_inner) = Some(success);
        Ok(body)
    }
}

impl Gateway {
    /// # Errors
    /// `Invalid` for settings that cannot work.
    pub fn new(settings: &Settings) -> Result<Self, GatewayError> {
        Ok(Self {
            client: Arc::new(HttpClient::new(settings)?),
            verifier: Arc::new(Verifier::new(settings)),
            account: None,
            drifts: Arc::default(),
        })
    }

    /// The same connection speaking for a connected account: its balance, payouts and balance transactions.
    ///
    /// # Errors
    /// `Invalid` for what is no id.
    pub fn on_account(&self, account: &str) -> Result<Self, GatewayError> {
        Ok(Self { account: Some(checked_id(account)?.to_owned()), ..self.clone() })
    }

    /// How many answers did not have the shape that async-stripe's types promise for the pinned API version. Not an error
    /// (see the module `read`), but worth an alarm: Stripe and the crate have drifted apart.
    pub fn drift_count(&self) -> u64 {
        self.drifts.load(Ordering::Relaxed)
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A call that changes nothing.
    pub(crate) async fn ask<R, T>(&self, request: R) -> Result<T, GatewayError>
    where
        R: StripeRequest,
        R::Output: miniserde::Deserialize,
        T: Read,
    {
        self.send(request, None).await.map_err(|failure| *failure.error)
    }

    /// A call that changes something, under the caller's idempotency key.
    pub(crate) async fn tell<R, T>(&self, request: R, idempotency_key: &str) -> Result<T, GatewayError>
    where
        R: StripeRequest,
        R::Output: miniserde::Deserialize,
        T: Read,
    {
        self.send(request, Some(idempotency_key)).await.map_err(|failure| *failure.error)
    }

    pub(crate) async fn send<R, T>(&self, request: R, idempotency_key: Option<&str>) -> Result<T, Failure>
    where
        R: StripeRequest,
        R::Output: miniserde::Deserialize,
        T: Read,
    {
        let mut request = request.customize();
        if let Some(key) = idempotency_key {
            let key = IdempotencyKey::new(key).map_err(|error| GatewayError::Invalid(error.to_string()))?;
            request = request.request_strategy(RequestStrategy::Idempotent(key));
        }
        if let Some(account) = &self.account {
            request = request.account_id(account.as_str().into());
        }
        let call = Call { client: &self.client, success: Mutex::default() };
        let strict = request.send(&call).await.map(drop);
        let success = call.success.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(Success { body, request_id }) = success else {
            return Err(strict.err().unwrap_or_else(|| unreadable("there was none", None)));
        };
        if strict.is_err() {
            self.drifts.fetch_add(1, Ordering::Relaxed);
            let (object, request_id) = (std::any::type_name::<R::Output>(), request_id.as_deref());
            tracing::warn!(
                object,
                request_id,
                "Stripe's answer does not fit async-stripe's types; its fields are read alone"
            );
        }
        match std::str::from_utf8(&body) {
            Ok(json) => T::read_json(json).map_err(|error| unreadable(&error.to_string(), request_id)),
            Err(_) => Err(unreadable("it is not UTF-8", request_id)),
        }
    }
}

fn unreadable(text: &str, request_id: Option<String>) -> Failure {
    GatewayError::Unreadable { text: text.to_owned(), request_id }.into()
}

/// An id as it may stand in a path.
///
/// # Errors
/// `Invalid`: anything else could lead the call to another address.
pub(crate) fn checked_id(id: &str) -> Result<&str, GatewayError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(good) {
        return Err(GatewayError::Invalid("an id of Stripe's has letters, digits and _ only".to_owned()));
    }
    Ok(id)
}

/// An amount as the API counts it, and its currency.
///
/// # Errors
/// `Invalid` for what Stripe would refuse.
pub(crate) fn api_amount(
    amount_minor: i64,
    currency: &str,
    amount_use: AmountUse,
) -> Result<(i64, Currency), GatewayError> {
    let api_units = rule_of(currency)?.to_api(amount_minor, amount_use)?;
    let currency = currency
        .to_lowercase()
        .parse()
        .map_err(|_| GatewayError::Invalid(format!("{currency} is no currency async-stripe knows")))?;
    Ok((api_units, currency))
}

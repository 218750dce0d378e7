//! Events: what Stripe tells by webhook, and again to those who ask, for a webhook may get lost.

use stripe_core::event as api;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::account::Account;
use crate::charge::Charge;
use crate::checkout::CheckoutSession;
use crate::dispute::Dispute;
use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery};
use crate::payment_intent::PaymentIntent;
use crate::payout::Payout;
use crate::read::{Fields, Page, Read, ReadError};
use crate::refund::Refund;
use crate::transfer::Transfer;

/// Something happened at Stripe. Events come in any order, more than once, and some not at all: use them as a reason to look,
/// and the object in them as of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// `payment_intent.succeeded`, …: an open list.
    pub kind: String,
    pub created: OffsetDateTime,
    /// The connected account it happened on; none: the platform's own.
    pub account: Option<String>,
    /// The version the object is written in: that of the webhook endpoint.
    pub api_version: Option<String>,
    pub livemode: bool,
    /// The id of the object, also when the object itself could not be read: retrieve it.
    pub object_id: Option<String>,
    pub payload: Payload,
}

/// The object an event is about.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    PaymentIntent(Box<PaymentIntent>),
    Charge(Box<Charge>),
    Refund(Box<Refund>),
    Dispute(Box<Dispute>),
    Transfer(Box<Transfer>),
    Payout(Box<Payout>),
    Account(Box<Account>),
    CheckoutSession(Box<CheckoutSession>),
    /// A v2 event: it names its object and does not hold it.
    Thin {
        object_type: String,
    },
    /// An object the exchange does not use, as Stripe sent it.
    Other {
        object_type: Option<String>,
        raw: String,
    },
    /// An object of a known type that could not be read, as Stripe sent it.
    Undecodable {
        reason: String,
        raw: String,
    },
}

impl std::fmt::Debug for Payload {
    /// Without raw objects: they may hold names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PaymentIntent(object) => f.debug_tuple("PaymentIntent").field(object).finish(),
            Self::Charge(object) => f.debug_tuple("Charge").field(object).finish(),
            Self::Refund(object) => f.debug_tuple("Refund").field(object).finish(),
            Self::Dispute(object) => f.debug_tuple("Dispute").field(object).finish(),
            Self::Transfer(object) => f.debug_tuple("Transfer").field(object).finish(),
            Self::Payout(object) => f.debug_tuple("Payout").field(object).finish(),
            Self::Account(object) => f.debug_tuple("Account").field(object).finish(),
            Self::CheckoutSession(object) => f.debug_tuple("CheckoutSession").field(object).finish(),
            Self::Thin { object_type } => f.debug_struct("Thin").field("object_type", object_type).finish(),
            Self::Other { object_type, .. } => {
                f.debug_struct("Other").field("object_type", object_type).finish_non_exhaustive()
            }
            Self::Undecodable { reason, .. } => {
                f.debug_struct("Undecodable").field("reason", reason).finish_non_exhaustive()
            }
        }
    }
}

/// An event as a webhook would have brought it: `decode` reads the body.
#[derive(Clone, PartialEq, Eq)]
pub struct RawEvent {
    pub id: String,
    pub body: String,
}

impl std::fmt::Debug for RawEvent {
    /// Without the body: it may hold names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawEvent").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Read for RawEvent {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self { id: fields.text("id")?, body: fields.json.to_owned() })
    }
}

/// Reads an event from the body of a webhook whose signature was verified.
///
/// Only what has no id or no type is an error, because then it is no event; an object that cannot be read is a payload
/// of its own. Fields are read one by one for the reason given in the module `read`.
///
/// # Errors
/// `ReadError` for a body that is no event; keep the raw body.
pub fn decode(raw_body: &[u8]) -> Result<Event, ReadError> {
    let json = std::str::from_utf8(raw_body).map_err(|_| ReadError("the body is not UTF-8".to_owned()))?;
    Event::read_json(json)
}

impl Gateway {
    /// Events of the last 30 days by creation, newest first: what polling for lost webhooks goes by. `kinds` none: all of them.
    /// Those of a connected account (`account.updated`) are listed by that account only: ask through `on_account`.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_events(&self, kinds: &[&str], query: &ListQuery) -> Result<Page<Event>, GatewayError> {
        self.ask(list_request(kinds, query)).await
    }

    /// The same, not decoded yet: for an inbox that stores what webhooks bring before it reads it.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_raw_events(&self, kinds: &[&str], query: &ListQuery) -> Result<Page<RawEvent>, GatewayError> {
        self.ask(list_request(kinds, query)).await
    }
}

fn list_request(kinds: &[&str], query: &ListQuery) -> api::ListEvent {
    let mut call = api::ListEvent::new().limit(query.limit());
    if !kinds.is_empty() {
        call = call.types(kinds.iter().map(|&kind| kind.to_owned()).collect::<Vec<_>>());
    }
    if let Some(range) = query.range() {
        call = call.created(range);
    }
    if let Some(after) = &query.after {
        call = call.starting_after(after);
    }
    call
}

impl Read for Event {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let thin = fields.text_or_none("object")?.is_some_and(|word| word.starts_with("v2."));
        let (object_id, payload) = if thin { thin_payload(fields)? } else { payload_of(fields)? };
        Ok(Self {
            id: fields.text("id")?,
            kind: fields.text("type")?,
            created: if thin { rfc3339(&fields.text("created")?)? } else { fields.time("created")? },
            account: if thin { fields.text_or_none("context")? } else { fields.text_or_none("account")? },
            api_version: fields.text_or_none("api_version")?,
            livemode: fields.flag_or_false("livemode")?,
            object_id,
            payload,
        })
    }
}

fn rfc3339(text: &str) -> Result<OffsetDateTime, ReadError> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| ReadError(format!("created: {error}")))
}

fn thin_payload(fields: &Fields<'_>) -> Result<(Option<String>, Payload), ReadError> {
    let related = fields.object("related_object")?;
    let word = |key| related.as_ref().map(|related| related.text_or_none(key)).transpose().map(Option::flatten);
    Ok((word("id")?, Payload::Thin { object_type: word("type")?.unwrap_or_default() }))
}

fn payload_of(fields: &Fields<'_>) -> Result<(Option<String>, Payload), ReadError> {
    let data = fields.object("data")?;
    let raw = data.as_ref().and_then(|data| data.raw("object")).unwrap_or("{}");
    let Ok(object) = Fields::parse("data.object", raw) else {
        let reason = "data.object is no object".to_owned();
        return Ok((None, Payload::Undecodable { reason, raw: raw.to_owned() }));
    };
    let id = object.text_or_none("id").ok().flatten();
    let object_type = object.text_or_none("object").ok().flatten();
    // By the object's own word: event types are many and open, and some carry another object than their name says.
    let payload = match object_type.as_deref() {
        Some("payment_intent") => PaymentIntent::read(&object).map(|object| Payload::PaymentIntent(Box::new(object))),
        Some("charge") => Charge::read(&object).map(|object| Payload::Charge(Box::new(object))),
        Some("refund") => Refund::read(&object).map(|object| Payload::Refund(Box::new(object))),
        Some("dispute") => Dispute::read(&object).map(|object| Payload::Dispute(Box::new(object))),
        Some("transfer") => Transfer::read(&object).map(|object| Payload::Transfer(Box::new(object))),
        Some("payout") => Payout::read(&object).map(|object| Payload::Payout(Box::new(object))),
        Some("account") => Account::read(&object).map(|object| Payload::Account(Box::new(object))),
        Some("checkout.session") => {
            CheckoutSession::read(&object).map(|object| Payload::CheckoutSession(Box::new(object)))
        }
        _ => Ok(Payload::Other { object_type, raw: raw.to_owned() }),
    };
    Ok((id, payload.unwrap_or_else(|error| Payload::Undecodable { reason: error.to_string(), raw: raw.to_owned() })))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;

//! Whom an event concerns, and what they are told of it.

use std::collections::BTreeSet;

use entity::ids::{ListingId, OrderId, OrgId};
use serde_json::{Map, Value};

use crate::notify::kinds::{Kind, To};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subject {
    pub listing: Option<ListingId>,
    pub order: Option<OrderId>,
}

impl Subject {
    /// Reads it from an event's topic and payload.
    pub(super) fn of(topic: &str, payload: &Value) -> Self {
        let named = |key: &str| payload.get(key).and_then(Value::as_str);
        Self {
            listing: named("listing_id").or(Some(topic)).and_then(|text| text.parse().ok()),
            order: named("order_id").or(Some(topic)).and_then(|text| text.parse().ok()),
        }
    }
}

/// Who stands around an event, besides those that its payload names.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// The owner of the listing.
    pub owner: Option<OrgId>,
    /// Who sells something of the order.
    pub sellers: Vec<OrgId>,
    /// Who runs the exchange.
    pub operators: Vec<OrgId>,
}

/// Those whom an event concerns, each once, but for the holders of grants.
pub(super) fn recipients(kind: &Kind, payload: &Value, around: &Around) -> BTreeSet<OrgId> {
    let mut found = BTreeSet::new();
    for to in kind.to {
        match to {
            To::Owner => found.extend(around.owner),
            To::Sellers => found.extend(around.sellers.iter().copied()),
            To::Operator => found.extend(around.operators.iter().copied()),
            To::Named(key) => found.extend(named(payload, key)),
            To::Holders | To::HoldersUnlessPrivate => {}
        }
    }
    found
}

/// The organisation, or organisations, under a key of the payload.
fn named(payload: &Value, key: &str) -> Vec<OrgId> {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    match payload.get(key) {
        Some(Value::Array(all)) => all.iter().filter_map(parse).collect(),
        Some(one) => parse(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether the holders of grants on the listing are told too.
pub(super) fn concerns_holders(kind: &Kind, payload: &Value) -> bool {
    let is_private = payload.get("private_to").is_some_and(|to| !to.is_null());
    kind.to.iter().any(|to| match to {
        To::Holders => true,
        To::HoldersUnlessPrivate => !is_private,
        To::Owner | To::Sellers | To::Operator | To::Named(_) => false,
    })
}

/// What recipients are told: the facts of this kind, and what it is about.
pub(super) fn told(kind: &Kind, payload: &Value, subject: Subject) -> Value {
    let mut data = Map::new();
    let mut tell = |key: &str, value: Value| {
        if !value.is_null() {
            data.insert(key.to_owned(), value);
        }
    };
    for fact in kind.facts {
        tell(fact, payload.get(*fact).cloned().unwrap_or_default());
    }
    tell("listing_id", subject.listing.map(|id| id.to_string()).into());
    tell("order_id", subject.order.map(|id| id.to_string()).into());
    Value::Object(data)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;
    use crate::notify::kinds::find;

    fn org() -> OrgId {
        OrgId::at(OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn everybody_is_told_once() {
        let (buyer, seller, operator) = (org(), org(), org());
        let payload = json!({"buyer_id": buyer, "provider_ids": [seller, buyer], "refund_id": "rfd_1"});
        let around = Around { operators: vec![operator, seller], ..Around::default() };
        let told = recipients(find("refund.escalated").unwrap(), &payload, &around);
        assert_eq!(told, BTreeSet::from([buyer, seller, operator]));
        let told = recipients(find("refund.paid").unwrap(), &payload, &around);
        assert_eq!(told, BTreeSet::from([buyer, seller]));
    }

    #[test]
    fn a_private_offer_is_told_to_its_addressee_and_not_to_holders() {
        let (owner, friend) = (org(), org());
        let kind = find("offer.published").unwrap();
        let around = Around { owner: Some(owner), ..Around::default() };
        let private = json!({"private_to": friend});
        assert!(!concerns_holders(kind, &private) && concerns_holders(kind, &json!({"private_to": null})));
        assert_eq!(recipients(kind, &private, &around), BTreeSet::from([owner, friend]));
    }

    #[test]
    fn only_the_facts_of_the_table_are_told() {
        let listing = ListingId::at(OffsetDateTime::UNIX_EPOCH);
        let payload = json!({"order_id": "x", "grant_id": "grt_1", "total_minor": 5, "buyer_id": org()});
        let subject = Subject { listing: Some(listing), order: None };
        let data = told(find("order.completed").unwrap(), &payload, subject);
        assert_eq!(data, json!({"order_id": "x", "grant_id": "grt_1", "listing_id": listing}));
    }

    #[test]
    fn the_subject_is_in_the_payload_or_the_topic() {
        let (listing, order) = (ListingId::at(OffsetDateTime::UNIX_EPOCH), OrderId::at(OffsetDateTime::UNIX_EPOCH));
        let of_topic = Subject::of(&listing.to_string(), &json!({"order_id": order}));
        assert_eq!(of_topic, Subject { listing: Some(listing), order: Some(order) });
        assert_eq!(Subject::of(&order.to_string(), &json!({})), Subject { listing: None, order: Some(order) });
        assert_eq!(Subject::of("pyt_1", &json!({})), Subject::default());
    }
}

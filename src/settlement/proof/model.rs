//! What the tree says of an event, from its postings and the order as it was frozen.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::OrderId,
    order, order_line,
    states::{EntryKind, ProofKind},
};
use time::format_description::well_known::Rfc3339;
use torv_receipt::{Entry, Hash, Kind, Line, Statement};

use crate::{
    base::MoneyError,
    error::{Error, Result},
    ledger::SealedPosting,
};

/// Entries that become leaves, and as what. Another way to take money back needs a row here, and a
/// [`ProofKind`] of its own where outsiders should tell it apart.
pub const KINDS: [(EntryKind, ProofKind); 3] = [
    (EntryKind::Sale, ProofKind::Sale),
    (EntryKind::Refund, ProofKind::Refund),
    (EntryKind::DisputeLost, ProofKind::Dispute),
];

/// The kinds of [`KINDS`].
pub fn entry_kinds() -> [EntryKind; KINDS.len()] {
    KINDS.map(|(entry, _)| entry)
}

fn proof_kind(kind: EntryKind) -> Option<ProofKind> {
    KINDS.iter().find(|(entry, _)| *entry == kind).map(|(_, proof)| *proof)
}

/// The kind as a receipt spells it.
pub const fn receipt_kind(kind: ProofKind) -> Kind {
    match kind {
        ProofKind::Sale => Kind::Sale,
        ProofKind::Refund => Kind::Refund,
        ProofKind::Dispute => Kind::Dispute,
    }
}

/// Who has how much of an event's money, in minor units; negative where it is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// The providers'.
    pub providers_minor: i64,
    /// The operator's.
    pub operator_minor: i64,
    /// Tax that the operator owes.
    pub tax_minor: i64,
}

impl Parts {
    /// All of it.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn total_minor(&self) -> Result<i64, MoneyError> {
        let sum = self.providers_minor.checked_add(self.operator_minor).and_then(|sum| sum.checked_add(self.tax_minor));
        sum.ok_or(MoneyError::Overflow)
    }

    /// Adds a posting to the part that its account belongs to. A credit is more for its owner, so it counts
    /// positive; accounts of the processor, banks and clearing are the other side, and count nothing.
    fn add(&mut self, code: &str, amount_minor: i64) -> Result<(), MoneyError> {
        let part = match code.split('.').next().unwrap_or_default() {
            "provider" => &mut self.providers_minor,
            "commission" | "dispute_loss" => &mut self.operator_minor,
            "vat" => &mut self.tax_minor,
            _ => return Ok(()),
        };
        *part = part.checked_sub(amount_minor).ok_or(MoneyError::Overflow)?;
        Ok(())
    }
}

/// Something that becomes a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: ProofKind,
    /// Its name, once for ever.
    pub name: String,
    /// The order.
    pub order: OrderId,
    /// When it happened.
    pub happened_at: Timestamp,
    /// When it was booked, which decides the day it counts for.
    pub booked_at: Timestamp,
    /// The currency.
    pub currency: String,
    /// Whose money it is.
    pub parts: Parts,
}

/// The events behind the postings of one seal, in their order. An entry without an order can't be shown
/// to anybody, and is left out with a warning.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn events(postings: &[SealedPosting]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for entry in postings.chunk_by(|a, b| a.entry_id == b.entry_id) {
        let Some(first) = entry.first() else { continue };
        let Some(kind) = proof_kind(first.kind) else { continue };
        let Some(order) = entry.iter().find_map(|line| line.order_id) else {
            tracing::warn!(source = first.source, "{} is booked without an order and has no receipt", first.source);
            continue;
        };
        let mut parts = Parts::default();
        for line in entry {
            parts.add(&line.code, line.amount_minor)?;
        }
        events.push(Event {
            kind,
            name: first.source.clone(),
            order,
            happened_at: first.effective_at,
            booked_at: first.posted_at,
            currency: first.currency.clone(),
            parts,
        });
    }
    Ok(events)
}

/// The event of a free order, which the ledger does not know.
pub fn free_event(order: &order::Model) -> Event {
    let closed_at = order.closed_at.unwrap_or(order.created_at);
    Event {
        kind: ProofKind::Sale,
        name: format!("order:{}:free", order.id),
        order: order.id,
        happened_at: closed_at,
        booked_at: closed_at,
        currency: order.currency.clone(),
        parts: Parts::default(),
    }
}

/// Orders with their lines, as far as they are needed.
pub type Orders = HashMap<OrderId, (order::Model, Vec<order_line::Model>)>;

/// What the leaf is the hash of; `salt` gives 32 random bytes at each call.
///
/// # Errors
/// Internal, for an order that is not there; [`MoneyError::Overflow`]; those of `salt`.
pub fn statement(event: &Event, orders: &Orders, mut salt: impl FnMut() -> Result<[u8; 32]>) -> Result<Statement> {
    let missing = || Error::internal(format!("{} is about {}, which does not exist", event.name, event.order));
    let (order, lines) = orders.get(&event.order).ok_or_else(missing)?;
    let mut salted = |row| Ok(Entry::Open(line(row, Hash(salt()?))));
    let lines = match event.kind {
        ProofKind::Sale => lines.iter().map(&mut salted).collect::<Result<_>>()?,
        ProofKind::Refund | ProofKind::Dispute => Vec::new(),
    };
    Ok(Statement {
        kind: receipt_kind(event.kind),
        event: event.name.clone(),
        order: event.order.to_string(),
        buyer: order.buyer_id.to_string(),
        closed_at: rfc3339(event.happened_at)?,
        currency: event.currency.clone(),
        total_minor: event.parts.total_minor()?,
        providers_minor: event.parts.providers_minor,
        operator_minor: event.parts.operator_minor,
        tax_minor: event.parts.tax_minor,
        lines,
        salt: Hash(salt()?),
    })
}

fn line(row: &order_line::Model, salt: Hash) -> Line {
    Line {
        listing: row.listing_id.to_string(),
        provider: row.provider_id.to_string(),
        licence_hash: row.licence_hash.clone(),
        price_minor: row.price_minor,
        provider_minor: row.provider_minor,
        operator_minor: row.operator_minor,
        tax_minor: row.tax_minor,
        salt: Some(salt),
    }
}

/// A time as receipts write it.
///
/// # Errors
/// Internal, for a year beyond 9999.
pub fn rfc3339(at: Timestamp) -> Result<String> {
    at.0.format(&Rfc3339).map_err(Error::internal)
}

/// The day of a time, in UTC, `2026-11-21`.
pub fn day(at: Timestamp) -> String {
    at.0.date().to_string()
}

#[cfg(test)]
mod tests {
    use entity::{ids::EntryId, states::AccountClass};
    use time::OffsetDateTime;

    use super::*;

    fn posting(kind: EntryKind, code: &str, amount_minor: i64) -> SealedPosting {
        SealedPosting {
            seal_number: 1,
            leaf_index: 0,
            seq: 0,
            entry_id: EntryId::derived("e"),
            kind,
            source: "order:ord:sale".to_owned(),
            effective_at: Timestamp(OffsetDateTime::UNIX_EPOCH),
            posted_at: Timestamp(OffsetDateTime::UNIX_EPOCH),
            memo: None,
            code: code.to_owned(),
            class: AccountClass::Clearing,
            organization_id: None,
            order_id: Some(OrderId::derived("o")),
            amount_minor,
            currency: "EUR".to_owned(),
        }
    }

    fn parts_of(kind: EntryKind, lines: &[(&str, i64)]) -> Parts {
        let postings: Vec<_> = lines.iter().map(|(code, minor)| posting(kind, code, *minor)).collect();
        events(&postings).expect("fits")[0].parts
    }

    #[test]
    fn a_sale_with_tax_is_split_in_three() {
        let lines = [
            ("clearing.payment", 11_901),
            ("provider.org_1.pending", -8_001),
            ("commission", -2_000),
            ("vat.dk", -1_900),
        ];
        let parts = parts_of(EntryKind::Sale, &lines);
        assert_eq!(parts, Parts { providers_minor: 8_001, operator_minor: 2_000, tax_minor: 1_900 });
        assert_eq!(parts.total_minor(), Ok(11_901));
    }

    #[test]
    fn what_is_taken_back_is_negative_wherever_the_share_stands() {
        let lines = [
            ("provider.org_1.payable", 3_000),
            ("provider.org_1.receivable", 1_000),
            ("commission", 1_000),
            ("clearing.refund", -5_000),
        ];
        let parts = parts_of(EntryKind::Refund, &lines);
        assert_eq!(parts, Parts { providers_minor: -4_000, operator_minor: -1_000, tax_minor: 0 });
        let lines = [("provider.org_1.dispute_held", 8_001), ("dispute_loss", 2_000), ("dispute_hold", -10_001)];
        assert_eq!(parts_of(EntryKind::DisputeLost, &lines).total_minor(), Ok(-10_001));
    }

    #[test]
    fn an_entry_without_an_order_is_left_out() {
        let alone = SealedPosting { order_id: None, ..posting(EntryKind::Refund, "commission", 5) };
        assert_eq!(events(&[alone]).expect("fits"), []);
    }
}

//! The lines of Stripe's balance, its balances and its payouts: what the books are reconciled with.
//!
//! Stripe lists newest first, an import needs oldest first so that a crash in between leaves no hole. So time is walked
//! in windows from the past to now: a window that holds much is halved, one that holds little is doubled.

use time::OffsetDateTime;
use torv_stripe::{BalanceTransaction, ListQuery, Payout, UnreadableItem, currency::rule_of};

use super::{OUR_REF, Stripe, money};
use crate::{
    base::digest,
    ports::payments::{
        PaymentsError, ProcessorBalance, ProcessorPayout, Transaction, TransactionKind, TransactionPage, UnreadableLine,
    },
};

/// The first window.
const WINDOW_SECONDS: i64 = 3_600;
/// The widest window: from 1970 to today in one step, where there was nothing.
const WINDOW_SECONDS_MAX: i64 = 100 * 366 * 86_400;
/// Lines of a window at which it is cut, unless it is a single second.
const WINDOW_LINES_MAX: usize = 2_000;
/// A window with fewer lines than this is doubled next time.
const WINDOW_LINES_FEW: usize = 200;

/// Where a walk stands: from when on, and how wide the next window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: i64,
    seconds: i64,
}

impl Window {
    fn text(self) -> String {
        format!("{}+{}", self.from, self.seconds)
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, seconds) = text.split_once('+')?;
        Some(Self { from: from.parse().ok()?, seconds: seconds.parse().ok()? })
    }

    fn after(self, lines: usize) -> Self {
        let seconds = if lines < WINDOW_LINES_FEW { self.seconds.saturating_mul(2) } else { self.seconds };
        Self { from: self.from.saturating_add(self.seconds), seconds: seconds.min(WINDOW_SECONDS_MAX) }
    }

    fn halved(self) -> Self {
        Self { seconds: (self.seconds / 2).max(1), ..self }
    }

    fn query(self) -> Result<ListQuery, PaymentsError> {
        let at = |seconds| {
            OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| PaymentsError::Unknown(error.to_string()))
        };
        Ok(ListQuery::created(at(self.from)?, at(self.from.saturating_add(self.seconds))?))
    }
}

impl Stripe {
    /// The lines of the next window that holds any, oldest first.
    pub(super) async fn list_lines(
        &self,
        since: OffsetDateTime,
        after: Option<&str>,
    ) -> Result<TransactionPage, PaymentsError> {
        let begin = Window { from: since.unix_timestamp(), seconds: WINDOW_SECONDS };
        let mut window = after.and_then(Window::parse).unwrap_or(begin);
        // Windows reach past now: a line made while they are walked is in the last of them.
        let end = self.clock.now().unix_timestamp() + 1;
        while window.from < end {
            let bounded = Window { seconds: window.seconds.min(end - window.from), ..window };
            let Some((mut lines, unreadable)) = self.lines_within(bounded).await? else {
                window = bounded.halved();
                continue;
            };
            window = Window { from: bounded.from + bounded.seconds, ..window.after(lines.len()) };
            if lines.is_empty() && unreadable.is_empty() {
                continue;
            }
            lines.sort_by_key(|line| line.created_at);
            let next = (window.from < end).then(|| window.text());
            return Ok(TransactionPage { transactions: lines, unreadable, next });
        }
        Ok(TransactionPage::default())
    }

    /// The lines of a window, oldest first; nothing when there are too many to hold at once.
    async fn lines_within(
        &self,
        window: Window,
    ) -> Result<Option<(Vec<Transaction>, Vec<UnreadableLine>)>, PaymentsError> {
        let mut query = window.query()?;
        let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
        loop {
            let page = self.gateway.list_balance_transactions(&query).await?;
            unreadable.extend(page.unreadable.into_iter().map(unreadable_line));
            for item in page.items {
                let (id, code, net_minor, created) =
                    (item.id.clone(), item.currency.clone(), item.net_minor, item.created);
                lines.extend(line(item).map_err(|error| {
                    let reason = format!("{error}: {net_minor} minor units of {code}");
                    unreadable.push(UnreadableLine { id, reason, net: None, created_at: Some(created) });
                }));
            }
            if lines.len() > WINDOW_LINES_MAX && window.seconds > 1 {
                return Ok(None);
            }
            match page.next {
                Some(next) => query = query.after(&next),
                None => break,
            }
        }
        lines.reverse();
        unreadable.reverse();
        Ok(Some((lines, unreadable)))
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<ProcessorBalance>, PaymentsError> {
        let balance = self.gateway.retrieve_balance().await?;
        let codes: std::collections::BTreeSet<&String> =
            balance.available_minor.keys().chain(balance.pending_minor.keys()).collect();
        let of = |sums: &std::collections::BTreeMap<String, i64>, code: &str| sums.get(code).copied().unwrap_or(0);
        codes
            .into_iter()
            .map(|code| {
                let (available_minor, pending_minor) =
                    (of(&balance.available_minor, code), of(&balance.pending_minor, code));
                let unreadable = balance.fractions.get(code).map(|told| format!("{told} in Stripe's units of {code}"));
                Ok(ProcessorBalance { currency: money(0, code)?.currency, pending_minor, available_minor, unreadable })
            })
            .collect()
    }

    pub(super) async fn list_payouts(&self, since: OffsetDateTime) -> Result<Vec<ProcessorPayout>, PaymentsError> {
        let mut query = ListQuery { created_from: Some(since), ..ListQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = self.gateway.list_payouts(&query).await?;
            for one in page.items {
                found.push(payout(one)?);
            }
            match page.next {
                Some(next) => query = query.after(&next),
                None => break,
            }
        }
        found.reverse();
        Ok(found)
    }

    pub(super) async fn lines_of_payout(&self, payout: &str) -> Result<Vec<String>, PaymentsError> {
        let (mut query, mut ids) = (ListQuery::default(), Vec::new());
        loop {
            let page = self.gateway.list_balance_transactions_of_payout(payout, &query).await?;
            ids.extend(page.items.into_iter().map(|line| line.id));
            match page.next {
                Some(next) => query = query.after(&next),
                None => return Ok(ids),
            }
        }
    }
}

/// A balance transaction as the port's line. Accounting goes by the reporting category: `adjustment` alone
/// stands for disputes, their reversals, and failed refunds.
fn line(item: BalanceTransaction) -> Result<Transaction, PaymentsError> {
    let kind = match item.reporting_category.as_str() {
        "charge" => TransactionKind::Charge,
        "transfer" => TransactionKind::Transfer,
        "transfer_reversal" => TransactionKind::TransferReversal,
        "payout" => TransactionKind::Payout,
        "payout_reversal" => TransactionKind::PayoutFailure,
        "refund" => TransactionKind::Refund,
        "refund_failure" => TransactionKind::RefundFailure,
        "dispute" => TransactionKind::Dispute,
        "dispute_reversal" => TransactionKind::DisputeReversal,
        "fee" | "network_cost" => TransactionKind::Fee,
        "payout_minimum_balance_hold" | "payout_minimum_balance_release" => TransactionKind::Reserve,
        other => TransactionKind::Other(other.to_owned()),
    };
    let source = item.source.as_ref();
    Ok(Transaction {
        amount: money(item.amount_minor, &item.currency)?,
        fee_minor: item.fee_minor,
        source_ref: source.map_or_else(|| item.id.clone(), |source| source.id.clone()),
        our_ref: source.and_then(|source| source.metadata.get(OUR_REF).cloned()),
        created_at: item.created,
        available_at: item.available_on,
        id: item.id,
        kind,
    })
}

/// Keeps of a line that can't be read what can be. Stripe counts a few currencies in smaller units than ISO 4217; the whole
/// minor units of the net are booked, and a person settles the rest.
fn unreadable_line(item: UnreadableItem) -> UnreadableLine {
    let raw: serde_json::Value = serde_json::from_str(&item.raw).unwrap_or_default();
    let code = raw["currency"].as_str().unwrap_or_default().to_uppercase();
    let net = raw["net"].as_i64().and_then(|units| {
        let minor = rule_of(&code).ok()?.whole_minor(units)?;
        money(minor, &code).ok()
    });
    let sums = ["amount", "fee", "net"].map(|key| format!("{key} {}", raw[key]));
    let named = format!("txn_unread_{}", &digest::sha256_hex(item.raw.as_bytes())[..24]);
    UnreadableLine {
        id: item.id.unwrap_or(named),
        reason: format!("{} ({} in Stripe's units of {code})", item.reason, sums.join(", ")),
        net,
        created_at: raw["created"].as_i64().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok()),
    }
}

/// A payout of Stripe's as the port's.
pub(super) fn payout(made: Payout) -> Result<ProcessorPayout, PaymentsError> {
    Ok(ProcessorPayout {
        amount: money(made.amount_minor, &made.currency)?,
        arrives_at: made.arrival_date,
        is_itemised: made.reconciliation_status.as_deref() == Some("completed"),
        status: made.status,
        trace: made.trace_id,
        processor_ref: made.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_can_be_taken_up_again_from_its_text() {
        let window = Window { from: 1_700_000_000, seconds: 3_600 };
        assert_eq!(Window::parse(&window.text()), Some(window));
        assert_eq!(Window::parse("soon"), None);
    }

    #[test]
    fn windows_follow_each_other_without_a_gap_and_widen_where_little_happens() {
        let window = Window { from: 0, seconds: 3_600 };
        assert_eq!(window.after(0), Window { from: 3_600, seconds: 7_200 });
        assert_eq!(window.after(WINDOW_LINES_FEW), Window { from: 3_600, seconds: 3_600 });
        assert_eq!(Window { from: 0, seconds: 1 }.halved().seconds, 1);
    }
}

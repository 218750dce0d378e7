//! One statement while it is read: adds up its lines, gives them their keys, checks the balances.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use time::Date;

use crate::{
    amount::Currency,
    error::{Fault, FaultKind},
    limits::OPEN_DAYS_MAX,
    record::{
        Balance, BalanceCheck, BankLine, EndOfStatement, LineDetail, LineKey, LineStatus, PaymentParty, StatementHead,
    },
    reference::{AccountId, CreditorReference},
};

/// A line as a format gives it, before it belongs to a statement.
#[derive(Debug)]
pub(crate) struct LineDraft {
    pub(crate) bank_reference: Option<String>,
    pub(crate) booking_date: Date,
    pub(crate) value_date: Option<Date>,
    pub(crate) amount_minor: i64,
    pub(crate) status: LineStatus,
    pub(crate) is_reversal: bool,
    pub(crate) party: PaymentParty,
    pub(crate) transaction_code: Option<String>,
    pub(crate) details: Vec<LineDetail>,
}

/// Keeps the totals of the statement that is being read.
#[derive(Debug)]
pub(crate) struct OpenStatement {
    pub(crate) head: StatementHead,
    line_count: u64,
    pending_count: u64,
    booked_sum: i128,
    absolute_sum: i128,
}

impl OpenStatement {
    pub(crate) fn new(head: StatementHead) -> Self {
        Self { head, line_count: 0, pending_count: 0, booked_sum: 0, absolute_sum: 0 }
    }

    pub(crate) fn line_count(&self) -> u64 {
        self.line_count
    }

    pub(crate) fn pending_count(&self) -> u64 {
        self.pending_count
    }

    /// Sum of the amounts without their signs.
    pub(crate) fn absolute_sum(&self) -> i128 {
        self.absolute_sum
    }

    /// Opening balance plus the booked lines so far.
    pub(crate) fn computed_minor(&self) -> Option<i128> {
        self.head.opening.map(|opening| i128::from(opening.minor) + self.booked_sum)
    }

    pub(crate) fn add(&mut self, draft: LineDraft, keys: &mut LineKeys) -> Result<BankLine, Fault> {
        let key = keys.key(&self.head.account, self.head.currency, &draft)?;
        self.line_count += 1;
        self.absolute_sum += i128::from(draft.amount_minor).abs();
        match draft.status {
            LineStatus::Booked => self.booked_sum += i128::from(draft.amount_minor),
            LineStatus::Pending => self.pending_count += 1,
        }
        Ok(BankLine {
            account: self.head.account.clone(),
            currency: self.head.currency,
            key,
            bank_reference: draft.bank_reference,
            booking_date: draft.booking_date,
            value_date: draft.value_date,
            amount_minor: draft.amount_minor,
            status: draft.status,
            is_reversal: draft.is_reversal,
            party: draft.party,
            transaction_code: draft.transaction_code,
            details: draft.details,
        })
    }

    /// Compares the lines so far with a stated balance.
    pub(crate) fn check_balance(&self, stated: Balance) -> Result<BalanceCheck, Fault> {
        let (Some(opening), Some(computed)) = (self.head.opening, self.computed_minor()) else {
            return Ok(BalanceCheck::NotStated);
        };
        if computed == i128::from(stated.minor) {
            return Ok(BalanceCheck::Agrees);
        }
        let currency = self.head.currency;
        let problem = format!(
            "the opening balance {} and {} lines give {}, but the closing balance is stated as {}",
            currency.show(opening.minor.into()),
            self.line_count,
            currency.show(computed),
            currency.show(stated.minor.into()),
        );
        Err(Fault::new(
            FaultKind::Balance,
            problem,
            "Ask the bank for a complete statement; nothing of it can be used.",
        ))
    }

    pub(crate) fn end(self, closing: Option<Balance>, is_intermediate: bool) -> Result<EndOfStatement, Fault> {
        let check = closing.map_or(Ok(BalanceCheck::NotStated), |closing| self.check_balance(closing))?;
        let computed_closing_minor = self.computed_minor().map(total_minor).transpose()?;
        Ok(EndOfStatement {
            booked_sum_minor: total_minor(self.booked_sum)?,
            computed_closing_minor,
            account: self.head.account,
            currency: self.head.currency,
            statement_id: self.head.statement_id,
            line_count: self.line_count,
            opening: self.head.opening,
            closing,
            check,
            is_intermediate,
        })
    }
}

fn total_minor(sum: i128) -> Result<i64, Fault> {
    i64::try_from(sum).map_err(|_| {
        let problem = format!("the lines add up to {sum} minor units");
        Fault::new(FaultKind::Amount, problem, "Sums go up to 9223372036854775807 minor units.")
    })
}

/// Tells equal lines of one booking day apart by counting them.
///
/// Only the days used last are kept, so that memory does not grow with the length of the statement.
#[derive(Debug, Default)]
pub(crate) struct LineKeys {
    open_days: Vec<OpenDay>,
    closed_days: HashSet<(u64, Date)>,
}

#[derive(Debug)]
struct OpenDay {
    account: u64,
    date: Date,
    seen: HashMap<u64, u32>,
}

impl LineKeys {
    fn key(&mut self, account: &AccountId, currency: Currency, draft: &LineDraft) -> Result<LineKey, Fault> {
        let account_digest = Sha256::new_with_prefix(account.as_str()).chain_update(currency.code()).finalize();
        let digest = line_digest(account, currency, draft);
        let day = self.day(first_64_bits(&account_digest), draft.booking_date)?;
        let count = day.seen.entry(first_64_bits(&digest)).or_insert(0);
        *count += 1;
        let mut key = String::with_capacity(40);
        for byte in &digest[..16] {
            for nibble in [byte >> 4, byte & 15] {
                key.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        key.push('-');
        key.push_str(&count.to_string());
        Ok(LineKey(key))
    }

    fn day(&mut self, account: u64, date: Date) -> Result<&mut OpenDay, Fault> {
        if let Some(index) = self.open_days.iter().rposition(|day| day.date == date && day.account == account) {
            // Moved to the end: the day used longest ago is at the start.
            self.open_days[index..].rotate_left(1);
        } else {
            if self.closed_days.contains(&(account, date)) {
                let problem = format!("lines of {date} come again after lines of {OPEN_DAYS_MAX} other booking days");
                return Err(Fault::new(FaultKind::Order, problem, "Sort the lines by booking date."));
            }
            if self.open_days.len() == OPEN_DAYS_MAX {
                let closed = self.open_days.remove(0);
                self.closed_days.insert((closed.account, closed.date));
            }
            self.open_days.push(OpenDay { account, date, seen: HashMap::new() });
        }
        let last = self.open_days.len() - 1;
        Ok(&mut self.open_days[last])
    }
}

fn first_64_bits(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Formats wrap and case text differently, so only its letters and digits count.
fn line_digest(account: &AccountId, currency: Currency, draft: &LineDraft) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let status = match draft.status {
        LineStatus::Booked => "booked",
        LineStatus::Pending => "pending",
    };
    for part in [account.as_str(), currency.code(), status] {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher.update(draft.booking_date.to_julian_day().to_be_bytes());
    hasher.update(draft.amount_minor.to_be_bytes());
    if let Some(reference) = &draft.bank_reference {
        hasher.update("bank reference\0");
        hasher.update(reference);
        return hasher.finalize().into();
    }
    hasher.update("content\0");
    hasher.update(draft.value_date.map_or(0, Date::to_julian_day).to_be_bytes());
    let party = &draft.party;
    let texts = [
        &party.counterparty_name,
        &party.counterparty_account,
        &party.end_to_end_id,
        &party.mandate_id,
        &party.remittance,
    ];
    let reference = party.creditor_reference.as_ref().map(CreditorReference::as_str);
    for text in texts.into_iter().map(Option::as_deref).chain([reference]) {
        let letters: String =
            text.unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        hasher.update(letters);
        hasher.update([0]);
    }
    hasher.finalize().into()
}

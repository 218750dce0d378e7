//! What a statement file says, the same for every format.

use std::fmt;

use time::Date;

use crate::{
    amount::Currency,
    reference::{AccountId, CreditorReference},
};

/// One step of a statement file: a head, its lines, its end, and again for the next statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A statement begins.
    Statement(StatementHead),
    /// One entry of the statement begun last.
    Line(Box<BankLine>),
    /// The statement begun last is complete and its totals agree.
    EndOfStatement(EndOfStatement),
}

/// A booked balance on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Minor units; negative when the account is overdrawn.
    pub minor: i64,
    /// The day, where the format names it.
    pub date: Option<Date>,
}

/// What is known of a statement before its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementHead {
    /// The account.
    pub account: AccountId,
    /// BIC of the bank that keeps the account.
    pub bic: Option<String>,
    /// Currency of the account and of every line.
    pub currency: Currency,
    /// The bank's name for this statement: `Stmt/Id` or `:20:`.
    pub statement_id: Option<String>,
    /// Electronic sequence number, or the number of `:28C:`.
    pub sequence: Option<u64>,
    /// First day covered.
    pub from: Option<Date>,
    /// Last day covered.
    pub to: Option<Date>,
    /// Booked balance before the first line; of a CSV file it is known only at the end.
    pub opening: Option<Balance>,
    /// Booked balance after the last line; MT940 and CSV give it only at the end.
    pub closing: Option<Balance>,
}

/// Whether an entry is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineStatus {
    /// On the account.
    Booked,
    /// Announced, may still change or vanish; never part of a booked balance.
    Pending,
}

/// Identifies a line across imports and formats: unique within an account.
///
/// A digest of account, currency, status, booking date and amount, with the bank's reference when there is one and
/// otherwise with the value date, counterparty, ids and text; plus a counter for equal lines of the same booking day. So
/// two equal payments of a day stay two, and reading the same file again gives the same keys. The bank's reference alone
/// is no key: banks give an entry, its fee and its reversal the same one. Equal lines without a bank reference are taken
/// for the same line when they come in two files: a file should hold whole booking days.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineKey(pub(crate) String);

impl LineKey {
    /// 32 hex digits, a hyphen and the counter: at most 52 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankLine {
    /// The account.
    pub account: AccountId,
    /// Currency of the account.
    pub currency: Currency,
    /// Identity of the line; insert with it as a unique key and importing again changes nothing.
    pub key: LineKey,
    /// The bank's own reference: `AcctSvcrRef`, the part of `:61:` after `//`, or the mapped column. Not unique.
    pub bank_reference: Option<String>,
    /// The day it was entered into the account.
    pub booking_date: Date,
    /// The day from which it counts for interest.
    pub value_date: Option<Date>,
    /// Minor units; money received is positive, money paid negative, reversals included.
    pub amount_minor: i64,
    /// Booked or pending.
    pub status: LineStatus,
    /// The entry takes back an earlier one.
    pub is_reversal: bool,
    /// Who paid or was paid, and why.
    pub party: PaymentParty,
    /// ISO 20022 bank transaction code as `PMNT-RCDT-ESCT`, or the bank's own, such as `NTRF+166`.
    pub transaction_code: Option<String>,
    /// The payments of a batched entry, when the bank lists two or more.
    pub details: Vec<LineDetail>,
}

/// The other side of a payment and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentParty {
    /// Name of the other side.
    pub counterparty_name: Option<String>,
    /// IBAN or other account number of the other side.
    pub counterparty_account: Option<String>,
    /// Given by the payer, carried through to us.
    pub end_to_end_id: Option<String>,
    /// Direct debit mandate.
    pub mandate_id: Option<String>,
    /// Free text, its pieces joined.
    pub remittance: Option<String>,
    /// A reference with check digits.
    pub creditor_reference: Option<CreditorReference>,
}

/// One payment within a batched entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDetail {
    /// The bank's reference of this payment.
    pub bank_reference: Option<String>,
    /// Minor units of `currency`, signed like the line's; `None` when the bank does not say.
    pub amount_minor: Option<i64>,
    /// Currency of `amount_minor`, which may differ from the account's.
    pub currency: Option<Currency>,
    /// Who paid or was paid, and why.
    pub party: PaymentParty,
}

/// Whether the lines of a statement explain its balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BalanceCheck {
    /// Opening balance plus booked lines is the stated closing balance.
    Agrees,
    /// The file does not state both balances. A difference is never reported here: it is an error.
    NotStated,
}

/// A statement is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndOfStatement {
    /// The account.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// The bank's name for this statement.
    pub statement_id: Option<String>,
    /// Booked and pending lines yielded.
    pub line_count: u64,
    /// Sum of the booked lines, in minor units.
    pub booked_sum_minor: i64,
    /// Booked balance before the first line.
    pub opening: Option<Balance>,
    /// Opening balance plus booked lines, in minor units.
    pub computed_closing_minor: Option<i64>,
    /// Closing balance as the file states it.
    pub closing: Option<Balance>,
    /// Whether they agree.
    pub check: BalanceCheck,
    /// The statement goes on in another file.
    pub is_intermediate: bool,
}

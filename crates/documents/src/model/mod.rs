//! Invoices and credit notes whose totals add up.
//!
//! A [`Draft`] is what the caller knows; [`Document::new`] computes the totals from it and refuses what contradicts
//! itself. A stored document is computed and compared again when it is read back.

mod checks;
mod error;
mod party;
mod text;
mod totals;

use serde::{Deserialize, Serialize};
use time::Date;

pub use error::DocumentError;
pub use party::{Address, Contact, Identifier, Party};
pub(crate) use text::Text;
pub use totals::{TaxTotal, Totals};

use crate::{Currency, Decimal, tax::LineTax};

/// Most lines of one document.
pub const MAX_LINES: usize = 5_000;
/// Most discounts and charges on the whole document.
pub const MAX_ALLOWANCES: usize = 10;
/// Most different categories and rates.
pub const MAX_TAX_ROWS: usize = 20;
/// Longest text of a line, a note or a reason.
pub const MAX_TEXT_CHARS: usize = 2_000;
/// Longest name or part of an address: what a letterhead has room for.
pub const MAX_NAME_CHARS: usize = 120;
/// Longest reference or detail of payment.
pub const MAX_REFERENCE_CHARS: usize = 100;
/// Longest reason of a discount or charge.
pub const MAX_ALLOWANCE_REASON_CHARS: usize = 60;
/// Largest rounding of the amount due, either way, in minor units: what a tax of 1 % rounded to one unit can hide.
pub const MAX_ROUNDING_MINOR: i64 = 100;
/// Longest document number.
pub const MAX_NUMBER_CHARS: usize = 60;

/// What the document is; the codes are those of UNCL 1001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Invoice,
    CreditNote,
    /// An invoice the buyer writes in the seller's name.
    SelfBilledInvoice,
    SelfBilledCreditNote,
    /// An offer in the shape of an invoice: no claim, no tax document.
    ProForma,
}

impl Kind {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invoice => "380",
            Self::CreditNote => "381",
            Self::SelfBilledInvoice => "389",
            Self::SelfBilledCreditNote => "261",
            Self::ProForma => "325",
        }
    }

    /// Whether the amounts are given back. They are positive all the same.
    #[must_use]
    pub fn is_credit(self) -> bool {
        matches!(self, Self::CreditNote | Self::SelfBilledCreditNote)
    }

    #[must_use]
    pub fn is_self_billed(self) -> bool {
        matches!(self, Self::SelfBilledInvoice | Self::SelfBilledCreditNote)
    }
}

/// One line. `net_minor` must be `quantity × unit_price`, rounded half away from zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub description: Option<String>,
    /// May be negative, such as for the unused part of a plan.
    pub quantity: Decimal,
    /// Code of UN/ECE recommendation 20: `C62` piece, `MON` month, `HUR` hour.
    pub unit: String,
    /// Major units of the currency without tax; zero or more.
    pub unit_price: Decimal,
    pub net_minor: i64,
    pub tax: LineTax,
}

impl Line {
    /// A line with its net computed; `None` where that does not fit 64 bits.
    #[must_use]
    pub fn priced(
        name: &str,
        quantity: Decimal,
        unit_price: Decimal,
        currency: Currency,
        tax: LineTax,
    ) -> Option<Self> {
        let net_minor = quantity.times(unit_price, currency)?;
        let (name, unit) = (name.to_owned(), "C62".to_owned());
        Some(Self { name, description: None, quantity, unit, unit_price, net_minor, tax })
    }
}

/// A discount or a surcharge on the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// A surcharge instead of a discount.
    pub is_charge: bool,
    pub reason: String,
    /// Minor units without tax; zero or more.
    pub amount_minor: i64,
    /// The amount changes the taxable sum of this category.
    pub tax: LineTax,
}

/// A bank account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    Iban(String),
    /// Bank, branch and number as the country writes them.
    Local(String),
}

impl Account {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Iban(text) | Self::Local(text) => text,
        }
    }
}

/// How the amount due is, or was, paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Paid by card through the exchange's checkout.
    Card {
        network: String,
        last_digits: String,
    },
    CreditTransfer {
        account: Account,
        bic: Option<String>,
        holder: String,
        reference: String,
    },
    /// Settled in another way, in words: netted in a statement, transferred to a connected account.
    Settled {
        how: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub from: Date,
    /// The last day, included.
    pub to: Date,
}

/// The invoice a credit note takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrecedingInvoice {
    pub number: String,
    pub issue_date: Date,
}

/// The tax total in the currency the seller keeps its books in (Directive 2006/112/EC article 230).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingTax {
    pub currency: Currency,
    pub tax_minor: i64,
}

/// What the issuer knows; [`Document::new`] checks it and adds the totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub kind: Kind,
    /// Unique for its issuer and without gaps; giving it is the caller's task.
    pub number: String,
    pub issue_date: Date,
    pub due_date: Option<Date>,
    /// Day of the supply, where it is not the issue date.
    pub tax_point: Option<Date>,
    pub period: Option<Period>,
    pub currency: Currency,
    pub seller: Party,
    pub buyer: Party,
    pub lines: Vec<Line>,
    pub allowances: Vec<Allowance>,
    /// Minor units already paid, at most the gross total with its rounding.
    pub prepaid_minor: i64,
    /// Added to the gross total for the amount due (BT-114), where a sum that was settled with tax inside has no net
    /// amount whose rounded tax leads to it. Minor units, negative or positive.
    #[serde(default)]
    pub rounding_minor: i64,
    pub payment: Payment,
    pub preceding: Option<PrecedingInvoice>,
    /// What the buyer wants to see for its routing (BT-10; the Leitweg-ID of a German authority).
    pub buyer_reference: Option<String>,
    /// The exchange's own order.
    pub order_reference: Option<String>,
    /// The buyer's purchase order.
    pub purchase_order: Option<String>,
    pub notes: Vec<String>,
    pub accounting_tax: Option<AccountingTax>,
}

/// A checked document. Its fields can be read, not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Document {
    draft: Draft,
    tax_totals: Vec<TaxTotal>,
    totals: Totals,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    draft: Draft,
    tax_totals: Vec<TaxTotal>,
    totals: Totals,
}

impl Document {
    /// Computes the totals and checks the draft.
    ///
    /// # Errors
    /// [`DocumentError`], naming the first thing that contradicts itself or is missing.
    pub fn new(draft: Draft) -> Result<Self, DocumentError> {
        checks::check(&draft)?;
        let tax_totals = totals::tax_totals(&draft)?;
        let totals = totals::totals(&draft, &tax_totals)?;
        checks::check_totals(&draft, &totals)?;
        Ok(Self { draft, tax_totals, totals })
    }

    /// Like [`Document::new`], for a document whose totals were stated elsewhere: they must be the computed ones.
    ///
    /// # Errors
    /// [`DocumentError::TaxTotals`] or [`DocumentError::Totals`] where a stated amount differs by one minor unit.
    pub fn with_stated_totals(draft: Draft, tax_totals: &[TaxTotal], totals: &Totals) -> Result<Self, DocumentError> {
        let document = Self::new(draft)?;
        if document.tax_totals != tax_totals {
            return Err(DocumentError::TaxTotals);
        }
        totals::compare(totals, &document.totals)?;
        Ok(document)
    }

    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// One row per category and rate, by category, the highest rate first.
    #[must_use]
    pub fn tax_totals(&self) -> &[TaxTotal] {
        &self.tax_totals
    }

    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl TryFrom<Stored> for Document {
    type Error = DocumentError;
    fn try_from(stored: Stored) -> Result<Self, DocumentError> {
        Self::with_stated_totals(stored.draft, &stored.tax_totals, &stored.totals)
    }
}

impl From<Document> for Stored {
    fn from(document: Document) -> Self {
        Self { draft: document.draft, tax_totals: document.tax_totals, totals: document.totals }
    }
}

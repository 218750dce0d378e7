//! Paying by bank transfer: Stripe makes an account number for the customer, and matches what arrives there with the payment.

use stripe_core::payment_intent as api;

use crate::read::{Fields, Read, ReadError};

/// Where the account number for a bank transfer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankTransferKind {
    /// An IBAN for EUR; `country` is one of those Stripe offers (such as DE, ES, FR, IE, NL).
    Eu {
        country: String,
    },
    Gb,
    Jp,
    Mx,
    Us,
}

/// Where and how the buyer wires the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundingInstructions {
    pub amount_remaining_minor: Option<i64>,
    pub currency: Option<String>,
    /// To be given with the transfer.
    pub reference: Option<String>,
    /// A page of Stripe's with the same.
    pub hosted_url: Option<String>,
    pub addresses: Vec<BankAddress>,
}

/// One account number that takes the transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankAddress {
    /// `iban`, `sort_code`, `aba`, `swift`, `spei`, `zengin`, or a newer one.
    pub kind: String,
    pub account_holder: Option<String>,
    pub iban: Option<String>,
    /// BIC of the IBAN, or SWIFT code.
    pub bic: Option<String>,
    /// For kinds without an IBAN.
    pub account_number: Option<String>,
    /// Sort code, routing number or bank code.
    pub bank_code: Option<String>,
}

pub(crate) fn by_bank_transfer(call: api::CreatePaymentIntent, kind: &BankTransferKind) -> api::CreatePaymentIntent {
    use api::CreatePaymentIntentPaymentMethodOptionsCustomerBalanceBankTransferType as Type;
    let word = match kind {
        BankTransferKind::Eu { .. } => Type::EuBankTransfer,
        BankTransferKind::Gb => Type::GbBankTransfer,
        BankTransferKind::Jp => Type::JpBankTransfer,
        BankTransferKind::Mx => Type::MxBankTransfer,
        BankTransferKind::Us => Type::UsBankTransfer,
    };
    let mut transfer = api::CreatePaymentIntentPaymentMethodOptionsCustomerBalanceBankTransfer::new(word);
    if let BankTransferKind::Eu { country } = kind {
        transfer.eu_bank_transfer = Some(api::EuBankTransferParams::new(country));
    }
    let mut balance = api::CreatePaymentIntentPaymentMethodOptionsCustomerBalance::new();
    balance.funding_type = Some(api::CreatePaymentIntentPaymentMethodOptionsCustomerBalanceFundingType::BankTransfer);
    balance.bank_transfer = Some(transfer);
    let mut options = api::CreatePaymentIntentPaymentMethodOptions::new();
    options.customer_balance = Some(balance);
    call.allowed_payment_method_types(vec![stripe_shared::PaymentIntentAllowedPaymentMethodTypes::CustomerBalance])
        .payment_method_data(api::CreatePaymentIntentPaymentMethodData::new(
            api::CreatePaymentIntentPaymentMethodDataType::CustomerBalance,
        ))
        .payment_method_options(options)
}

impl Read for FundingInstructions {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let addresses = match fields.raw("financial_addresses") {
            Some(_) => fields.objects("financial_addresses")?,
            None => Vec::new(), // the hosted page has them
        };
        Ok(Self {
            amount_remaining_minor: fields.amount_or_none("amount_remaining")?,
            currency: fields.text_or_none("currency")?.map(|code| code.to_uppercase()),
            reference: fields.text_or_none("reference")?,
            hosted_url: fields.text_or_none("hosted_instructions_url")?,
            addresses: addresses.iter().map(BankAddress::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Read for BankAddress {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let kind = fields.text("type")?;
        let mut address =
            Self { account_holder: None, iban: None, bic: None, account_number: None, bank_code: None, kind };
        // The details are under the name of the kind.
        let Some(details) = fields.object(&address.kind)? else { return Ok(address) };
        let first = |keys: &[&str]| -> Result<Option<String>, ReadError> {
            keys.iter().find_map(|key| details.text_or_none(key).transpose()).transpose()
        };
        address.account_holder = first(&["account_holder_name"])?;
        address.iban = first(&["iban"])?;
        address.bic = first(&["bic", "swift_code"])?;
        address.account_number = first(&["account_number", "clabe"])?;
        address.bank_code = first(&["sort_code", "routing_number", "bank_code"])?;
        Ok(address)
    }
}

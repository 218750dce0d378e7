//! Public identifiers: a prefix that names the kind, then a UUIDv7, as in `ord_0193f5…`.
//!
//! The time part comes from the caller's clock, so ids sort by creation and tests can predict it.

use std::{fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// The prefix the identifier must start with, `ord_` for an order.
    pub expected_prefix: &'static str,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an identifier of the form {}_ followed by 32 hexadecimal digits", self.expected_prefix)
    }
}

impl std::error::Error for IdError {}

fn uuid_at(now: OffsetDateTime, rest: Uuid) -> Uuid {
    let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    let mut tail = [0; 10];
    tail.copy_from_slice(&rest.as_bytes()[..10]);
    Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

trait RandomUuid {
    fn new_v4_random() -> Uuid;
}

impl RandomUuid for Uuid {
    #[expect(clippy::disallowed_methods, reason = "the one source of randomness of all identifiers")]
    fn new_v4_random() -> Uuid {
        Self::new_v4()
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the public text starts with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh identifier that sorts by `now` (milliseconds).
            pub fn at(now: OffsetDateTime) -> Self {
                Self(uuid_at(now, Uuid::new_v4_random()))
            }

            /// As `derived`, for an identifier that sorts by `at` (milliseconds).
            pub fn derived_at(words: &str, at: OffsetDateTime) -> Self {
                Self(uuid_at(at, Self::derived(words).0))
            }

            /// The same identifier for the same words, for rows that several processes may create.
            pub fn derived(words: &str) -> Self {
                Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("torv:{}:{words}", $prefix).as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError { expected_prefix: $prefix };
                let digits = text.strip_prefix($prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(error)?;
                if digits.len() != 32 || digits.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(error());
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| error())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .examples([concat!($prefix, "_019352f0a1b27c3d8e4f5061728394a5")])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

ids! {
    /// A person who logs in.
    AccountId = "acc";
    /// An organisation that provides, buys or operates.
    OrgId = "org";
    /// An invitation to join an organisation.
    InvitationId = "inv";
    /// One log-in and all refresh tokens that descend from it.
    SessionId = "ses";
    /// An API key.
    ApiKeyId = "key";
    /// One line of the audit log.
    AuditId = "aud";
    /// A listing of the catalogue.
    ListingId = "lst";
    /// A revision of a listing's data.
    RevisionId = "rev";
    /// A file of a revision.
    FileId = "fil";
    /// A file in another format.
    RenditionId = "rdn";
    /// A licence: a set of terms that offers point at.
    LicenceId = "lic";
    /// An offer: a price and a licence for a listing.
    OfferId = "off";
    /// An order.
    OrderId = "ord";
    /// One attempt to pay an order.
    PaymentId = "pay";
    /// A grant: who may use what, until when, under which terms.
    GrantId = "grt";
    /// A ledger account.
    LedgerAccountId = "lac";
    /// A balanced entry of the ledger.
    EntryId = "ent";
    /// A dated rule for the operator's share.
    FeeRuleId = "fee";
    /// One run of payouts.
    PayoutRunId = "run";
    /// A payout to a provider or to the operator's bank.
    PayoutId = "pyt";
    /// A reconciliation run.
    ReconciliationId = "rec";
    /// A verification run.
    VerificationId = "vfy";
    /// One recorded delivery.
    DeliveryId = "dlv";
    /// An event of the outbox.
    EventId = "evt";
    /// A background job.
    JobId = "job";
    /// A refund, in whole or in part.
    RefundId = "rfd";
    /// A buyer's bank disputing a payment.
    DisputeId = "dsp";
    /// A share taken back from a provider's account at the processor.
    ReversalId = "rvs";
    /// A provider's debt that is given up.
    WriteOffId = "wof";
    /// A subscription: what is charged again and again.
    SubscriptionId = "sub";
    /// What is counted for a buyer.
    MeterId = "mtr";
    /// One report of usage.
    UsageId = "usg";
    /// A coupon.
    CouponId = "cpn";
    /// A means of payment that the processor keeps for a buyer.
    SavedMethodId = "pmt";
    /// An invoice, a credit note or a self-billing statement.
    DocumentId = "doc";
    /// An imported bank statement.
    BankStatementId = "bst";
    /// A line of a bank statement.
    BankLineId = "bln";
    /// Something that reconciliation could not explain, and somebody has to.
    ExceptionId = "exc";
    /// What one organisation was told of one event.
    NoticeId = "ntc";
    /// An address that an organisation wants to be told at.
    WebhookEndpointId = "whe";
    /// One event on its way to one webhook endpoint.
    WebhookDeliveryId = "whd";
    /// A mail about notices.
    MailId = "mal";
    /// A slice of a file, or the index it is counted from.
    SliceId = "slc";
    /// Questions about a table before paying for it, with their answers.
    TrialReportId = "trp";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_goes_both_ways_and_names_its_kind() {
        let id = OrderId::at(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("ord_"));
        assert!(id.to_string().parse::<ListingId>().is_err());
        assert!("ord_0193".parse::<OrderId>().is_err());
        assert!(id.to_string().to_uppercase().parse::<OrderId>().is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = OrderId::at(OffsetDateTime::UNIX_EPOCH);
        let late = OrderId::at(OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1));
        assert!(early < late);
    }
}

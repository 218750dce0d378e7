//! States and kinds as they are stored and as they are shown: one spelling for both.

use sea_orm::{DeriveActiveEnum, EnumIter, sea_query::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! text_enums {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
        )]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))")]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vdoc])* #[sea_orm(string_value = $text)] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and public spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or(UnknownWord { expected: &[$($text),+] })
            }
        }
    )+};
}

/// The text is not one of the words this field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord {
    /// The words it takes.
    pub expected: &'static [&'static str],
}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected one of: {}", self.expected.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

text_enums! {
    /// What kind of body a provider is; public-sector bodies fall under the price guard.
    ProviderKind { PublicSector = "public_sector", Company = "company", Ngo = "ngo", Individual = "individual", }
    /// What a member may do for the organisation.
    Role {
        /// Everything, members included.
        Owner = "owner",
        /// Listings, revisions, licences, offers, approvals.
        Editor = "editor",
        /// Orders.
        Buyer = "buyer",
        /// Payouts, statements, ledger.
        Finance = "finance",
        /// Reads only.
        Viewer = "viewer",
    }
    /// Why a session ended.
    SessionEnd { Logout = "logout", TokenReuse = "token_reuse", PasswordChange = "password_change", Expired = "expired", }
    /// What a listing offers.
    ListingKind { Dataset = "dataset", }
    /// Where a listing stands.
    ListingState { Draft = "draft", InReview = "in_review", Published = "published", Retired = "retired", }
    /// The subject area of a listing.
    Theme {
        Culture = "culture", Economy = "economy", Education = "education", Energy = "energy",
        Environment = "environment", Geospatial = "geospatial", Government = "government", Health = "health",
        Housing = "housing", Meteorology = "meteorology", Population = "population", Safety = "safety",
        Science = "science", Transport = "transport",
    }
    /// How often the provider promises to update.
    UpdateFrequency {
        Never = "never", Yearly = "yearly", Quarterly = "quarterly", Monthly = "monthly", Weekly = "weekly",
        Daily = "daily", Hourly = "hourly", Continuous = "continuous", Irregular = "irregular",
    }
    /// The provider's declaration about personal data.
    PersonalData { None = "none", Pseudonymised = "pseudonymised", Contains = "contains", }
    /// Who may see a listing.
    Audience { Public = "public", Named = "named", }
    /// Where a revision stands; published is for ever.
    RevisionState { Open = "open", Published = "published", }
    /// Where the profile of a file stands.
    ProfileState { Pending = "pending", Ready = "ready", Unparsable = "unparsable", }
    /// Whether a licence is open or written by a provider.
    LicenceKind { Open = "open", Commercial = "commercial", }
    /// How an offer is priced.
    OfferKind { Free = "free", OneOff = "one_off", Subscription = "subscription", }
    /// Whether an offer can still be ordered.
    OfferState { Active = "active", Withdrawn = "withdrawn", }
    /// Which revisions a grant covers.
    Coverage {
        /// The revisions published when it was bought.
        Snapshot = "snapshot",
        /// These, and all that are published while the grant is active.
        WhileActive = "while_active",
    }
    /// Where an order stands.
    OrderState {
        AwaitingApproval = "awaiting_approval", AwaitingPayment = "awaiting_payment", Completed = "completed",
        Declined = "declined", Cancelled = "cancelled", Expired = "expired",
    }
    /// Where one attempt to pay stands.
    PaymentState { Created = "created", Authorised = "authorised", Processing = "processing", Succeeded = "succeeded", Failed = "failed", }
    /// Whether a grant opens the door.
    GrantState { Active = "active", Ended = "ended", Revoked = "revoked", }
    /// The side of the balance sheet an account is on.
    AccountClass { Asset = "asset", Liability = "liability", Income = "income", Expense = "expense", Clearing = "clearing", }
    /// What happened, of the events the ledger books.
    EntryKind {
        Sale = "sale", ProcessorCharge = "processor_charge", FundsAvailable = "funds_available", HoldEnd = "hold_end",
        Transfer = "transfer", Payout = "payout", PayoutFailure = "payout_failure", ProcessorFee = "processor_fee",
        Suspense = "suspense",
    }
    /// Who a payout goes to.
    PayoutRecipient { Provider = "provider", Operator = "operator", }
    /// Where a payout stands.
    PayoutState { Created = "created", Submitted = "submitted", Paid = "paid", Failed = "failed", }
    /// Where a received webhook stands.
    InboxState { Received = "received", Processed = "processed", Dead = "dead", }
    /// Where a job stands.
    JobState { Queued = "queued", Done = "done", Dead = "dead", }
}

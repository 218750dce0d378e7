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
    OfferKind {
        Free = "free", OneOff = "one_off", Subscription = "subscription",
        /// Charged after each month by what was used.
        Metered = "metered",
        /// A number of units, paid ahead and used up.
        QuotaPack = "quota_pack",
        /// Several listings, of one or several providers, for one price.
        Bundle = "bundle",
    }
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
    PaymentState {
        Created = "created",
        /// The buyer has to do something: confirm with the bank, or send a transfer.
        ActionRequired = "action_required",
        Authorised = "authorised", Processing = "processing", Succeeded = "succeeded", Failed = "failed",
    }
    /// What an order comes from.
    OrderOrigin {
        /// A buyer ordered.
        Purchase = "purchase",
        /// A subscription's next period.
        Renewal = "renewal",
        /// What was used in a period.
        Usage = "usage",
        /// A part of a price that is paid in several.
        Instalment = "instalment",
        /// A change to a larger offer within a period.
        Upgrade = "upgrade",
    }
    /// Who sells in the eyes of the tax office.
    TaxMode {
        /// The provider sells; the operator charges the provider its commission.
        Agent = "agent",
        /// The operator sells, and buys from the provider.
        DeemedSupplier = "deemed_supplier",
    }
    /// Who bears what the processor charges.
    FeeBearer { Operator = "operator", Provider = "provider", }
    /// Who bears a lost dispute, and the processor's fee for it.
    DisputeBearer {
        /// The provider keeps its share; the operator bears the whole loss and the fee.
        Operator = "operator",
        /// The operator keeps its share; the provider bears the whole loss and the fee.
        Provider = "provider",
        /// Each loses its share; the operator bears the fee and what no share is left for.
        Split = "split",
    }
    /// What a provider bears of a lost dispute beyond its own part.
    DisputeCostKind {
        /// What is lost besides its share.
        Loss = "loss",
        /// What the processor charges for the dispute.
        Fee = "fee",
    }
    /// Whether a grant opens the door.
    GrantState {
        Active = "active",
        /// A part of its price is overdue, or a bank decides about its payment: either can open the door again.
        Suspended = "suspended",
        Ended = "ended", Revoked = "revoked",
    }
    /// The side of the balance sheet an account is on.
    AccountClass { Asset = "asset", Liability = "liability", Income = "income", Expense = "expense", Clearing = "clearing", }
    /// What happened, of the events the ledger books.
    EntryKind {
        Sale = "sale", ProcessorCharge = "processor_charge", FundsAvailable = "funds_available", HoldEnd = "hold_end",
        Transfer = "transfer", Payout = "payout", PayoutFailure = "payout_failure", ProcessorFee = "processor_fee",
        Suspense = "suspense",
        /// The processor keeps money back from a payout, or gives it free.
        Reserve = "reserve",
        /// Decided: a buyer gets money back.
        Refund = "refund",
        /// The processor's line for a refund.
        ProcessorRefund = "processor_refund",
        /// The processor's line for a refund that came back.
        RefundFailure = "refund_failure",
        /// The processor's line for a share taken back.
        Reversal = "reversal",
        /// A provider's debt set off against what is due to it.
        Netting = "netting",
        /// The processor's line for money withdrawn by a dispute.
        DisputeWithdrawn = "dispute_withdrawn",
        /// The processor's line for money given back after a dispute.
        DisputeReinstated = "dispute_reinstated",
        /// A provider's share is held while a dispute runs.
        DisputeHold = "dispute_hold",
        /// A dispute was won.
        DisputeWon = "dispute_won",
        /// A dispute was lost.
        DisputeLost = "dispute_lost",
        /// A share that the processor's fee for a lost dispute is taken from.
        DisputeFee = "dispute_fee",
        /// A provider's debt is given up.
        WriteOff = "write_off",
        /// A share that the processor's fee is taken from.
        FeeShare = "fee_share",
        /// Money that a bank statement shows.
        BankLine = "bank_line",
        /// A credit promised to a buyer, or used.
        Credit = "credit",
        /// A correction that a person decided.
        Correction = "correction",
        /// The tax inside what operator and provider settle with each other.
        ShareTax = "share_tax",
    }
    /// Who a payout goes to.
    PayoutRecipient { Provider = "provider", Operator = "operator", }
    /// Where a payout stands.
    PayoutState { Created = "created", Submitted = "submitted", Paid = "paid", Failed = "failed", }
    /// Where a received webhook stands.
    InboxState { Received = "received", Processed = "processed", Dead = "dead", }
    /// Where a job stands.
    JobState { Queued = "queued", Done = "done", Dead = "dead", }
    /// What a coupon is for, of its provider's.
    CouponScope {
        /// All offers.
        All = "all",
        /// The offers of some listings.
        Listings = "listings",
        /// Some offers.
        Offers = "offers",
    }
    /// What the provider of a bundle's part says to it.
    PartState {
        /// Nothing yet.
        Invited = "invited",
        Accepted = "accepted",
        /// No, or no more.
        Left = "left",
    }
    /// What is charged again and again.
    SubscriptionKind {
        /// Each term anew, ahead.
        Renewing = "renewing",
        /// Each month by use, afterwards.
        Metered = "metered",
        /// One price in several parts.
        Instalments = "instalments",
    }
    /// Where a subscription stands.
    SubscriptionState {
        /// The first period costs nothing.
        Trialing = "trialing",
        Active = "active",
        /// A charge was declined; it is tried again by a schedule.
        PastDue = "past_due",
        /// Neither charged nor open until the buyer resumes it.
        Paused = "paused",
        /// The offer or its licence is another now; without the buyer's word it ends with the period.
        AwaitingConsent = "awaiting_consent",
        /// Somebody ended it.
        Cancelled = "cancelled",
        /// It came to its end: all parts are paid, a charge was never paid, or nobody consented.
        Ended = "ended",
    }
    /// What a meter counts against.
    MeterKind {
        /// A price by use.
        Metered = "metered",
        /// Units paid ahead.
        Quota = "quota",
    }
    /// What a meter counts.
    UsageUnit {
        /// A download or a call.
        Request = "request",
        /// A row delivered.
        Row = "row",
        /// A byte delivered.
        Byte = "byte",
        /// Something the provider reports.
        Event = "event",
    }
    /// What a leaf of the public tree is about.
    ProofKind { Sale = "sale", Refund = "refund", Dispute = "dispute", }
    /// Where a refund stands.
    RefundState {
        /// The buyer asked; the provider has to answer.
        Requested = "requested",
        /// Nobody answered in time, or the buyer appealed: the operator decides.
        Escalated = "escalated",
        Declined = "declined",
        /// Decided and booked; the processor is being asked.
        Approved = "approved",
        /// The processor took it.
        Submitted = "submitted",
        /// The processor's line says so.
        Paid = "paid",
        /// The money did not reach the buyer; what was booked is undone.
        Failed = "failed",
        /// The buyer took the request back before anybody decided.
        Withdrawn = "withdrawn",
    }
    /// Who began a refund.
    RefundOrigin {
        Buyer = "buyer", Provider = "provider", Operator = "operator",
        /// The order was closed when its money came.
        ClosedOrder = "closed_order",
    }
    /// Where a dispute stands.
    DisputeState {
        /// An early warning: no money has moved.
        Warning = "warning",
        NeedsResponse = "needs_response", UnderReview = "under_review", Won = "won", Lost = "lost",
    }
    /// What takes something off an order.
    ReductionKind { Refund = "refund", Dispute = "dispute", }
    /// Where a reversal of a paid share stands.
    ReversalState {
        /// Decided; the processor is being asked.
        Created = "created",
        /// The processor took it.
        Submitted = "submitted",
        /// The processor's line says so.
        Done = "done",
        /// Refused for good: the share stays a debt of the provider.
        Refused = "refused",
    }
    /// Where a write-off stands.
    WriteOffState { Asked = "asked", Approved = "approved", Declined = "declined", }
    /// What a document is, by EN 16931.
    DocumentKind {
        Invoice = "invoice", CreditNote = "credit_note",
        /// Written by the buyer in the seller's name.
        SelfBilledInvoice = "self_billed_invoice", SelfBilledCreditNote = "self_billed_credit_note",
        /// No claim and no tax document: what an order will cost, for a buyer's accounts.
        ProForma = "pro_forma",
    }
    /// Which side of a sale a document is about.
    DocumentLeg {
        /// What the buyer pays.
        Sale = "sale",
        /// What stays with the operator, or goes to the provider.
        Share = "share",
    }
    /// What an imported file is.
    BankImportKind { Statement = "statement", PayoutReport = "payout_report", }
    /// Where the import of a file stands.
    BankImportState {
        /// Its lines are being written; nobody sees them yet.
        Importing = "importing",
        /// The whole file is there.
        Imported = "imported",
        /// It broke off; its lines are being removed.
        Abandoned = "abandoned",
        /// It broke off, and nothing of it is left.
        Removed = "removed",
    }
    /// Where a bank line stands.
    BankLineState {
        /// Brought in, not looked at.
        Imported = "imported",
        /// No reference explains it; amounts and dates are still to be tried.
        Undecided = "undecided",
        /// Booked against what explains it.
        Matched = "matched",
        /// Booked to suspense; somebody has to explain it.
        Suspense = "suspense",
        /// Was in suspense, and a person settled it.
        Resolved = "resolved",
    }
    /// Why a bank line is taken to be explained; tried in this order.
    MatchRule {
        /// The line carries the bank's reference of a payout, or the processor's.
        TraceId = "trace_id",
        /// A structured reference or the text names the payout.
        StructuredReference = "structured_reference",
        /// The line names an order, its invoice, its purchase order, or its refund.
        OrderReference = "order_reference",
        /// The bank says that it charges us.
        BankCharge = "bank_charge",
        /// Exactly the amount of one payout that should arrive about that day.
        AmountAndDate = "amount_and_date",
        /// Several lines sum to one payout.
        Split = "split",
        /// One line is the sum of several payouts.
        Merged = "merged",
        /// A payout in another currency, named by its reference.
        Exchange = "exchange",
        /// Nothing explains it.
        Unexplained = "unexplained",
        /// A person explained it.
        Manual = "manual",
    }
    /// What explains a part of a bank line, and so the account it is booked against.
    MatchSubject {
        /// A payout of the processor: `processor.in_transit`.
        Payout = "payout",
        /// A payout in another currency: `clearing.exchange` in both.
        Exchange = "exchange",
        /// An order paid by transfer: `clearing.payment`.
        Order = "order",
        /// What a buyer paid too early or too much: `buyer.….credit`.
        Credit = "credit",
        /// A refund that goes back by bank: `clearing.refund`.
        Refund = "refund",
        /// What the bank charges: `bank_charges`.
        Charges = "charges",
        /// Nothing yet: `suspense.bank`.
        Suspense = "suspense",
    }
    /// What kind of disagreement an exception is.
    ExceptionClass {
        /// A completed order that the processor has no charge for.
        MissingBalanceLine = "missing_balance_line",
        /// A payment that the processor charged twice.
        DuplicateBalanceLine = "duplicate_balance_line",
        /// A charge of another amount than its order.
        ChargeAmountDiffers = "charge_amount_differs",
        /// A charge that belongs to no completed order.
        OrphanCharge = "orphan_charge",
        /// A refund of the processor that nobody here asked for.
        OrphanRefund = "orphan_refund",
        /// Report and API tell another fee for the same line.
        FeeMismatch = "fee_mismatch",
        /// Report and API tell another amount for the same line.
        ReportDiffers = "report_differs",
        /// Report and API tell another currency for the same line.
        CurrencyMismatch = "currency_mismatch",
        /// The report has a line that the API does not have.
        MissingInApi = "missing_in_api",
        /// The API has a line that the report of its payout does not have.
        MissingInReport = "missing_in_report",
        /// The report has a line twice.
        DuplicateReportLine = "duplicate_report_line",
        /// The lines of a payout don't sum to it.
        PayoutTotalDiffers = "payout_total_differs",
        /// A payout that should have arrived.
        LatePayout = "late_payout",
        /// A payout that the bank gave back.
        FailedPayout = "failed_payout",
        /// A payout that the processor made by itself while no organisation operated the exchange.
        PayoutWithoutOperator = "payout_without_operator",
        /// A bank line that names a payout, and is of another amount.
        WrongAmount = "wrong_amount",
        /// A bank line in another currency than the payout that it names.
        ExchangeDifference = "exchange_difference",
        /// A bank line that repeats one which settled the same payout.
        DuplicateBankLine = "duplicate_bank_line",
        /// A bank line that could be several payouts.
        AmbiguousBankLine = "ambiguous_bank_line",
        /// A transfer that names an order and can't be taken for it: the order is closed, it is in another currency, or
        /// several are named.
        OrderTransfer = "order_transfer",
        /// A transfer for an order that is of less than is left to pay; the order waits for the rest.
        OrderUnderpaid = "order_underpaid",
        /// A transfer that paid an order, and more; the rest is a credit of the buyer.
        OrderOverpaid = "order_overpaid",
        /// A line of the processor's balance of a kind that is not known; its money is in suspense.
        UnknownBalanceLine = "unknown_balance_line",
        /// A line of the processor's balance that can't be read, or is not in whole minor units.
        UnreadableBalanceLine = "unreadable_balance_line",
        /// A bank line that nothing explains.
        UnexplainedBankLine = "unexplained_bank_line",
        /// A statement does not begin with what the one before it ended with.
        StatementGap = "statement_gap",
    }
    /// Where an exception stands.
    ExceptionState { Open = "open", Assigned = "assigned", Resolved = "resolved", }
    /// How an exception was settled.
    ResolutionKind {
        /// Somebody named what explains it.
        Explain = "explain",
        /// It was booked to where it belongs.
        Post = "post",
        /// It does not matter, for a reason.
        Ignore = "ignore",
        /// The records agree by now.
        Vanished = "vanished",
    }
    /// Where a resolution stands.
    ResolutionState {
        /// Waits for a second person.
        Asked = "asked",
        Done = "done",
        Refused = "refused",
    }
    /// Accounts that a resolution may book between.
    ResolutionAccount {
        SuspenseBank = "suspense_bank",
        /// Where the money of the processor's line waits that the exception is about.
        SuspenseProcessor = "suspense_processor",
        ProcessorInTransit = "processor_in_transit", BankCharges = "bank_charges",
        ProcessorFees = "processor_fees", ExchangeDifferences = "exchange_differences",
        ClearingExchange = "clearing_exchange", WriteOffs = "write_offs",
        ClearingPayment = "clearing_payment", ClearingRefund = "clearing_refund",
        ClearingTransfer = "clearing_transfer",
    }
}

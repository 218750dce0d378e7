//! Of orders and everything that follows from one.

text_enums! {
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
}

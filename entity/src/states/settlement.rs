//! Of the ledger, of payouts, documents and the public tree.

text_enums! {
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
    /// What a leaf of the public tree is about.
    ProofKind { Sale = "sale", Refund = "refund", Dispute = "dispute", }
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
}

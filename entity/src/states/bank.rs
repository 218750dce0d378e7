//! Of bank statements, and of what does not agree.

text_enums! {
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
        /// The processor's balance in a currency is not in whole minor units.
        UnreadableBalance = "unreadable_balance",
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

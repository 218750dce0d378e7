//! Faults that are sown one at a time: each breaks one promise, and the check names that promise. Rows are changed
//! past the guards of the database, entries are crafted; four are classic bugs of money, with what they would leave.

use std::collections::BTreeSet;

use entity::{
    bank_payout,
    ids::LedgerAccountId,
    ledger_balance, ledger_entry, netting, order_line, order_reduction, posting, processor_transaction, reversal,
    sandbox_object,
    states::{EntryKind, ReversalState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseConnection, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, Statement,
    sea_query::{Expr, ExprTrait as _},
};
use time::Duration;
use torv::{
    base::{Invariant, Invariant::*},
    db::Tx,
    ledger::{self, Account, Line, NewEntry},
    settlement::verify::verify_with_processor,
};

use crate::{
    after_sale::{Square, disputed, eur, square},
    settlement::statement_of,
    support::{
        Backend, Delivery, Home, TestApp, TestOrg, on_both,
        sales::{Sold, money},
    },
};

/// An exchange in which everything has happened once.
struct Story {
    square: Square,
    /// Who sold what was given back during its hold.
    other: TestOrg,
    /// Paid out, then refunded in part and taken back.
    returned: Sold,
    /// Paid out and taken away, so that its refund is a debt that the next shares were set off against.
    owed: Sold,
    /// Two sales whose shares are due.
    due: [Sold; 2],
    /// Given back whole during the hold.
    whole: Sold,
    /// Sold a moment ago: nothing of it is sealed.
    fresh: Sold,
}

async fn story(app: &TestApp) -> Story {
    let square = square(app).await;
    let other = app.provider().await;
    app.open_bank_account(&square.operator).await;
    let sell = async |org: &TestOrg, minor: i64| app.sell(org, &square.buyer, money(minor, "EUR")).await;
    sell(&other, 90_000).await;
    let (returned, owed) = (sell(&square.provider, 10_001).await, sell(&square.provider, 10_001).await);
    later(app, 8).await;
    square.pay_out(app).await;
    square.refund(app, returned.order, Some(5_000), "part").await.expect(201);
    app.run_jobs().await;
    square.drain(app, 12_002).await;
    square.refund(app, owed.order, None, "owed").await.expect(201);
    app.run_jobs().await;
    sell(&square.provider, 6_000).await;
    sell(&square.provider, 6_000).await;
    later(app, 8).await;
    square.pay_out(app).await;
    let whole = sell(&other, 10_001).await;
    app.run_jobs().await;
    square.refund(app, whole.order, None, "whole").await.expect(201);
    let lost = sell(&other, 10_001).await;
    app.run_jobs().await;
    let dispute = disputed(app, &lost, 10_001).await;
    app.deliver_webhooks(Delivery::InOrder).await;
    app.sandbox.decide_dispute(&dispute, false).await.expect("decides");
    app.deliver_webhooks(Delivery::InOrder).await;
    let due = [sell(&square.provider, 10_001).await, sell(&square.provider, 10_001).await];
    later(app, 8).await;
    let body = serde_json::json!({"currency": "EUR", "minimum_minor": 1, "recipients": "operator"});
    let run = app.as_org(&square.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", "operator");
    let paid = run.json(&body).send().await.expect(201).json()["payouts"][0].clone();
    app.run_jobs().await;
    let (minor, text) = (paid["amount_minor"].as_i64().expect("an amount"), paid["id"].as_str().expect("an id"));
    let file = statement_of(0, app.clock.now().date(), minor, "B1", text);
    app.import_statement(&square.operator, file).await.expect(201);
    app.run_jobs().await;
    let fresh = sell(&square.provider, 10_001).await;
    let story = Story { square, other, returned, owed, due, whole, fresh };
    assert_eq!(broken(app).await, (BTreeSet::new(), String::new()), "before anything was sown");
    story
}

async fn later(app: &TestApp, days: i64) {
    app.run_jobs().await;
    app.advance(Duration::days(days));
    app.run_jobs().await;
}

async fn broken(app: &TestApp) -> (BTreeSet<Invariant>, String) {
    let report = verify_with_processor(&app.app, |_, _| {}).await.expect("reads");
    (report.broken(), report.all_violations().collect::<Vec<_>>().join("\n"))
}

/// Asserts that this promise is named, and beside it only those that can't hold without it.
async fn assert_names(app: &TestApp, promise: Invariant, others: &[Invariant], fault: &str) {
    let (found, text) = broken(app).await;
    let ought: BTreeSet<Invariant> = others.iter().copied().chain([promise]).collect();
    assert_eq!(found, ought, "{fault}:\n{text}");
    assert!(text.contains(promise.name()), "{fault}:\n{text}");
}

/// An exchange that nobody looks at when the test is over: its ledger stays broken.
async fn apart(app: &TestApp) -> TestApp {
    TestApp::start(Home::fresh(app.backend).await.expect("a database"), |_| {}).await
}

/// A look at the rows past every guard of the database.
struct Unguarded {
    conn: DatabaseConnection,
    triggers: Vec<String>,
}

impl Unguarded {
    async fn open(app: &TestApp) -> Self {
        let conn = app.home.connect().await;
        let mut triggers = Vec::new();
        if app.backend == Backend::Postgres {
            conn.execute_unprepared("SET session_replication_role = replica").await.expect("as the owner");
        } else {
            let all = Statement::from_string(
                conn.get_database_backend(),
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
            );
            for row in conn.query_all_raw(all).await.expect("reads") {
                let name: String = row.try_get("", "name").expect("a name");
                triggers.push(row.try_get("", "sql").expect("its text"));
                conn.execute_unprepared(&format!("DROP TRIGGER {name}")).await.expect("drops");
            }
        }
        Self { conn, triggers }
    }

    async fn close(self) {
        for trigger in self.triggers {
            self.conn.execute_unprepared(&trigger).await.expect("restores");
        }
        self.conn.close().await.expect("closes");
    }

    async fn update<E: sea_orm::EntityTrait>(
        &self,
        column: E::Column,
        to: Expr,
        filter: impl Into<sea_orm::Condition>,
    ) {
        let update = E::update_many().col_expr(column, to).filter(filter.into());
        let changed = update.exec(&self.conn).await.expect("updates").rows_affected;
        assert!(changed > 0, "nothing to change");
    }

    async fn entry(&self, source: &str) -> ledger_entry::Model {
        let find = ledger_entry::Entity::find().filter(ledger_entry::Column::Source.starts_with(source));
        find.one(&self.conn).await.expect("reads").unwrap_or_else(|| panic!("no {source}"))
    }
}

fn plus<C: sea_orm::ColumnTrait>(column: C, minor: i64) -> Expr {
    Expr::col(column).add(minor)
}

/// Books an entry that balances and that nothing is behind.
async fn craft(app: &TestApp, lines: Vec<Line>) {
    let accounts: Vec<_> = lines.iter().map(|line| (line.account.clone(), line.amount.currency)).collect();
    ledger::open_accounts(&app.app, &accounts).await.expect("opens");
    let now = app.clock.now();
    app.write(async move |tx: &Tx| {
        let source = "crafted".to_owned();
        let entry = NewEntry { kind: EntryKind::Suspense, source, effective_at: now, memo: None, lines };
        ledger::post(tx, vec![entry], now).await.expect("books");
    })
    .await;
}

fn id(account: &Account) -> LedgerAccountId {
    account.id(eur())
}

on_both! {
    async fn i1_an_entry_that_does_not_balance_is_named(app) {
        let app = &apart(app).await;
        let story = story(app).await;
        let rows = Unguarded::open(app).await;
        let sale = rows.entry(&format!("order:{}:sale", story.fresh.order)).await;
        let of = posting::Column::EntryId.eq(sale.id).and(posting::Column::AccountId.eq(id(&Account::ClearingPayment)));
        rows.update::<posting::Entity>(posting::Column::AmountMinor, plus(posting::Column::AmountMinor, 1), of).await;
        rows.close().await;
        assert_names(app, EntriesBalance, &[TrialBalance, Clearing, Shares], "a posting was changed").await;
    }

    async fn i2_a_folded_balance_that_was_changed_is_named(app) {
        let app = &apart(app).await;
        story(app).await;
        let rows = Unguarded::open(app).await;
        let of = ledger_balance::Column::AccountId.eq(id(&Account::Commission));
        let to = plus(ledger_balance::Column::SealedMinor, 1);
        rows.update::<ledger_balance::Entity>(ledger_balance::Column::SealedMinor, to, of).await;
        rows.close().await;
        assert_names(app, TrialBalance, &[SubLedger], "a folded balance").await;
    }

    async fn i3_money_that_the_processor_has_not_is_named(app) {
        let story = story(app).await;
        let charge = crate::support::charge_of(story.due[0].payment);
        let rows = Unguarded::open(app).await;
        let of = sandbox_object::Column::Kind.eq("line").and(sandbox_object::Column::Parent.eq(charge));
        let gone = sandbox_object::Entity::delete_many().filter(of).exec(&rows.conn).await.expect("deletes");
        assert_eq!(gone.rows_affected, 1);
        rows.close().await;
        assert_names(app, ProcessorBalance, &[LinesOnce], "the processor forgot a charge").await;
    }

    async fn i4_a_payout_that_the_bank_has_not_is_named(app) {
        story(app).await;
        let rows = Unguarded::open(app).await;
        let of = bank_payout::Column::SettledMinor.gt(0);
        rows.update::<bank_payout::Entity>(bank_payout::Column::SettledMinor, Expr::value(0_i64), of).await;
        rows.close().await;
        assert_names(app, PayoutsComplete, &[], "what the bank received").await;
    }

    async fn i4_a_payout_of_another_amount_than_left_is_named(app) {
        story(app).await;
        let rows = Unguarded::open(app).await;
        let of = entity::payout::Column::AmountMinor.gt(1).and(entity::payout::Column::Recipient.eq(entity::states::PayoutRecipient::Operator));
        let to = plus(entity::payout::Column::AmountMinor, 1);
        rows.update::<entity::payout::Entity>(entity::payout::Column::AmountMinor, to, of).await;
        rows.close().await;
        assert_names(app, PayoutsComplete, &[], "an operator's payout").await;
    }

    async fn i5_a_control_account_that_is_not_its_parts_is_named(app) {
        let story = story(app).await;
        let payable = Account::ProviderPayable(story.square.provider.id);
        craft(app, vec![Line::debit(Account::Commission, money(5, "EUR")), Line::credit(payable, money(5, "EUR"))]).await;
        assert_names(app, SubLedger, &[], "somebody is owed more").await;
    }

    async fn i6_a_share_that_moved_between_orders_is_named(app) {
        let story = story(app).await;
        let payable = || Account::ProviderPayable(story.square.provider.id);
        let lines = vec![
            Line::debit(payable(), money(5, "EUR")).of(story.due[0].order),
            Line::credit(payable(), money(5, "EUR")).of(story.due[1].order),
        ];
        craft(app, lines).await;
        assert_names(app, Shares, &[], "the sums of all orders stay").await;
    }

    async fn i7_a_whole_refund_that_took_a_cent_of_the_wrong_party_is_named(app) {
        let story = story(app).await;
        let rows = Unguarded::open(app).await;
        let of = || order_reduction::Column::OrderId.eq(story.whole.order);
        let (provider, operator) = (order_reduction::Column::ProviderMinor, order_reduction::Column::OperatorMinor);
        rows.update::<order_reduction::Entity>(provider, plus(provider, -1), of()).await;
        rows.update::<order_reduction::Entity>(operator, plus(operator, 1), of()).await;
        rows.close().await;
        // A credit note is over the same parts, so it says something else now.
        assert_names(app, WholeRefunds, &[SubLedger, Shares, Records], "one cent").await;
    }

    async fn i8_what_clears_against_another_order_is_named(app) {
        let story = story(app).await;
        let lines = vec![
            Line::debit(Account::ClearingPayment, money(5, "EUR")).of(story.due[0].order),
            Line::credit(Account::ClearingPayment, money(5, "EUR")).of(story.due[1].order),
        ];
        craft(app, lines).await;
        assert_names(app, Clearing, &[], "the account is zero all the same").await;
    }

    async fn i9_a_line_that_is_booked_otherwise_is_named(app) {
        let story = story(app).await;
        let charge = crate::support::charge_of(story.due[0].payment);
        let rows = Unguarded::open(app).await;
        let of = || processor_transaction::Column::SourceRef.eq(charge.clone());
        let (fee, net) = (processor_transaction::Column::FeeMinor, processor_transaction::Column::NetMinor);
        rows.update::<processor_transaction::Entity>(fee, plus(fee, 1), of()).await;
        rows.update::<processor_transaction::Entity>(net, plus(net, -1), of()).await;
        rows.close().await;
        assert_names(app, LinesOnce, &[], "a fee").await;
    }

    async fn i10_a_charge_that_is_booked_twice_is_named(app) {
        let story = story(app).await;
        let charge = crate::support::charge_of(story.due[0].payment);
        let rows = Unguarded::open(app).await;
        let line = processor_transaction::Entity::find().filter(processor_transaction::Column::SourceRef.eq(charge));
        let line = line.one(&rows.conn).await.expect("reads").expect("imported");
        rows.close().await;
        let (now, amount) = (app.clock.now(), money(line.amount_minor, "EUR"));
        let (net, fee) = (money(line.net_minor, "EUR"), money(line.fee_minor, "EUR"));
        app.write(async move |tx: &Tx| {
            let entry = NewEntry {
                kind: EntryKind::ProcessorCharge,
                source: "processor:txn_again".to_owned(),
                effective_at: now,
                memo: None,
                lines: vec![
                    Line::debit(Account::ProcessorAvailable, net),
                    Line::debit(Account::ProcessorFees, fee),
                    Line::credit(Account::ClearingPayment, amount).of(story.due[0].order),
                ],
            };
            let again = processor_transaction::Model { id: "txn_again".to_owned(), ..line };
            let insert = processor_transaction::Entity::insert(again.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
            ledger::post(tx, vec![entry], now).await.expect("books");
        })
        .await;
        assert_names(app, Replay, &[ProcessorBalance, LinesOnce], "told under two names").await;
    }

    async fn i11_a_sealed_entry_that_was_reworded_is_named(app) {
        let app = &apart(app).await;
        story(app).await;
        let rows = Unguarded::open(app).await;
        let charge = rows.entry("processor:").await;
        let of = ledger_entry::Column::Id.eq(charge.id);
        rows.update::<ledger_entry::Entity>(ledger_entry::Column::Memo, Expr::value("forged"), of).await;
        rows.close().await;
        assert_names(app, Chain, &[], "the memo of a sealed entry").await;
    }

    async fn i11_a_guard_that_is_gone_is_named(app) {
        let app = &apart(app).await;
        story(app).await;
        let drop = match app.backend {
            Backend::Sqlite => "DROP TRIGGER posting_no_update",
            Backend::Postgres => "ALTER TABLE posting DISABLE TRIGGER posting_append_only",
        };
        let conn = app.home.connect().await;
        conn.execute_unprepared(drop).await.expect("as the owner");
        conn.close().await.expect("closes");
        assert_names(app, Chain, &[], "nothing was changed yet").await;
    }

    async fn i12_a_provider_that_owes_us_its_share_is_named(app) {
        let story = story(app).await;
        let held = Account::ProviderDisputeHeld(story.other.id);
        craft(app, vec![Line::debit(held, money(5, "EUR")), Line::credit(Account::Commission, money(5, "EUR"))]).await;
        assert_names(app, NothingNegative, &[SubLedger], "less than nothing is held").await;
    }

    async fn a_debt_that_was_set_off_on_paper_alone_is_noticed(app) {
        let story = story(app).await;
        let rows = netting::Entity::find().all(app.app.db.read()).await.expect("reads");
        let like = rows.first().cloned().expect("something was set off");
        let forged = netting::Model { from_order_id: story.due[0].order, debt_order_id: story.owed.order, amount_minor: 5, ..like };
        app.write(async move |tx: &Tx| {
            let insert = netting::Entity::insert(forged.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        let (found, text) = broken(app).await;
        assert!(found.contains(&SubLedger) && found.contains(&Shares), "{text}");
    }

    async fn a_share_that_was_taken_back_twice_is_noticed(app) {
        let story = story(app).await;
        let find = reversal::Entity::find().filter(reversal::Column::OrderId.eq(story.returned.order));
        let once = find.filter(reversal::Column::State.eq(ReversalState::Done)).one(app.app.db.read()).await;
        let once = once.expect("reads").expect("taken back");
        let (now, amount) = (app.clock.now(), money(once.amount_minor, "EUR"));
        let (order, org) = (story.returned.order, story.square.provider.id);
        app.write(async move |tx: &Tx| {
            let again = reversal::Model { id: entity::ids::ReversalId::at(now), ..once };
            let insert = reversal::Entity::insert(again.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        craft(app, vec![
            Line::debit(Account::ProcessorAvailable, amount),
            Line::credit(Account::ProviderReceivable(org), amount).of(order),
        ])
        .await;
        let (found, text) = broken(app).await;
        assert!(found.contains(&NothingNegative) && found.contains(&LinesOnce) && found.contains(&ProcessorBalance), "{text}");
    }

    async fn a_share_that_was_rounded_the_other_way_is_noticed_though_all_sums_hold(app) {
        let story = story(app).await;
        let rows = Unguarded::open(app).await;
        let sale = rows.entry(&format!("order:{}:sale", story.fresh.order)).await;
        let of = |account: &Account| {
            posting::Column::EntryId.eq(sale.id).and(posting::Column::AccountId.eq(id(account)))
        };
        let minor = posting::Column::AmountMinor;
        rows.update::<posting::Entity>(minor, plus(minor, -1), of(&Account::Commission)).await;
        rows.update::<posting::Entity>(minor, plus(minor, 1), of(&Account::ProviderPending(story.square.provider.id))).await;
        let line = || order_line::Column::OrderId.eq(story.fresh.order);
        let (operator, provider) = (order_line::Column::OperatorMinor, order_line::Column::ProviderMinor);
        rows.update::<order_line::Entity>(operator, plus(operator, 1), line()).await;
        rows.update::<order_line::Entity>(provider, plus(provider, -1), line()).await;
        rows.close().await;
        assert_names(app, Shares, &[], "documents and books say the same wrong thing").await;
    }

    async fn a_refund_that_was_taken_of_the_wrong_provider_is_noticed(app) {
        let story = story(app).await;
        let (right, wrong) = (story.other.id, story.square.provider.id);
        let lines = vec![
            Line::credit(Account::ProviderPending(right), money(8_001, "EUR")).of(story.whole.order),
            Line::debit(Account::ProviderPending(wrong), money(8_001, "EUR")).of(story.whole.order),
        ];
        craft(app, lines).await;
        let (found, text) = broken(app).await;
        assert!(found.contains(&Shares) && found.contains(&SubLedger), "{text}");
        assert!(text.contains("sold nothing of it"), "{text}");
    }
}

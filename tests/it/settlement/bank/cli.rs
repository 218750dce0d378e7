//! `torv bank`, by the real binary: what it brings in and books, what it says, and what it leaves in the audit log.

use entity::{audit_event, bank_import, bank_line, states::BankLineState};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use time::macros::{date, datetime};

use super::records::{Written, bank_line as line, statement};
use crate::support::{TestApp, on_both, process::Said, sales::money};

async fn torv(app: &TestApp, arguments: &[&str]) -> Said {
    tokio::task::block_in_place(|| app.home.torv(arguments))
}

fn write(app: &TestApp, name: &str, bytes: &[u8]) -> String {
    let path = app.home.path().join(name);
    std::fs::write(&path, bytes).expect("writes");
    path.to_str().expect("text").to_owned()
}

async fn matched(app: &TestApp) -> u64 {
    let query = bank_line::Entity::find().filter(bank_line::Column::State.eq(BankLineState::Matched));
    query.count(app.app.db.read()).await.expect("counts")
}

on_both! {
    async fn a_file_is_brought_in_booked_and_audited_and_again_changes_nothing(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let at = datetime!(2026-11-02 10:00 UTC);
        app.sent_payout(&operator, "po_1_reference", money(500, "EUR"), at).await;
        let lines = [line(date!(2026 - 11 - 03), 500, "B1", Some("po_1_reference"), "Payout"), line(date!(2026 - 11 - 03), -250, "B2", None, "Monthly fee")];
        let file = write(app, "statement.sta", &statement(Written::Mt940, 0, &lines));
        let said = torv(app, &["bank", "import", &file]).await.well();
        assert!(said.contains("2 lines read, 2 new, 0 known, 0 announced only"), "{said}");
        assert!(torv(app, &["bank", "book"]).await.well().contains("lines looked at"), "booked");
        assert_eq!(matched(app).await, 2);
        app.assert_ledger_is_clean("booked at the command line").await;
        let said = torv(app, &["bank", "import", &file]).await.well();
        assert!(said.contains("2 lines read, 0 new, 2 known"), "{said}");
        torv(app, &["bank", "book"]).await.well();
        assert_eq!(matched(app).await, 2);
        let audited = audit_event::Entity::find()
            .filter(audit_event::Column::Action.eq("bank_statement.import"))
            .all(app.app.db.read())
            .await
            .expect("reads");
        assert_eq!(audited.len(), 2);
        assert!(audited.iter().all(|event| event.account_id.is_none() && event.request_id.as_deref() == Some("command line")), "{audited:?}");
        let table = write(app, "table.csv", &statement(Written::Csv, 0, &lines));
        let said = torv(app, &["bank", "import", &table, "--account", "main"]).await.well();
        assert!(said.contains("2 lines read, 0 new, 2 known"), "the same lines in a table: {said}");
    }

    async fn a_file_that_does_not_hold_is_refused_in_one_line_that_says_what_to_do(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let lines = [line(date!(2026 - 11 - 03), 500, "B1", None, "Payout")];
        let good = String::from_utf8(statement(Written::Mt940, 0, &lines)).expect("text");
        let closing = good.lines().find(|line| line.starts_with(":62F:")).expect("a closing balance");
        let cases = [
            ("total.sta", good.replace(closing, ":62F:C260131EUR1,00"), "Nothing was imported. At line"),
            ("currency.sta", good.replace("EUR", "USD"), "in USD"),
            ("account.sta", good.replace("DK5000400440116243", "DE88990000010000004711"), "Open that account first"),
            ("malformed.sta", good.replace(":61:", ":61:x"), "Nothing was imported. At line"),
            ("picture.pdf", "%PDF-1.7 nothing to read".to_owned(), "camt.053"),
            ("table.csv", String::from_utf8(statement(Written::Csv, 0, &lines)).expect("text"), "account"),
        ];
        for (name, content, words) in cases {
            let file = write(app, name, content.as_bytes());
            let complaint = torv(app, &["bank", "import", &file]).await.complaint(&[]);
            assert!(complaint.contains(words), "{name}: {complaint}");
        }
        let complaint = torv(app, &["bank", "import", "/nowhere/statement.xml"]).await.complaint(&[]);
        assert!(complaint.contains("/nowhere/statement.xml"), "{complaint}");
        assert_eq!(bank_import::Entity::find().count(app.app.db.read()).await.expect("counts"), 0);
    }
}

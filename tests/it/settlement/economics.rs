//! Unit economics against the sums they are made of.

use serde_json::{Value, json};
use time::Duration;

use crate::support::{TestApp, TestOrg, on_both, one_off, sales::money};

async fn figures(app: &TestApp, operator: &TestOrg, query: &str) -> Value {
    let path = format!("/api/v1/settlement/economics{query}");
    app.as_org(operator, "GET", &path).send().await.expect(200).json()["currencies"].clone()
}

fn minor(figures: &Value, name: &str) -> i64 {
    figures[name].as_i64().unwrap_or_else(|| panic!("{name}: {figures}"))
}

on_both! {
    async fn what_is_left_of_sales_ties_to_the_ledger_and_to_its_groups(app) {
        let (big, small) = (app.provider().await, app.provider().await);
        let (buyer, operator) = (app.buyer().await, app.operator().await);
        for (provider, amount, code) in [(&big, 10_001, "EUR"), (&big, 20_000, "EUR"), (&small, 999, "EUR"), (&small, 5_000, "JPY")] {
            app.sell(provider, &buyer, money(amount, code)).await;
        }
        app.run_jobs().await;
        let all = figures(app, &operator, "").await;
        let euros = &all[0];
        assert_eq!((&euros["currency"], minor(euros, "orders"), minor(euros, "gross_minor")), (&json!("EUR"), 3, 31_000));
        // 1.5 % of each charge, rounded by the sandbox.
        assert_eq!(minor(euros, "processor_fees_minor"), 150 + 300 + 15);
        assert_eq!(minor(euros, "commission_minor"), 2_000 + 4_000 + 200);
        assert_eq!(minor(euros, "net_take_minor"), 6_200 - 465);
        assert_eq!(minor(euros, "take_rate_bps"), 1_850);
        assert_eq!(minor(euros, "providers_minor") + minor(euros, "commission_minor") + minor(euros, "tax_minor"), 31_000);
        for group in ["by_offer_kind", "top_providers"] {
            let rows = euros[group].as_array().expect("groups");
            for (part, whole) in [("gross_minor", "gross_minor"), ("operator_minor", "commission_minor"), ("providers_minor", "providers_minor")] {
                assert_eq!(rows.iter().map(|row| minor(row, part)).sum::<i64>(), minor(euros, whole), "{group}: {part}");
            }
        }
        assert_eq!(euros["top_providers"][0]["organization_id"], json!(big.id));
        assert_eq!(figures(app, &operator, "?top=1").await[0]["top_providers"].as_array().map(Vec::len), Some(1));
        assert_eq!((&all[1]["currency"], minor(&all[1], "gross_minor")), (&json!("JPY"), 5_000));
        app.as_org(&big, "GET", "/api/v1/settlement/economics").send().await.expect(403);
    }

    async fn a_period_holds_what_was_booked_in_it(app) {
        let (sale, buyer) = app.market(&one_off(10_000)).await;
        let operator = app.operator().await;
        let mut edges = Vec::new();
        for key in ["a", "b", "c"] {
            edges.push(entity::Timestamp(app.clock.now()));
            app.order(&buyer, &sale, key, Some("pm_card_visa")).await.expect(201);
            app.deliver_webhooks(crate::support::Delivery::InOrder).await;
            app.run_jobs().await;
            app.advance(Duration::days(40));
        }
        let between = |from: usize, until: usize| {
            let text = |at: usize| json!(edges[at]).as_str().expect("a time").replace('+', "%2B");
            format!("?from={}&until={}", text(from), text(until))
        };
        assert_eq!(minor(&figures(app, &operator, &between(0, 1)).await[0], "gross_minor"), 10_000);
        assert_eq!(minor(&figures(app, &operator, &between(0, 2)).await[0], "gross_minor"), 20_000);
        assert_eq!(figures(app, &operator, &between(1, 1)).await, json!([]));
        for wrong in [between(1, 0), "?top=0".to_owned(), "?top=101".to_owned(), "?from=2020-01-01T00:00:00Z".to_owned()] {
            let path = format!("/api/v1/settlement/economics{wrong}");
            app.as_org(&operator, "GET", &path).send().await.expect(422);
        }
    }
}

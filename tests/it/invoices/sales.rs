//! The documents of a sale.

use serde_json::json;

use super::{
    DANISH_ID, GERMAN_ID, OPERATOR_ID, Parties, VISA, amount, amounts, as_deemed_supplier, assert_valid,
    assert_verified, documents, on_both_deemed, profile, put_profile, vat,
};
use crate::support::{Backend, TestApp, on_both, one_off};

/// Conditions paid once, in yen.
fn yen(minor: i64) -> serde_json::Value {
    json!({"kind": "one_off", "price": {"minor": minor, "currency": "JPY"}})
}

on_both! {
    async fn a_domestic_sale_of_an_agent_is_taxed_on_top_and_documented_twice(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        let ask = json!({"offer_id": parties.sale.offer});
        let quote = app.as_org(&parties.buyer, "POST", "/api/v1/quotes").json(&ask).send().await.expect(200).json();
        assert_eq!((quote["tax"]["minor"].as_i64(), quote["total"]["minor"].as_i64()), (Some(2_500), Some(12_501)));
        assert_eq!((quote["lines"][0]["tax_bps"].as_i64(), &quote["lines"][0]["tax_category"]), (Some(2_500), &json!("S")));
        let order = parties.buy(app, "k").await;
        assert_eq!(order["total"]["minor"], 12_501);
        assert_eq!((&order["provider_share"]["minor"], &order["operator_share"]["minor"]), (&json!(10_501), &json!(2_000)));
        let expected = [
            amount("invoice", "sale", 10_001, 2_500, 12_501),
            amount("invoice", "share", 1_600, 400, 2_000),
        ];
        assert_eq!(amounts(app).await, expected);
        // The provider owes the tax of the sale; the operator that inside its commission.
        assert_eq!(vat(app, &parties.operator).await, [("DK".to_owned(), 400, 0)]);
        assert_valid(app, &parties.operator).await;
        assert_verified(app).await;
    }

    async fn a_business_in_another_country_accounts_for_the_tax_itself(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DE", Some(GERMAN_ID))];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        parties.buy(app, "k").await;
        let rows = documents(app).await;
        let sale = rows.iter().find(|row| row.buyer_id == parties.buyer.id).expect("the buyer's");
        assert_eq!((sale.net_minor, sale.tax_minor, sale.payable_minor), (10_001, 0, 10_001));
        assert!(sale.body.contains("\"AE\"") || sale.body.contains("ReverseCharge"), "{}", sale.body);
        assert_valid(app, &parties.operator).await;
        assert_verified(app).await;
    }

    async fn a_provider_without_a_vat_id_charges_no_tax(app) {
        let ids = [("DK", None), ("DK", None), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        let order = parties.buy(app, "k").await;
        assert_eq!((&order["total"]["minor"], &order["tax"]["minor"]), (&json!(10_001), &json!(0)));
        let expected =
            [amount("invoice", "sale", 10_001, 0, 10_001), amount("invoice", "share", 2_000, 0, 2_000)];
        assert_eq!(amounts(app).await, expected);
        assert_eq!(vat(app, &parties.operator).await, []);
        assert_valid(app, &parties.operator).await;
        assert_verified(app).await;
    }

    async fn organisations_without_a_profile_are_invoiced_under_their_names(app) {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(&one_off(500)).await;
        app.order(&buyer, &sale, "k", VISA).await.expect(201);
        app.run_jobs().await;
        let rows = documents(app).await;
        assert_eq!(rows.len(), 2);
        let path = format!("/api/v1/documents/{}/ubl", rows[0].id);
        let refused = app.as_org(&operator, "GET", &path).send().await.expect(409);
        assert!(refused.text().contains("legal id"), "{}", refused.text());
        let path = format!("/api/v1/documents/{}/pdf", rows[0].id);
        let pdf = app.as_org(&buyer, "GET", &path).send().await;
        let pdf = if pdf.status == 404 { app.as_org(&operator, "GET", &path).send().await } else { pdf }.expect(200);
        assert!(pdf.bytes.starts_with(b"%PDF-"));
        assert_verified(app).await;
    }

    async fn yen_have_no_minor_digits(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("JP", Some("T5835678256246")), ("JP", None)];
        let parties = Parties::new(app, &yen(1_015), ids).await;
        parties.buy(app, "k").await;
        // 10 % of 1,015 are 101.5, and half a yen rounds up.
        assert_eq!(amounts(app).await[0], amount("invoice", "sale", 1_015, 102, 1_117));
        assert_valid(app, &parties.operator).await;
        assert_verified(app).await;
    }

    async fn a_bundle_is_invoiced_by_each_of_its_providers(app) {
        let operator = app.operator().await;
        put_profile(app, &operator, &profile("DK", Some(OPERATOR_ID))).await;
        let bundle = crate::plans::accepted_bundle(app, 10_001).await;
        // One is registered in the buyer's country, one elsewhere, one nowhere.
        let ids = [("DK", Some(DANISH_ID)), ("DE", Some(GERMAN_ID)), ("DK", None)];
        for (provider, (country, id)) in bundle.0.iter().zip(ids) {
            put_profile(app, provider, &profile(country, id)).await;
        }
        let buyer = app.buyer().await;
        put_profile(app, &buyer, &profile("DK", None)).await;
        let order = app.order(&buyer, &bundle.1, "k", VISA).await.expect(201).json();
        app.run_jobs().await;
        let rows = documents(app).await;
        let sales: Vec<_> = rows.iter().filter(|row| row.buyer_id == buyer.id).collect();
        assert_eq!((rows.len(), sales.len()), (6, 3));
        let payable: i64 = sales.iter().map(|row| row.payable_minor).sum();
        assert_eq!(json!(payable), order["total"]["minor"]);
        let tax: i64 = sales.iter().map(|row| row.tax_minor).sum();
        assert_eq!(json!(tax), order["tax"]["minor"]);
        assert!(tax > 0);
        assert_valid(app, &operator).await;
        assert_verified(app).await;
    }

    async fn an_order_by_bank_transfer_has_a_pro_forma_before_it_is_paid(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        let mut body = parties.sale.order_in(None);
        body["purchase_order"] = json!("PO-4711");
        let id = app.order_with(&parties.buyer, "k", &body).await.expect(201).str("/id");
        app.run_jobs().await;
        assert_eq!(amounts(app).await, [amount("pro_forma", "sale", 10_001, 2_500, 12_501)]);
        app.pay(&parties.buyer, &id, "p", "pm_card_visa").await.expect(200);
        app.run_jobs().await;
        app.run_jobs().await;
        let kinds: Vec<_> = amounts(app).await.into_iter().map(|row| row.0).collect();
        assert_eq!(kinds, ["invoice", "invoice", "pro_forma"]);
        let rows = documents(app).await;
        assert!(rows.iter().any(|row| row.body.contains("PO-4711")));
        assert_verified(app).await;
    }
}

on_both_deemed! {
    async fn a_deemed_supplier_invoices_the_whole_and_bills_itself_for_the_share(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DE", Some(GERMAN_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        let order = parties.buy(app, "k").await;
        assert_eq!(order["total"]["minor"], 12_501);
        assert_eq!((&order["provider_share"]["minor"], &order["operator_share"]["minor"]), (&json!(8_001), &json!(2_000)));
        let expected = [
            amount("invoice", "sale", 10_001, 2_500, 12_501),
            amount("self_billed_invoice", "share", 8_001, 0, 8_001),
        ];
        assert_eq!(amounts(app).await, expected);
        assert_eq!(vat(app, &parties.operator).await, [("DK".to_owned(), 2_500, 0)]);
        assert_valid(app, &parties.operator).await;
    }

    async fn a_domestic_providers_tax_is_inside_its_share_and_comes_back(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DE", Some(GERMAN_ID))];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        parties.buy(app, "k").await;
        // 8,001 with 25 % inside: the tax is 1,600, the net 6,401.
        let expected = [
            amount("invoice", "sale", 10_001, 0, 10_001),
            amount("self_billed_invoice", "share", 6_401, 1_600, 8_001),
        ];
        assert_eq!(amounts(app).await, expected);
        assert_eq!(vat(app, &parties.operator).await, [("DK".to_owned(), 0, 1_600)]);
        assert_valid(app, &parties.operator).await;
    }

    async fn a_deemed_supplier_without_a_vat_id_charges_no_tax(app) {
        let ids = [("DK", None), ("DK", None), ("DK", None)];
        let parties = Parties::new(app, &one_off(777), ids).await;
        parties.buy(app, "k").await;
        assert_eq!(amounts(app).await[0], amount("invoice", "sale", 777, 0, 777));
        assert_valid(app, &parties.operator).await;
    }
}

//! Every operation of the API, tried by every kind of actor; the OpenAPI document says which operations
//! there are, so that a new one fails here until somebody has said who may do it.

mod probes;
mod recurring;
mod sharing;
mod world;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::{
    probes::Probe,
    world::{ACTORS, World},
};
use crate::support::{Answer, TestApp, on_both};

/// Who may do what, one column for each of [`ACTORS`]: `+` done, `1` 401, `3` 403, `4` 404, and `!` for
/// an actor who may, and is refused for what was sent.
///
/// A name with a word behind it is another thing that the same operation is tried on.
#[rustfmt::skip]
const RIGHTS: &[(&str, &str)] = &[
    //   without, garbage and expired credentials | nobody's | owner editor buyer finance viewer of the owning
    //   organisation | owner of another | its key to read, to all | owner and viewer of the operator
    ("search_listings",               "+11 + +++++ + ++ ++"),
    ("list_listings_in_review",       "111 3 33333 3 33 +3"),
    ("create_listing",                "111 3 ++333 + 3+ 33"),
    ("get_listing",                   "+11 + +++++ + ++ ++"),
    ("list_revisions",                "+11 + +++++ + ++ ++"),
    ("list_offers",                   "+11 + +++++ + ++ ++"),
    ("list_listing_deliveries",       "111 3 +++++ 4 ++ 44"),
    ("get_listing_delivery_summary",  "111 3 +++++ 4 ++ 44"),
    ("get_listing draft",             "411 4 +++++ 4 ++ 44"),
    ("list_revisions draft",          "411 4 +++++ 4 ++ 44"),
    ("list_offers draft",             "411 4 +++++ 4 ++ 44"),
    ("edit_listing",                  "111 3 ++333 4 3+ 43"),
    ("publish_listing",               "111 3 ++333 4 3+ 33"),
    ("withdraw_listing",              "111 3 ++333 4 3+ 33"),
    ("approve_listing",               "111 3 33333 3 33 +3"),
    ("return_listing",                "111 3 33333 3 33 +3"),
    ("retire_listing",                "111 3 ++333 4 3+ 33"),
    ("open_revision",                 "111 3 ++333 4 3+ 33"),
    ("get_revision",                  "+11 + +++++ + ++ ++"),
    ("get_revision draft",            "411 4 +++++ 4 ++ 44"),
    ("put_file",                      "111 3 ++333 4 3+ 33"),
    ("discard_revision",              "111 3 ++333 4 3+ 43"),
    ("publish_revision",              "111 3 ++333 4 3+ 43"),
    ("delete_file",                   "111 3 ++333 4 3+ 43"),
    ("get_file_profile",              "+11 + +++++ + ++ ++"),
    ("get_file_profile draft",        "411 4 +++++ 4 ++ 44"),
    ("set_sample_policy",             "111 3 ++333 4 3+ 43"),
    ("set_file_reference",            "111 3 ++333 4 3+ 43"),
    ("get_changelog",                 "+11 + +++++ + ++ ++"),
    ("get_changelog draft",           "411 4 +++++ 4 ++ 44"),
    ("preview_version",               "111 3 +++++ 4 ++ 44"),
    ("list_row_keys",                 "+11 + +++++ + ++ ++"),
    ("list_row_keys draft",           "411 4 +++++ 4 ++ 44"),
    ("set_row_key",                   "111 3 ++333 4 3+ 33"),
    ("remove_row_key",                "111 3 ++333 4 3+ 43"),
    ("list_licences",                 "+11 + +++++ + ++ ++"),
    ("create_licence",                "111 3 ++333 + 3+ 33"),
    ("preview_licence",               "111 3 ++333 + 3+ +3"),
    ("get_licence",                   "411 4 +++++ 4 ++ 44"),
    ("archive_licence",               "111 3 ++333 4 3+ 43"),
    ("get_licence_document",          "+++ + +++++ + ++ ++"),
    ("get_licence_odrl",              "+++ + +++++ + ++ ++"),
    ("get_licence_text",              "+++ + +++++ + ++ ++"),
    ("create_offer",                  "111 3 ++333 4 3+ 33"),
    ("get_offer",                     "+11 + +++++ + ++ ++"),
    ("get_offer draft",               "411 4 +++++ 4 ++ 44"),
    ("withdraw_offer",                "111 3 ++333 4 3+ 43"),
    ("list_bundle_parts",             "111 3 +++++ + ++ ++"),
    ("accept_bundle",                 "111 3 ++333 4 3+ 43"),
    ("leave_bundle",                  "111 3 ++333 4 3+ 43"),
    ("create_coupon",                 "111 3 ++333 + 3+ 33"),
    ("list_coupons",                  "111 3 +++++ + ++ ++"),
    ("end_coupon",                    "111 3 ++333 4 3+ 43"),
    ("get_offer private",             "411 4 +++++ 4 ++ 44"),
    ("create_quote private",          "411 4 +++++ 4 ++ 44"),
    ("create_quote",                  "+11 + +++++ + ++ ++"),
    ("create_quote draft",            "411 4 44444 4 44 44"),
    ("place_order",                   "111 3 +3+33 + 3+ 33"),
    ("list_orders",                   "111 3 +++++ + ++ ++"),
    ("list_grants",                   "111 3 +++++ + ++ ++"),
    ("list_fee_rules",                "111 3 33333 3 33 +3"),
    ("get_order",                     "111 3 +++++ 4 ++ 44"),
    ("get_receipt",                   "111 3 +++++ 4 ++ 44"),
    ("get_order_proof",               "111 3 +++++ 4 ++ 44"),
    ("approve_order",                 "111 3 ++333 4 3+ 43"),
    ("decline_order",                 "111 3 ++333 4 3+ 43"),
    ("cancel_order",                  "111 3 +3+33 4 3+ 43"),
    ("pay_order",                     "111 3 +3+33 4 3+ 43"),
    ("open_checkout",                 "111 3 !3!33 4 3! 43"),
    ("get_grant",                     "111 3 +++++ 4 ++ 44"),
    ("list_grant_versions",           "111 3 +++++ 4 ++ 44"),
    ("accept_grant_version",          "111 3 +3+33 4 3+ 43"),
    ("revoke_grant",                  "111 3 ++333 4 3+ 43"),
    ("download_changes",              "111 3 +3+33 4 3+ 43"),
    ("list_grant_files",              "111 3 +3+33 4 3+ 43"),
    ("list_grant_deliveries",         "111 3 +++++ 4 ++ 44"),
    ("get_share_access",              "111 3 +3+33 4 3+ 43"),
    ("issue_share_profile",           "111 3 +3+33 4 33 43"),
    ("revoke_share_profile",          "111 3 +3+33 4 3+ 43"),
    ("list_shares",                   "111 3 +3+33 + 3+ +3"),
    ("get_share",                     "111 3 +3+33 4 3+ 43"),
    ("list_share_schemas",            "111 3 +3+33 4 3+ 43"),
    ("list_schema_tables",            "111 3 +3+33 4 3+ 43"),
    ("list_share_tables",             "111 3 +3+33 4 3+ 43"),
    ("get_table_version",             "111 3 +3+33 4 3+ 43"),
    ("get_table_metadata",            "111 3 +3+33 4 3+ 43"),
    ("query_table",                   "111 3 +3+33 4 3+ 43"),
    ("get_table_changes",             "111 3 +3+33 4 3+ 43"),
    ("list_rows",                     "111 3 +3+33 4 3+ 43"),
    ("run_sql",                       "111 3 !3!33 4 3! 43"),
    ("list_sql_tables",               "111 3 +3+33 + 3+ +3"),
    ("get_trial_policy",              "+11 + +++++ + ++ ++"),
    ("get_trial_policy draft",        "411 4 +++++ 4 ++ 44"),
    ("set_trial_policy",              "111 3 ++333 4 3+ 43"),
    ("create_trial_report",           "111 3 +3+33 + 3+ 33"),
    ("create_trial_report draft",     "111 3 !3!33 4 3! 43"),
    ("list_trial_reports",            "111 3 +++++ + ++ ++"),
    ("list_trial_reports draft",      "111 3 +++++ 4 ++ 44"),
    ("get_trial_report",              "111 3 +++++ 4 ++ 44"),
    ("get_trial_usage",               "111 3 +++++ 4 ++ 44"),
    ("get_features_landing_page",     "+++ + +++++ + ++ ++"),
    ("get_features_conformance",      "+++ + +++++ + ++ ++"),
    ("list_collections",              "111 3 +3+33 + 3+ +3"),
    ("get_collection",                "111 3 +3+33 4 3+ 43"),
    ("get_queryables",                "111 3 +3+33 4 3+ 43"),
    ("list_features",                 "111 3 +3+33 4 3+ 43"),
    ("get_feature",                   "111 3 +3+33 4 3+ 43"),
    ("save_payment_method",           "111 3 +3+33 + 3+ +3"),
    ("list_payment_methods",          "111 3 +3+33 + 3+ +3"),
    ("remove_payment_method",         "111 3 +3+33 4 3+ 43"),
    ("list_subscriptions",            "111 3 +++++ + ++ ++"),
    ("get_subscription",              "111 3 +++++ 4 ++ 44"),
    ("cancel_subscription",           "111 3 +3+33 4 3+ 43"),
    ("keep_subscription",             "111 3 +3+33 4 3+ 43"),
    ("pause_subscription",            "111 3 +3+33 4 3+ 43"),
    ("resume_subscription",           "111 3 +3+33 4 3+ 43"),
    ("end_subscription",              "111 3 ++333 4 3+ 43"),
    ("consent_to_subscription",       "111 3 +3+33 4 3+ 43"),
    ("preview_subscription_change",   "111 3 +3+33 4 3+ 43"),
    ("drop_subscription_change",      "111 3 +3+33 4 3+ 43"),
    ("upgrade_subscription",          "111 3 !3!33 4 3! 43"),
    ("set_subscription_payment_method", "111 3 +3+33 4 3+ 43"),
    ("report_usage",                  "111 3 ++333 4 3+ 43"),
    ("get_usage",                     "111 3 +++++ 4 ++ 44"),
    ("set_budget",                    "111 3 +3+33 4 3+ 43"),
    ("list_quotas",                   "111 3 +++++ + ++ ++"),
    ("get_quota",                     "111 3 +++++ 4 ++ 44"),
    ("report_quota_usage",            "111 3 ++333 4 3+ 43"),
    ("create_fee_rule",               "111 3 33333 3 33 +3"),
    ("request_refund",                "111 3 +3+33 4 3+ 43"),
    ("issue_refund",                  "111 3 +33+3 4 3+ +3"),
    ("list_refunds",                  "111 3 +++++ + ++ ++"),
    ("get_refund",                    "111 3 +++++ 4 ++ ++"),
    ("approve_refund",                "111 3 +33+3 4 3+ !3"),
    ("decline_refund",                "111 3 +33+3 4 3+ !3"),
    ("appeal_refund",                 "111 3 +3+33 4 3+ 43"),
    ("withdraw_refund",               "111 3 +3+33 4 3+ 43"),
    ("list_disputes",                 "111 3 +33+3 + 3+ +3"),
    ("get_dispute",                   "111 3 +33+3 4 3+ +3"),
    ("give_evidence",                 "111 3 +33+3 4 3+ 43"),
    ("accept_dispute",                "111 3 33333 3 33 +3"),
    ("submit_dispute",                "111 3 33333 3 33 !3"),
    ("list_receivables",              "111 3 +33+3 + 3+ +3"),
    ("list_reversals",                "111 3 +33+3 + 3+ +3"),
    ("retry_reversal",                "111 3 33333 3 33 +3"),
    ("ask_write_off",                 "111 3 33333 3 33 !3"),
    ("list_write_offs",               "111 3 33333 3 33 +3"),
    ("approve_write_off",             "111 3 33333 3 33 +3"),
    ("decline_write_off",             "111 3 33333 3 33 !3"),
    ("run_payouts",                   "111 3 33333 3 33 +3"),
    ("list_payouts",                  "111 3 +33+3 + 3+ +3"),
    ("get_payout",                    "111 3 +33+3 4 3+ +3"),
    ("retry_payout",                  "111 3 33333 3 33 !3"),
    ("get_payout_account",            "111 3 +33+3 + 3+ +3"),
    ("start_onboarding",              "111 3 !33!3 ! 3! !3"),
    ("run_reconciliation",            "111 3 33333 3 33 +3"),
    ("list_reconciliations",          "111 3 33333 3 33 +3"),
    ("get_reconciliation",            "111 3 33333 3 33 +3"),
    ("request_verification",          "111 3 33333 3 33 +3"),
    ("list_verifications",            "111 3 33333 3 33 +3"),
    ("get_verification",              "111 3 33333 3 33 +3"),
    ("get_settlement_balance",        "111 3 +33+3 + 3+ +3"),
    ("get_statement",                 "111 3 +33+3 + 3+ +3"),
    ("get_statement of",              "111 3 +33+3 4 3+ +3"),
    ("list_documents",                "111 3 +++++ + ++ ++"),
    ("get_document",                  "111 3 +++++ 4 ++ +4"),
    ("get_document_pdf",              "111 3 +++++ 4 ++ +4"),
    ("get_document_ubl",              "111 3 +++++ 4 ++ +4"),
    ("get_vat_summary",               "111 3 33333 3 33 +3"),
    ("export_dac7",                   "111 3 33333 3 33 +3"),
    ("get_tax_profile",               "111 3 +33+3 4 3+ +3"),
    ("put_tax_profile",               "111 3 +33+3 4 3+ 43"),
    ("export_ledger",                 "111 3 33333 3 33 +3"),
    ("read_money_feed",               "111 3 +33+3 + 3+ +3"),
    ("download_money_feed",           "111 3 +33+3 + 3+ +3"),
    ("get_unit_economics",            "111 3 33333 3 33 +3"),
    ("list_proof_keys",               "+++ + +++++ + ++ ++"),
    ("list_tree_heads",               "+++ + +++++ + ++ ++"),
    ("get_tree_head",                 "+++ + +++++ + ++ ++"),
    ("get_consistency_proof",         "+++ + +++++ + ++ ++"),
    ("get_transparency_totals",       "+++ + +++++ + ++ ++"),
    ("open_bank_account",               "111 3 33333 3 33 +3"),
    ("list_bank_accounts",              "111 3 33333 3 33 +3"),
    ("set_bank_profile",                "111 3 33333 3 33 +3"),
    ("import_bank_statement",           "111 3 33333 3 33 +3"),
    ("import_payout_report",            "111 3 33333 3 33 +3"),
    ("list_bank_statements",            "111 3 33333 3 33 +3"),
    ("get_bank_statement",              "111 3 33333 3 33 +3"),
    ("list_bank_lines",                 "111 3 33333 3 33 +3"),
    ("get_bank_line",                   "111 3 33333 3 33 +3"),
    ("list_exceptions",                 "111 3 33333 3 33 +3"),
    ("get_exception",                   "111 3 33333 3 33 +3"),
    ("detect_exceptions",               "111 3 33333 3 33 +3"),
    ("assign_exception",                "111 3 33333 3 33 +3"),
    ("note_exception",                  "111 3 33333 3 33 +3"),
    ("resolve_exception",               "111 3 33333 3 33 +3"),
    ("decide_resolution",               "111 3 33333 3 33 !3"),
    ("get_three_way_report",            "111 3 33333 3 33 +3"),
    ("close_month",                     "111 3 33333 3 33 !3"),
    ("list_closings",                   "111 3 33333 3 33 +3"),
    ("list_notices",                  "111 3 +++++ + ++ ++"),
    ("stream_notices",                "111 3 +++++ + ++ ++"),
    ("get_unread_notices",            "111 3 +++++ + ++ ++"),
    ("mark_notices_read",             "111 3 +++++ + ++ ++"),
    ("list_notice_kinds",             "+++ + +++++ + ++ ++"),
    ("get_mail_preferences",          "111 3 +++++ + 33 ++"),
    ("set_mail_preferences",          "111 3 +++++ + 33 ++"),
    ("unsubscribe_from_mails",        "+++ + +++++ + ++ ++"),
    ("create_webhook_endpoint",       "111 3 +3333 + 3+ +3"),
    ("list_webhook_endpoints",        "111 3 +3333 + 3+ +3"),
    ("get_webhook_endpoint",          "111 3 +3333 4 3+ 43"),
    ("change_webhook_endpoint",       "111 3 +3333 4 3+ 43"),
    ("delete_webhook_endpoint",       "111 3 +3333 4 3+ 43"),
    ("rotate_webhook_secret",         "111 3 +3333 4 3+ 43"),
    ("test_webhook_endpoint",         "111 3 +3333 4 3+ 43"),
    ("replay_webhook_endpoint",       "111 3 +3333 4 3+ 43"),
    ("list_webhook_deliveries",       "111 3 +3333 4 3+ 43"),
    ("get_webhook_delivery",          "111 3 +3333 4 3+ 43"),
    ("retry_webhook_delivery",        "111 3 +3333 4 3+ 43"),
    ("download_file",                 "+++ + +++++ + ++ ++"),
    ("probe_file",                    "+++ + +++++ + ++ ++"),
    ("receive_webhook",               "+++ + +++++ + ++ ++"),
    ("get_jwks",                      "+++ + +++++ + ++ ++"),
    ("get_liveness",                  "+++ + +++++ + ++ ++"),
    ("get_readiness",                 "+++ + +++++ + ++ ++"),
    ("list_problems",                 "+++ + +++++ + ++ ++"),
    ("get_problem",                   "+++ + +++++ + ++ ++"),
    ("register_account",              "+++ + +++++ + ++ ++"),
    ("log_in",                        "+++ + +++++ + ++ ++"),
    ("refresh_session",               "+++ + +++++ + ++ ++"),
    ("get_my_account",                "111 + +++++ + 11 ++"),
    ("log_out",                       "111 + +++++ + 11 ++"),
    ("list_audit_events",             "111 3 +3333 + 3+ +3"),
    ("list_slice_failures",           "111 3 33333 3 33 ++"),
    ("retry_slice",                   "111 3 33333 3 33 +3"),
    ("list_storage_findings",         "111 3 33333 3 33 ++"),
    ("change_my_password",            "111 + +++++ + 11 ++"),
    ("found_organization",            "111 + +++++ + 11 ++"),
    ("get_organization",              "+11 + +++++ + ++ ++"),
    ("list_members",                  "111 3 +++++ 4 ++ 44"),
    ("list_api_keys",                 "111 3 +++++ 4 3+ 44"),
    ("list_invitations",              "111 3 +3333 4 3+ 43"),
    ("list_own_listings",             "111 3 +++++ 4 ++ 44"),
    ("change_organization",           "111 3 +3333 4 3+ +3"),
    ("remove_member",                 "111 3 +3333 4 3+ 44"),
    ("change_member_role",            "111 3 +3333 4 3+ 43"),
    ("create_api_key",                "111 3 +++++ 4 33 44"),
    ("revoke_api_key",                "111 3 +4444 4 3+ 44"),
    ("invite_member",                 "111 3 +3333 4 33 43"),
    ("revoke_invitation",             "111 3 +3333 4 3+ 43"),
    ("accept_invitation",             "111 + +++++ + 11 ++"),
];

/// The operations of the document with method, path, and whether credentials are asked for.
fn operations() -> Vec<(String, String, String, Security)> {
    let document = torv::router::openapi().to_json().expect("the document is JSON");
    let document: Value = serde_json::from_str(&document).expect("the document is JSON");
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let schemes = operation["security"].as_array().map(Vec::as_slice).unwrap_or_default();
            let security = match schemes {
                [] => Security::None,
                schemes if schemes.contains(&json!({})) => Security::Optional,
                _ => Security::Required,
            };
            found.push((id.to_owned(), method.to_uppercase(), path.clone(), security));
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    None,
    Optional,
    Required,
}

/// The name of an operation, without the word behind it.
fn operation_of(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

async fn send(app: &TestApp, method: &str, path: &str, probe: &Probe, token: Option<&str>) -> Answer {
    let mut address = path.to_owned();
    for (name, value) in &probe.path {
        address = address.replace(&format!("{{{name}}}"), value);
    }
    assert!(!address.contains('{'), "a parameter of {path} is not filled in");
    address.push_str(&probe.query);
    let mut request = app.request(method, &address);
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    if let Some(token) = token {
        request = request.bearer(token);
    }
    match &probe.body {
        Some(Value::String(raw)) => request.body(raw.clone()),
        Some(body) => request.json(body),
        None => request,
    }
    .send()
    .await
}

fn letter(answer: &Answer) -> char {
    match answer.status {
        200..=299 => '+',
        401 => '1',
        403 => '3',
        404 => '4',
        400..=499 => '!',
        _ => '5',
    }
}

/// The body without the request id, which alone may differ.
fn without_instance(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["instance"] = Value::Null;
    body
}

/// An id of the same kind that nothing has.
fn unknown_like(value: &str) -> String {
    match value.split_once('_') {
        Some((prefix, hex)) if hex.len() == 32 => format!("{prefix}_{}", "0".repeat(32)),
        _ => value.to_owned(),
    }
}

on_both! {
    async fn every_operation_lets_in_whom_it_should_and_nobody_else(app) {
        let world = World::build(app).await;
        let mut wrong = Vec::new();
        for (id, method, path, _) in operations() {
            let rows: Vec<_> = RIGHTS.iter().filter(|(name, _)| operation_of(name) == id).collect();
            if rows.is_empty() {
                wrong.push(format!("{id}: say in RIGHTS who may do it, and in probes.rs how it is tried"));
            }
            for (name, rights) in rows {
                let rights = rights.replace(' ', "");
                assert_eq!(rights.len(), ACTORS.len(), "{name}");
                let mut seen = String::new();
                for actor in ACTORS {
                    let acting = world.actor(app, *actor).await;
                    let probe = probes::probe(app, &world, name, &acting).await;
                    let answer = send(app, &method, &path, &probe, acting.token.as_deref()).await;
                    seen.push(letter(&answer));
                }
                if seen != rights {
                    wrong.push(format!("{name}: expected {rights}, saw {seen}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
    }

    async fn what_is_not_yours_looks_exactly_like_what_does_not_exist(app) {
        let world = World::build(app).await;
        let mut compared = 0;
        for (id, method, path, _) in operations() {
            for (name, rights) in RIGHTS.iter().filter(|(name, _)| operation_of(name) == id) {
                let hidden_from = ACTORS.iter().zip(rights.replace(' ', "").chars().collect::<Vec<_>>());
                for (actor, _) in hidden_from.filter(|(_, letter)| *letter == '4') {
                    let acting = world.actor(app, *actor).await;
                    let probe = probes::probe(app, &world, name, &acting).await;
                    let hidden = send(app, &method, &path, &probe, acting.token.as_deref()).await.expect(404);
                    for at in 0..probe.path.len() {
                        // Members may know that their organisation exists.
                        if actor.is_of_home() && probe.path[at].0 == "organization_id" {
                            continue;
                        }
                        let mut unknown = probe.clone();
                        unknown.path[at].1 = unknown_like(&unknown.path[at].1);
                        if unknown.path[at].1 == probe.path[at].1 {
                            continue;
                        }
                        let missing = send(app, &method, &path, &unknown, acting.token.as_deref()).await.expect(404);
                        assert_eq!(without_instance(&hidden), without_instance(&missing), "{name} by {actor:?}");
                        assert_eq!(hidden.bytes.len(), missing.bytes.len(), "{name} by {actor:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 100, "only {compared} answers were compared");
    }
}

#[test]
fn the_document_says_which_operations_need_a_log_in() {
    for (id, _, _, security) in operations() {
        let row = RIGHTS.iter().find(|(name, _)| operation_of(name) == id);
        let (_, rights) = row.unwrap_or_else(|| panic!("{id} is missing in RIGHTS"));
        let credentials = rights.replace(' ', "").chars().take(3).collect::<String>();
        let expected: &[&str] = match security {
            Security::Required => &["111"],
            Security::Optional => &["+11", "411"],
            Security::None => &["+++"],
        };
        assert!(expected.contains(&credentials.as_str()), "{id}: {credentials} with {security:?}");
    }
}

#[test]
fn the_rights_name_no_operation_that_is_gone() {
    let known: BTreeSet<_> = operations().into_iter().map(|(id, ..)| id).collect();
    let gone: Vec<_> = RIGHTS.iter().filter(|(name, _)| !known.contains(operation_of(name))).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

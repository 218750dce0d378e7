//! Connected accounts: what they still have to tell Stripe, and what they may do once they have.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    list,
    store::Object,
    world::{Call, PLATFORM, World},
};

/// How long an onboarding link can be opened.
const LINK_SECONDS: i64 = 300;

/// What a fresh account has to hand in.
const REQUIREMENTS: &[&str] = &["business_profile.url", "business_type", "external_account", "tos_acceptance.date"];

/// A single-use way into the hosted onboarding.
#[derive(Clone, Debug)]
pub struct OnboardingLink {
    pub account: String,
    pub expires_at: i64,
    pub return_url: String,
    pub refresh_url: String,
}

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Has not handed in what is due.
    Incomplete,
    /// Handed in; Stripe is still looking at it.
    Pending,
    Complete,
    /// Has to hand in something more; transfers are off until then.
    Restricted,
}

const CREATE_PARAMS: &[&str] = &[
    "type",
    "country",
    "email",
    "default_currency",
    "business_type",
    "metadata.*",
    "capabilities.transfers.requested",
    "capabilities.card_payments.requested",
    "controller.stripe_dashboard.type",
    "controller.fees.payer",
    "controller.losses.payments",
    "controller.requirement_collection",
    "business_profile.*",
    "settings.payouts.schedule.interval",
    "tos_acceptance.service_agreement",
];

/// `POST /v1/accounts`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(CREATE_PARAMS)?;
    let kind = params.choice("type", &["express", "standard", "custom"])?;
    if kind.is_some() && params.has("controller") {
        let message = "You may only specify one of these parameters: type, controller.";
        return Err(ApiError::invalid("", "controller", message));
    }
    let metadata = params.metadata()?;
    let id = world.fresh_id("acct");
    let mut capabilities = Map::new();
    for name in ["card_payments", "transfers"] {
        if params.flag(&format!("capabilities.{name}.requested"))? == Some(true) {
            capabilities.insert(name.to_owned(), json!("inactive"));
        }
    }
    let mut account = blank(call, &id, kind.unwrap_or("none"), world.now);
    account.set("capabilities", capabilities);
    account.set("metadata", metadata);
    world.store.add(&call.account, account);
    let account = set_standing(world, &id, Standing::Incomplete);
    Ok(account.value())
}

fn blank(call: &Call, id: &str, kind: &str, now: i64) -> Object {
    let params = &call.params;
    let dashboard = params.text("controller.stripe_dashboard.type").unwrap_or(match kind {
        "standard" => "full",
        "custom" => "none",
        _ => "express",
    });
    Object::from(json!({
        "id": id,
        "object": "account",
        "business_profile": {
            "annual_revenue": null, "estimated_worker_count": null, "mcc": null,
            "minority_owned_business_designation": null, "name": params.text("business_profile.name"),
            "product_description": params.text("business_profile.product_description"),
            "specified_commercial_transactions_act_url": null, "support_address": null, "support_email": null,
            "support_phone": null, "support_url": null, "url": params.text("business_profile.url"),
        },
        "business_type": params.text("business_type"),
        "capabilities": {},
        "charges_enabled": false,
        "controller": {
            "fees": { "payer": params.text("controller.fees.payer").unwrap_or("application") },
            "is_controller": true,
            "losses": { "payments": params.text("controller.losses.payments").unwrap_or("application") },
            "requirement_collection": params.text("controller.requirement_collection").unwrap_or("stripe"),
            "stripe_dashboard": { "type": dashboard },
            "type": "application",
        },
        "country": params.text("country").unwrap_or("DK"),
        "created": now,
        "default_currency": params.text("default_currency").unwrap_or("eur"),
        "details_submitted": false,
        "email": params.text("email"),
        "external_accounts": {
            "object": "list", "data": [], "has_more": false,            "url": format!("/v1/accounts/{id}/external_accounts"),
        },
        "future_requirements": requirements(&[], &[], None),
        "metadata": {},
        "payouts_enabled": false,
        "requirements": requirements(&[], &[], None),
        "settings": settings(),
        "tos_acceptance": { "date": null, "ip": null, "user_agent": null },
        "type": kind,
    }))
}

fn settings() -> Value {
    json!({
        "bacs_debit_payments": { "display_name": null, "service_user_number": null },
        "branding": { "icon": null, "logo": null, "primary_color": null, "secondary_color": null },
        "card_issuing": { "tos_acceptance": { "date": null, "ip": null } },
        "card_payments": {
            "decline_on": { "avs_failure": false, "cvc_failure": false },
            "statement_descriptor_prefix": null,
            "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "dashboard": { "display_name": null, "timezone": "Etc/UTC" },
        "invoices": { "default_account_tax_ids": null, "hosted_payment_method_save": "always" },
        "payments": {
            "statement_descriptor": null, "statement_descriptor_kana": null, "statement_descriptor_kanji": null,
            "statement_descriptor_prefix_kana": null, "statement_descriptor_prefix_kanji": null,
        },
        "payouts": {
            "debit_negative_balances": false,
            "schedule": { "delay_days": 2, "interval": "daily" },
            "statement_descriptor": null,
        },
        "sepa_debit_payments": {},
    })
}

fn requirements(due: &[&str], pending: &[&str], disabled_reason: Option<&str>) -> Value {
    json!({
        "alternatives": [],
        "current_deadline": null,
        "currently_due": due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": pending,
    })
}

/// Brings an account to a standing and announces it. Only capabilities that were requested change.
pub fn set_standing(world: &mut World, id: &str, standing: Standing) -> Object {
    let complete = standing == Standing::Complete;
    let (status, requirements) = match standing {
        Standing::Complete => ("active", requirements(&[], &[], None)),
        Standing::Pending => {
            ("pending", requirements(&[], &["company.tax_id"], Some("requirements.pending_verification")))
        }
        Standing::Incomplete => ("inactive", requirements(REQUIREMENTS, &[], Some("requirements.past_due"))),
        Standing::Restricted => {
            ("inactive", requirements(&["company.verification.document"], &[], Some("requirements.past_due")))
        }
    };
    let now = world.now;
    let account = world.store.edit(id, |account| {
        let mut capabilities = account.get("capabilities").clone();
        if let Value::Object(map) = &mut capabilities {
            map.values_mut().for_each(|value| *value = json!(status));
        }
        let charges_enabled = complete && capabilities.get("card_payments").is_some();
        account.set("capabilities", capabilities);
        account.set("requirements", requirements);
        account.set("charges_enabled", charges_enabled);
        account.set("payouts_enabled", complete);
        account.set("details_submitted", standing != Standing::Incomplete);
        if complete {
            account.set("tos_acceptance", json!({ "date": now, "ip": "127.0.0.1", "user_agent": null }));
        }
    });
    world.emit("account.updated", id);
    account
}

/// `GET /v1/accounts/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    let account = world.store.find(PLATFORM, "account", id).map_err(|_| ApiError::forbidden_account(id))?;
    Ok(account.value())
}

/// `POST /v1/accounts/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[
        "email",
        "metadata.*",
        "capabilities.transfers.requested",
        "capabilities.card_payments.requested",
        "business_profile.name",
        "business_profile.url",
    ])?;
    let account = world.store.find(&call.account, "account", id).map_err(|_| ApiError::forbidden_account(id))?;
    let mut capabilities = account.get("capabilities").clone();
    for name in ["card_payments", "transfers"] {
        let requested = params.flag(&format!("capabilities.{name}.requested"))?;
        if requested == Some(true) && capabilities[name].is_null() {
            capabilities[name] = json!(if account.flag("payouts_enabled") { "active" } else { "inactive" });
        }
    }
    world.update_metadata(call, &account)?;
    let account = world.store.edit(id, |account| {
        account.set("capabilities", capabilities);
        if let Some(email) = params.text("email") {
            account.set("email", email);
        }
    });
    world.emit("account.updated", id);
    Ok(account.value())
}

/// `GET /v1/accounts`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    call.params.allow(&[list::PAGE, list::CREATED].concat())?;
    list::page(world, call, "account", "/v1/accounts", |_| true)
}

/// `POST /v1/account_links`
pub fn create_link(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[
        "account",
        "type",
        "refresh_url",
        "return_url",
        "collect",
        "collection_options.fields",
        "collection_options.future_requirements",
    ])?;
    let account = params.required("account")?;
    params.required("type")?;
    params.choice("type", &["account_onboarding", "account_update"])?;
    let (return_url, refresh_url) = (params.required("return_url")?, params.required("refresh_url")?);
    world.store.find(&call.account, "account", account).map_err(|_| ApiError::missing("account", account))?;
    let token = world.fresh_id("link");
    let expires_at = world.now + LINK_SECONDS;
    let url = format!("{}/_hosted/onboarding/{token}", world.settings.base_url);
    let link = OnboardingLink {
        account: account.to_owned(),
        expires_at,
        return_url: return_url.to_owned(),
        refresh_url: refresh_url.to_owned(),
    };
    world.onboarding_links.insert(token, link);
    Ok(json!({ "object": "account_link", "created": world.now, "expires_at": expires_at, "url": url }))
}

/// `POST /v1/accounts/{id}/login_links`
pub fn create_login_link(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    let account = world.store.find(&call.account, "account", id).map_err(|_| ApiError::forbidden_account(id))?;
    if !account.flag("details_submitted") {
        let message = "Cannot create a login link for an account that has not completed onboarding.";
        return Err(ApiError::refused("", message));
    }
    let url = format!("{}/_hosted/dashboard/{id}", world.settings.base_url);
    Ok(json!({ "object": "login_link", "created": world.now, "url": url }))
}

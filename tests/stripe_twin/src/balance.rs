//! Balances per account and currency, and the balance transactions that are their only cause of change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    list,
    schedule::Task,
    store::Object,
    world::{Call, World},
};

/// Minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    pub available: i64,
    pub pending: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Balances {
    funds: BTreeMap<(String, String), Funds>,
    /// Which payout took which balance transaction out.
    pub paid_out_by: BTreeMap<String, String>,
    /// Accounts whose announcement is planned.
    to_announce: BTreeSet<String>,
}

impl Balances {
    pub fn of(&self, account: &str, currency: &str) -> Funds {
        self.funds.get(&(account.to_owned(), currency.to_owned())).copied().unwrap_or_default()
    }

    fn entry(&mut self, account: &str, currency: &str) -> &mut Funds {
        self.funds.entry((account.to_owned(), currency.to_owned())).or_default()
    }

    /// The currencies in which an account has had money, with what is there now.
    pub fn currencies(&self, account: &str) -> Vec<(String, Funds)> {
        let of_account = self.funds.iter().filter(|((owner, _), _)| owner == account);
        of_account.map(|((_, currency), funds)| (currency.clone(), *funds)).collect()
    }
}

/// A movement of an account's balance, before it is booked.
#[derive(Debug)]
pub struct Movement<'a> {
    pub account: &'a str,
    /// Balance transaction type, such as `charge`.
    pub kind: &'a str,
    pub category: &'a str,
    /// Signed, before the fee.
    pub amount: i64,
    pub fee: i64,
    pub currency: &'a str,
    /// Unix seconds; the money is pending until then.
    pub available_on: i64,
    pub source: &'a str,
    pub description: Option<&'a str>,
    pub exchange_rate: Value,
}

impl World {
    /// Books a movement and returns the id of its balance transaction.
    pub fn book(&mut self, movement: &Movement<'_>) -> String {
        let id = self.fresh_id("txn");
        let net = movement.amount - movement.fee;
        let pending = movement.available_on > self.now;
        let fee_details = match movement.fee {
            0 => json!([]),
            fee => json!([{
                "amount": fee,
                "application": null,
                "currency": movement.currency,
                "description": if movement.kind == "adjustment" { "Dispute fee" } else { "Stripe processing fees" },
                "type": "stripe_fee",
            }]),
        };
        let transaction = json!({
            "id": id,
            "object": "balance_transaction",
            "amount": movement.amount,
            "available_on": movement.available_on.max(self.now),
            "balance_type": "payments",
            "created": self.now,
            "currency": movement.currency,
            "description": movement.description,
            "exchange_rate": movement.exchange_rate,
            "fee": movement.fee,
            "fee_details": fee_details,
            "net": net,
            "reporting_category": movement.category,
            "source": movement.source,
            "status": if pending { "pending" } else { "available" },
            "type": movement.kind,
        });
        let funds = self.balances.entry(movement.account, movement.currency);
        if pending {
            funds.pending += net;
            self.schedule.plan(movement.available_on, Task::Settle { transaction: id.clone() });
        } else {
            funds.available += net;
        }
        self.store.add(movement.account, Object::from(transaction));
        id
    }

    /// Makes a pending balance transaction available, once.
    pub fn settle(&mut self, id: &str) {
        let Some(transaction) = self.store.any(id).filter(|found| found.text("status") == "pending") else { return };
        let (net, currency) = (transaction.integer("net"), transaction.text("currency").to_owned());
        let Some(owner) = self.store.owner(id).map(str::to_owned) else { return };
        let funds = self.balances.entry(&owner, &currency);
        funds.pending -= net;
        funds.available += net;
        self.store.edit(id, |transaction| transaction.set("status", "available"));
        if self.balances.to_announce.insert(owner.clone()) {
            self.schedule.plan(self.now, Task::AnnounceBalance { account: owner });
        }
    }

    /// Tells that an account's available balance has changed.
    pub fn announce_balance(&mut self, account: &str) {
        self.balances.to_announce.remove(account);
        let balance = render(self, account);
        self.emit_snapshot(account, "balance.available", &balance);
    }

    /// When the money of a balance transaction can be used: its own instant while pending, else now.
    pub fn available_with(&self, transaction: &str) -> i64 {
        let pending = self.store.any(transaction).filter(|found| found.text("status") == "pending");
        pending.map_or(self.now, |found| found.integer("available_on"))
    }
}

/// The balance object of an account.
pub fn render(world: &World, account: &str) -> Value {
    let mut currencies = world.balances.currencies(account);
    if currencies.is_empty() {
        currencies.push(("eur".to_owned(), Funds::default()));
    }
    let amounts = |pick: fn(&Funds) -> i64| -> Vec<Value> {
        let amount = |(currency, funds): &(String, Funds)| {
            let minor = pick(funds);
            json!({ "amount": minor, "currency": currency, "source_types": { "card": minor } })
        };
        currencies.iter().map(amount).collect()
    };
    json!({
        "object": "balance",
        "available": amounts(|funds| funds.available),
        "livemode": false,
        "pending": amounts(|funds| funds.pending),
    })
}

/// `GET /v1/balance`
pub fn retrieve(world: &World, call: &Call) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(render(world, &call.account))
}

/// `GET /v1/balance_transactions/{id}`
pub fn retrieve_transaction(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "balance_transaction", id)?.value())
}

/// `GET /v1/balance_transactions`. With `payout`, also the payout's own transaction is listed.
pub fn list_transactions(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["type", "payout", "source", "currency"]].concat())?;
    if let Some(payout) = params.text("payout") {
        world.store.find(&call.account, "payout", payout)?;
    }
    list::page(world, call, "balance_transaction", "/v1/balance_transactions", |transaction| {
        let equals = |param: &str, field: &str| params.text(param).is_none_or(|text| transaction.text(field) == text);
        let in_payout = params.text("payout").is_none_or(|payout| {
            world.balances.paid_out_by.get(transaction.id()).is_some_and(|taken_by| taken_by == payout)
        });
        in_payout && equals("type", "type") && equals("source", "source") && equals("currency", "currency")
    })
}

//! Which order or refund lines name: by its id, the number of an invoice, or the buyer's own purchase order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    document,
    ids::{BankLineId, OrderId, RefundId},
    order,
    states::OrderState,
};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::{model::LineFacts, transfers::Named};
use crate::{
    db::bulk::{Kind, List},
    error::Result,
};

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

/// The id in a word, however a bank wrote it: in capitals, with another sign for the underscore (which is not among the
/// letters of SEPA), or without its beginning. Nothing when the word begins otherwise.
fn digits_of(word: &str, prefix: &str) -> Option<String> {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let digits = plain.strip_prefix(prefix).unwrap_or(&plain);
    (digits.len() == ID_DIGITS && digits.chars().all(|c| c.is_ascii_hexdigit())).then(|| format!("{prefix}_{digits}"))
}

fn words_of(line: &LineFacts) -> impl Iterator<Item = &String> {
    line.references.iter().chain(&line.words)
}

/// The one order or refund that each line names; lines that name none, or several, are not in it.
///
/// # Errors
/// Those of the database.
pub async fn named(conn: &impl ConnectionTrait, lines: &[LineFacts]) -> Result<HashMap<BankLineId, Named>> {
    let mut found = HashMap::new();
    let mut left = Vec::new();
    let known = known_orders(conn, lines).await?;
    for line in lines {
        if line.amount_minor < 0 {
            let refunds: BTreeSet<RefundId> =
                words_of(line).filter_map(|word| digits_of(word, RefundId::PREFIX)?.parse().ok()).collect();
            let orders = orders_in(line).filter(|id| known.contains(id)).map(Named::Order);
            let all: BTreeSet<Named> = refunds
                .into_iter()
                .filter(|id| !known.contains(&OrderId(id.0)))
                .map(Named::Refund)
                .chain(orders)
                .collect();
            found.extend(only(&all).map(|named| (line.id, named)));
            continue;
        }
        let all: BTreeSet<Named> = orders_in(line).filter(|id| known.contains(id)).map(Named::Order).collect();
        match only(&all) {
            Some(named) => drop(found.insert(line.id, named)),
            None if all.is_empty() => left.push(line),
            None => {}
        }
    }
    let by_word = orders_by_word(conn, &left).await?;
    for line in left {
        let all: BTreeSet<Named> =
            words_of(line).filter_map(|word| by_word.get(word)).flatten().copied().map(Named::Order).collect();
        found.extend(only(&all).map(|named| (line.id, named)));
    }
    Ok(found)
}

fn only(all: &BTreeSet<Named>) -> Option<Named> {
    if all.len() == 1 { all.first().copied() } else { None }
}

fn orders_in(line: &LineFacts) -> impl Iterator<Item = OrderId> {
    words_of(line).filter_map(|word| digits_of(word, OrderId::PREFIX)?.parse().ok())
}

async fn known_orders(conn: &impl ConnectionTrait, lines: &[LineFacts]) -> Result<BTreeSet<OrderId>> {
    let ids: BTreeSet<OrderId> = lines.iter().flat_map(orders_in).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let ids = List::of(conn.get_database_backend(), Kind::Uuid, ids.into_iter().map(|id| id.0.into()))?;
    let query = order::Entity::find().select_only().column(order::Column::Id).filter(ids.contains("id"));
    Ok(query.into_tuple::<OrderId>().all(conn).await?.into_iter().collect())
}

/// Orders by the numbers of their documents; open ones also by the buyer's purchase order.
async fn orders_by_word(
    conn: &impl ConnectionTrait,
    lines: &[&LineFacts],
) -> Result<BTreeMap<String, BTreeSet<OrderId>>> {
    let words: BTreeSet<&String> = lines.iter().flat_map(|line| words_of(line)).collect();
    let mut of: BTreeMap<String, BTreeSet<OrderId>> = BTreeMap::new();
    if words.is_empty() {
        return Ok(of);
    }
    let list = || List::of(conn.get_database_backend(), Kind::Text, words.iter().map(|word| word.as_str().into()));
    let documents = document::Entity::find()
        .select_only()
        .columns([document::Column::Number])
        .column(document::Column::OrderId)
        .filter(list()?.contains("number"));
    let purchases = order::Entity::find()
        .select_only()
        .column(order::Column::PurchaseOrder)
        .column(order::Column::Id)
        .filter(list()?.contains("purchase_order"))
        .filter(order::Column::State.eq(OrderState::AwaitingPayment));
    let mut rows = documents.into_tuple::<(String, OrderId)>().all(conn).await?;
    rows.extend(purchases.into_tuple::<(String, OrderId)>().all(conn).await?);
    for (word, order) in rows {
        of.entry(word).or_default().insert(order);
    }
    Ok(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_however_the_bank_writes_it() {
        let id = OrderId::derived("an order");
        let plain = id.to_string();
        let digits = plain.trim_start_matches("ord_");
        for word in
            [plain.clone(), plain.to_uppercase(), plain.replace('_', "-"), plain.replace('_', "."), digits.to_owned()]
        {
            assert_eq!(digits_of(&word, "ord").as_deref(), Some(plain.as_str()), "{word}");
        }
        for word in ["ord_12", "payout", &format!("pay_{digits}"), &format!("{digits}0")] {
            assert_eq!(digits_of(word, "ord"), None, "{word}");
        }
    }
}

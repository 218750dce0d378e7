//! The data where the company works: in clients of open protocols, through a change that would break its programs, and
//! as a message to a receiver that was down.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpSocket, sync::mpsc, time::timeout};

use super::{
    actors::{Actor, Actors},
    build::{BuiltSquare, Made},
    client::succeeded,
    narrate::{fact, money, size, step},
    papers,
    walk::{Cast, Walk, expect, text, wait_for},
};
use crate::error::{Error, Result};

/// A column of the walk's table.
const CREST: &str = "crest_level_m";
/// Rows of the walk's table.
const CREST_ROWS: i64 = 102;
/// How long a message may take once its receiver is up.
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
/// Connections that may wait for the receiver at once.
const LETTERBOX: u32 = 8;

/// How the company reaches what it bought, for the manifest.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct OwnTools {
    pub delta_sharing: Value,
    pub rows_api: String,
    pub parquet_url: String,
    pub ogc_features: Value,
    /// Where queries go, if the program that answers them is installed.
    pub sql: Option<String>,
    /// The signed answers to what was asked before the purchase.
    pub trial_report: PathBuf,
    pub slice_quote: Value,
}

/// Before it pays, the company asks the real rows; the owner lets it, a little.
pub(super) async fn asked_before_paying(cast: &Cast<'_>, made: &Made, walk: &mut Walk) -> Result<()> {
    let (client, provider, buyer) = (cast.client, &cast.provider.api_key, &cast.buyer.api_key);
    table_is_made(cast, made).await?;
    let path = format!("/api/v1/listings/{}/trial-policy", walk.listing);
    let columns = json!([{"name": "river"}, {"name": CREST, "range": {"lower": "0", "upper": "600"}}]);
    let policy = json!({"enabled": true, "questions_max": 10, "epsilon_milli": 500, "columns": columns});
    client.send(Method::PUT, &path, provider, None, Some(&policy)).await.and_then(|reply| succeeded(reply, &path))?;
    let path = format!("/api/v1/listings/{}/trial-reports", walk.listing);
    let high = format!("SELECT COUNT(*) FROM crests WHERE {CREST} > 50");
    let questions =
        json!({"questions": [{"kind": "coverage", "columns": [CREST]}, {"kind": "aggregate", "sql": high}]});
    let key = format!("walk-{}-asked", made.revision);
    let asked = client.post_once(&path, buyer, &key, &questions).await?;
    let again = client.post_once(&path, buyer, &format!("{key}-again"), &questions).await?;
    expect(again.number("/new_questions")? == 0, "who asks again learns nothing new, and pays nothing of its budget")?;
    let rows = &asked.body["document"]["report"]["questions"][0]["answer"]["rows"];
    let (value, off) = (rows["value"].as_i64().unwrap_or(0), rows["error_95"].as_i64().unwrap_or(0));
    expect((value - CREST_ROWS).abs() <= 10 * off, "the answer is near the truth")?;
    fact("asked, unpaid", format!("how many rows? {value}, give or take {off}: noise hides each single one"))?;
    let report = client.get_bytes(&asked.text("/url")?, buyer).await?;
    walk.own_tools.trial_report = papers::store(cast.folder, "trial-report.json", &report)?;
    fact("", "the report is signed; asking again gives the same answer")
}

/// Waits for the Parquet file of a revision, as its owner sees it.
async fn table_is_made(cast: &Cast<'_>, made: &Made) -> Result<()> {
    let path = format!("/api/v1/revisions/{}", made.revision);
    wait_for("the Parquet file", || async {
        let revision = cast.client.get(&path, &cast.provider.api_key).await?.body;
        let files = revision["files"].as_array().into_iter().flatten();
        let mut tables = files.flat_map(|file| file["renditions"].as_array().into_iter().flatten());
        Ok(tables.any(|one| one["format"] == "parquet" && one["state"] == "made").then_some(()))
    })
    .await
}

/// Another company needs a part of the area only, and buys that.
pub(super) async fn slice_is_bought(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    step(15, "Another company needs three columns of a part of the area, and buys just that")?;
    let (client, buyer) = (cast.client, cast.others[0]);
    let offers = format!("/api/v1/listings/{}/offers", walk.listing);
    let whole = client.get(&format!("/api/v1/offers/{}", walk.offer), "").await?;
    let rule = json!({"per": "cell", "price_minor": 25, "per_units": 1, "floor_minor": 500, "by_area": true,
                      "by_columns": true, "key_columns": ["gauge_id"]});
    let offer = json!({"kind": "one_off", "price": whole.body["price"], "licence_id": text(&whole.body, "/licence/id"),
                       "plan": {"slice": rule}});
    let offer = client.post(&offers, &cast.provider.api_key, &offer).await?;
    let slice = json!({"area": [136.1, 35.9, 136.3, 36.1], "columns": ["gauge", "river", CREST]});
    let quote = json!({"offer_id": offer.text("/id")?, "slice": slice});
    let quoted = wait_for("the index of the slices", || async {
        let quoted = client.send(Method::POST, "/api/v1/quotes", &buyer.api_key, None, Some(&quote)).await?;
        Ok((quoted.status == 200).then_some(quoted))
    })
    .await?;
    let (total, currency) = (quoted.number("/total/minor")?, quoted.text("/total/currency")?);
    let rows = quoted.number("/slice/rows")?;
    fact("quote", format!("{rows} rows, {} cells: {}", quoted.number("/slice/cells")?, money(total, &currency)))?;
    let wish = json!({"offer_id": offer.text("/id")?, "licence_hash": quoted.text("/licence_hash")?, "slice": slice,
                      "payment_method": cast.world.cards().good, "use_case": "Warn one valley.",
                      "expected_total": quoted.body["total"]});
    let key = format!("walk-{}-slice", walk.listing);
    let bought = client.post_once("/api/v1/orders", &buyer.api_key, &key, &wish).await?;
    let path = format!("/api/v1/grants/{}", bought.text("/grant_id")?);
    wait_for("the slice", || async {
        Ok((client.get(&path, &buyer.api_key).await?.text("/slice/state")? == "ready").then_some(()))
    })
    .await?;
    let files = client.get(&format!("{path}/files"), &buyer.api_key).await?.items();
    let csv = files.iter().flat_map(|file| file["renditions"].as_array().into_iter().flatten());
    let csv = csv.filter(|one| one["format"] == "csv").map(|one| text(one, "/url")).next().unwrap_or_default();
    let lines = client.get_link(&csv).await?.iter().filter(|byte| **byte == b'\n').count();
    expect(i64::try_from(lines).is_ok_and(|lines| lines == rows + 1), "what is delivered is what was quoted")?;
    fact("delivered", format!("{} with {rows} rows, and nothing else of the file", text(&files[0], "/name")))?;
    walk.own_tools.slice_quote = quoted.body;
    Ok(())
}

/// Delta Sharing, rows, features and a plain link: what is behind each is the same table.
pub(super) async fn opened(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    step(13, "The company opens what it bought in its own tools")?;
    let client = cast.client;
    let parquet = parquet_link(cast, walk).await?;
    let rows = parquet["rows"].as_i64().unwrap_or(0);
    let path = format!("/api/v1/grants/{}/share-profile", walk.grant);
    // A key can't make another one: a person does.
    let profile = client.act(&path, &cast.buyer.logged_in(client).await?).await?.body;
    let token = text(&profile, "/bearerToken");
    let file = papers::store(cast.folder, "torv.share", &serde_json::to_vec_pretty(&profile)?)?;
    let share = client.get("/delta-sharing/shares", &token).await?.text("/items/0/name")?;
    let table =
        client.get(&format!("/delta-sharing/shares/{share}/all-tables"), &token).await?.body["items"][0].clone();
    let (schema, name) = (text(&table, "/schema"), text(&table, "/name"));
    let path = format!("/delta-sharing/shares/{share}/schemas/{schema}/tables/{name}/query");
    let lines = client.post_for_lines(&path, &token, &json!({})).await?;
    let files: Vec<&Value> = lines.iter().filter_map(|line| line.get("file")).collect();
    let [only] = files.as_slice() else { return Err(Error::internal("a table is not one file")) };
    let (bytes, _) = client.download(&text(only, "/url")).await?;
    fact("Delta Sharing", format!("{share}.{schema}.{name}: {rows} rows in one request and {}", size(bytes)))?;
    fact("in Python", format!("delta_sharing.load_as_pandas(\"{}#{share}.{schema}.{name}\")", file.display()))?;
    walk.own_tools.delta_sharing =
        json!({"profile": file, "share": share, "schema": schema, "table": name, "rows": rows});
    rows_and_features(cast, walk, &token).await?;
    fact("Parquet link", "reads by ranges: pandas, polars and DuckDB fetch the columns they need")
}

/// The link of the table's Parquet file, once it is made.
async fn parquet_link(cast: &Cast<'_>, walk: &Walk) -> Result<Value> {
    let path = format!("/api/v1/grants/{}/files", walk.grant);
    wait_for("the Parquet file", || async {
        let files = cast.client.get(&path, &cast.buyer.api_key).await?.items();
        let mut made = files.iter().flat_map(|file| file["renditions"].as_array().into_iter().flatten());
        Ok(made.find(|one| one["format"] == "parquet").cloned())
    })
    .await
}

async fn rows_and_features(cast: &Cast<'_>, walk: &mut Walk, token: &str) -> Result<()> {
    let (client, buyer) = (cast.client, &cast.buyer.api_key);
    let path = format!("/api/v1/listings/{}/rows?order=-{CREST}&limit=2&columns=gauge,{CREST}", walk.listing);
    for row in client.get(&path, buyer).await?.items() {
        fact("highest crest", format!("{} m at {}", row[CREST], text(&row, "/gauge")))?;
    }
    let collections = client.get("/ogc/collections", token).await?.body;
    let collection = text(&collections, "/collections/0/id");
    let path = format!("/ogc/collections/{collection}/items?limit=1000");
    let found = client.get(&path, token).await?;
    let shown = found.number("/numberReturned")?;
    expect(shown > 0, "the table has features")?;
    fact("OGC API Features", format!("{shown} features in {collection}"))?;
    let base = client.base();
    let asked = client.send(Method::GET, "/api/v1/sql/tables", buyer, None, None).await?;
    walk.own_tools.sql = (asked.status == 200).then(|| format!("{base}/api/v1/sql"));
    fact(
        "SQL",
        match &walk.own_tools.sql {
            Some(_) => "answers queries over everything the company holds, in a process of its own",
            None => "is not offered by this exchange: torv-sql is not installed beside it",
        },
    )?;
    walk.own_tools.rows_api = format!("{base}/api/v1/listings/{}/rows", walk.listing);
    walk.own_tools.ogc_features = json!({"landing": format!("{base}/ogc"), "collection": collection, "token": token});
    Ok(())
}

/// A provider drops a column; who relies on it keeps the old data, is told, and goes on when it is ready. The message
/// finds its receiver down, and arrives when it is up again.
pub(super) async fn break_is_held_back(cast: &Cast<'_>, actors: &Actors, built: &BuiltSquare) -> Result<()> {
    step(14, "A revision that would break programs waits, and the message about it survives a receiver that is down")?;
    let made = free_table(cast, built).await?;
    let provider = actors.get(&made.provider).ok_or_else(|| Error::internal("a listing has no provider"))?;
    let holder = cast.others[0];
    let grant = take(cast, holder, made).await?;
    let hook = Hook::made(cast, holder).await?;
    let dropped = drop_a_column(cast, provider, holder, made, &grant).await?;
    fact(
        "provider",
        format!("{} publishes version {} without the column \"{}\"", provider.name, dropped.version, dropped.column),
    )?;
    let path = format!("/api/v1/grants/{grant}/versions");
    let held = wait_for("the version", || async {
        let newest = cast.client.get(&path, &holder.api_key).await?.body["items"][0].clone();
        Ok(newest["version"].is_string().then_some(newest))
    })
    .await?;
    expect(held["state"] == "held_back", "the new major is held back from the older grant")?;
    let files = format!("/api/v1/grants/{grant}/files");
    let before = cast.client.get(&files, &holder.api_key).await?.items();
    expect(before.iter().all(|file| file["revision_number"] == 1), "the holder keeps what it had")?;
    fact("held back", format!("from {} until {}", holder.name, text(&held, "/available_at")))?;
    hook.receives(cast).await?;
    let path = format!("/api/v1/grants/{grant}/accept-version");
    cast.client.post(&path, &holder.api_key, &json!({"major": held["major"]})).await?;
    let after = cast.client.get(&files, &holder.api_key).await?.items();
    expect(after.iter().any(|file| file["revision_number"] == 2), "who accepts gets the new one")?;
    fact("accepted", format!("{} has rewritten its program and takes version {}", holder.name, text(&held, "/version")))
}

/// The free listing of one CSV file in UTF-8 whose file comes first by name, so that each demo tells the same.
async fn free_table<'a>(cast: &Cast<'_>, built: &'a BuiltSquare) -> Result<&'a Made> {
    let is_csv = |file: &Value| text(file, "/name").ends_with(".csv");
    let is_free = |made: &Made| made.offers.first().is_some_and(|offer| offer["kind"] == "free");
    let mut tables: Vec<&Made> = built
        .made
        .iter()
        .filter(|made| matches!(made.files.as_slice(), [only] if is_csv(only)) && is_free(made))
        .collect();
    tables.sort_by_key(|made| text(&made.files[0], "/name"));
    for made in tables {
        let path = format!("/api/v1/files/{}/profile", text(&made.files[0], "/id"));
        let profile = cast.client.get(&path, "").await?.body;
        if profile["profile"]["encoding"] == "UTF-8" {
            return Ok(made);
        }
    }
    Err(Error::internal("the square has no free listing of one CSV file in UTF-8"))
}

/// Orders something free; returns the grant.
async fn take(cast: &Cast<'_>, holder: &Actor, made: &Made) -> Result<String> {
    let offer = &made.offers[0];
    let wish = json!({"offer_id": offer["id"], "licence_hash": text(offer, "/licence/hash"),
                      "use_case": "Show it on a wall in the control room."});
    let key = format!("walk-{}-free", made.revision);
    cast.client.post_once("/api/v1/orders", &holder.api_key, &key, &wish).await?.text("/grant_id")
}

struct Dropped {
    version: String,
    column: String,
}

/// Publishes the file once more without its last column.
async fn drop_a_column(cast: &Cast<'_>, provider: &Actor, holder: &Actor, made: &Made, grant: &str) -> Result<Dropped> {
    let (client, key) = (cast.client, &provider.api_key);
    let file = client.get(&format!("/api/v1/grants/{grant}/files"), &holder.api_key).await?.body["items"][0].clone();
    let whole = client.get_link(&text(&file, "/url")).await?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(whole.as_slice());
    let (mut writer, mut column) = (csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()), String::new());
    for record in reader.records() {
        let record = record.map_err(Error::internal)?;
        let kept = record.len().saturating_sub(1);
        if column.is_empty() {
            column = record.get(kept).unwrap_or_default().to_owned();
        }
        writer.write_record(record.iter().take(kept)).map_err(Error::internal)?;
    }
    let narrower = writer.into_inner().map_err(Error::internal)?;
    let note = json!({"note": format!("Without {column}.")});
    let revision =
        client.post(&format!("/api/v1/listings/{}/revisions", made.listing), key, &note).await?.text("/id")?;
    let name = text(&file, "/name");
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    client.put_bytes(&format!("/api/v1/revisions/{revision}/files/{name}"), key, narrower).await?;
    let preview = format!("/api/v1/revisions/{revision}/version-preview");
    let version = wait_for("the preview of the version", || async {
        let preview = client.get(&preview, key).await?;
        (preview.body["ready"] == true).then(|| preview.text("/version")).transpose()
    })
    .await?;
    client.act(&format!("/api/v1/revisions/{revision}/publish"), key).await?;
    Ok(Dropped { version, column })
}

/// A receiver of webhooks that is registered, but not up yet.
struct Hook {
    /// Of the person who looks after it.
    token: String,
    id: String,
    secret: String,
    place: TcpSocket,
}

/// A message as it came.
struct Message {
    headers: HeaderMap,
    body: Bytes,
}

impl Hook {
    async fn made(cast: &Cast<'_>, holder: &Actor) -> Result<Self> {
        // Ours, so that no other program gets it meanwhile, though nobody listens there until the receiver is up.
        let place = TcpSocket::new_v4().map_err(Error::internal)?;
        place.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(Error::internal)?;
        let address = place.local_addr().map_err(Error::internal)?;
        let wish = json!({"url": format!("http://{address}/torv"), "kinds": ["revision.breaking"]});
        let token = holder.logged_in(cast.client).await?;
        let made = cast.client.post("/api/v1/webhook-endpoints", &token, &wish).await?;
        Ok(Self { token, id: made.text("/id")?, secret: made.text("/secret")?, place })
    }

    /// Waits for a try that fails, brings the receiver up, and has the message sent again.
    async fn receives(self, cast: &Cast<'_>) -> Result<()> {
        let Self { token: key, id, secret, place } = self;
        let (client, key) = (cast.client, &key);
        let path = format!("/api/v1/webhook-endpoints/{id}/deliveries");
        let failed = wait_for("a try to deliver", || async {
            let deliveries = client.get(&path, key).await?.items();
            Ok(deliveries.into_iter().find(|one| one["attempts"].as_i64().unwrap_or(0) > 0))
        })
        .await?;
        fact(
            "webhook",
            format!("{}: nobody listens, the next try is at {}", text(&failed, "/kind"), text(&failed, "/next_try_at")),
        )?;
        let (told, mut heard) = mpsc::channel(4);
        let listener = place.listen(LETTERBOX).map_err(Error::internal)?;
        let receive = post(async move |headers: HeaderMap, body: Bytes| {
            let _ = told.send(Message { headers, body }).await;
        });
        let receiver = tokio::spawn(axum::serve(listener, Router::new().route("/torv", receive)).into_future());
        // The next try may come by itself in this moment, which is as good.
        let retry = format!("{path}/{}/retry", text(&failed, "/id"));
        client.send(Method::POST, &retry, key, None, None).await?;
        let message = timeout(ARRIVES_WITHIN, heard.recv()).await.ok().flatten();
        receiver.abort();
        let message = message.ok_or_else(|| Error::internal("the message did not arrive"))?;
        expect(is_signed(&secret, &message), "the message is signed with the endpoint's secret")?;
        fact("receiver is up", format!("the message arrives, {} bytes, and its signature holds", message.body.len()))
    }
}

/// Checks the signature as any receiver does. Source: Standard Webhooks 1.0.
fn is_signed(secret: &str, message: &Message) -> bool {
    let header = |name: &str| message.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(secret) = STANDARD.decode(secret.trim_start_matches("whsec_")) else { return false };
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret));
    context.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    context.update(&message.body);
    let wanted = format!("v1,{}", STANDARD.encode(context.sign()));
    header("webhook-signature").split(' ').any(|one| one == wanted)
}

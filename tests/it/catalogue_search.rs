//! Finding listings: filters, order, pages and counts, each against a plain look at what was made.

use std::collections::{BTreeMap, BTreeSet};

use entity::states::Theme;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{TestApp, TestOrg, on_both};

/// A listing as the test knows it.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    theme: &'static str,
    tags: Vec<String>,
    format: &'static str,
    licences: BTreeSet<&'static str>,
    free: bool,
    /// Lowest price in DKK.
    price_minor: Option<i64>,
    provider: usize,
    bbox: Option<[f64; 4]>,
    updated: time::OffsetDateTime,
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides).unwrap()
    }

    fn degrees(&mut self, below: u64) -> f64 {
        f64::from(u32::try_from(self.below(below)).unwrap())
    }
}

const TAGS: [&str; 5] = ["water", "bikes", "noise", "parking", "budget"];
const FORMATS: [(&str, &str); 3] = [("csv", "a,b\n1,2\n"), ("json", "[{\"a\": 1}]"), ("txt", "words")];
const LICENCES: [&str; 3] = ["CC0-1.0", "CC-BY-4.0", "commercial"];

/// Sixty published listings of three providers, and a draft and a retired one that nobody may find.
async fn square(app: &TestApp) -> (Vec<TestOrg>, Vec<Known>) {
    let orgs = vec![app.provider().await, app.provider().await, app.provider().await];
    let mut dice = Dice(7);
    let mut known = Vec::new();
    for n in 0..60 {
        // Some share an instant, so that the order within it matters.
        if n % 3 == 0 {
            app.advance(Duration::seconds(1));
        }
        let theme = Theme::ALL[dice.below(4)].as_str();
        let tags: BTreeSet<&str> = (0..dice.below(4)).map(|_| TAGS[dice.below(5)]).collect();
        let bbox = (dice.below(3) > 0).then(|| {
            let (west, south) = (dice.degrees(20), dice.degrees(20));
            [west, south, west + dice.degrees(5), south + dice.degrees(5)]
        });
        let provider = dice.below(3);
        let id = app.draft(&orgs[provider], &json!({"theme": theme, "tags": tags, "bbox": bbox})).await;
        let (format, body) = FORMATS[dice.below(3)];
        app.publish_data(&orgs[provider], &id, &format!("file.{format}"), body).await;
        let mut offers: Vec<(Option<(i64, &str)>, &str)> = Vec::new();
        for _ in 0..dice.below(4) {
            let minor = i64::try_from(dice.below(5)).unwrap() * 100 + 100;
            let price = [None, Some((minor, "DKK")), Some((minor, "EUR"))][dice.below(3)];
            offers.push((price, LICENCES[dice.below(3)]));
        }
        app.offer(&id, &offers).await.unwrap();
        app.post(&orgs[provider], &format!("/api/v1/listings/{id}/publish")).await.expect(200);
        let dkk = offers.iter().filter_map(|(price, _)| price.filter(|price| price.1 == "DKK")).map(|price| price.0);
        known.push(Known {
            id,
            theme,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            format,
            licences: offers.iter().map(|(_, licence)| *licence).collect(),
            free: offers.iter().any(|(price, _)| price.is_none()),
            price_minor: dkk.min(),
            provider,
            bbox,
            updated: app.clock.now(),
        });
    }
    app.draft(&orgs[0], &json!({})).await;
    let retired = app.published(&orgs[0], &json!({})).await;
    app.post(&orgs[0], &format!("/api/v1/listings/{retired}/retire")).await.expect(200);
    (orgs, known)
}

fn ids(json: &Value) -> Vec<String> {
    json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a query, following the cursor.
async fn all_pages(app: &TestApp, query: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/listings?{query}&limit={limit}{cursor}");
        let json = app.get(&path).await.expect(200).json();
        assert!(ids(&json).len() <= limit);
        found.extend(ids(&json));
        let Some(next) = json["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

fn counts(json: &Value, facet: &str) -> BTreeMap<String, i64> {
    let values = json["facets"][facet].as_array().unwrap().iter();
    values.map(|row| (row["value"].as_str().unwrap().to_owned(), row["count"].as_i64().unwrap())).collect()
}

fn tally<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, i64> {
    words.fold(BTreeMap::new(), |mut tally, word| {
        *tally.entry(word.to_owned()).or_default() += 1;
        tally
    })
}

type Keep = Box<dyn Fn(&Known) -> bool>;

fn filters(orgs: &[TestOrg]) -> Vec<(String, Keep)> {
    let touches = |bbox: [f64; 4]| bbox[0] <= 12.0 && bbox[2] >= 8.0 && bbox[1] <= 12.0 && bbox[3] >= 8.0;
    vec![
        (String::new(), Box::new(|_| true)),
        ("theme=culture".to_owned(), Box::new(|known| known.theme == "culture")),
        ("theme=culture,energy".to_owned(), Box::new(|known| matches!(known.theme, "culture" | "energy"))),
        ("tag=Water".to_owned(), Box::new(|known| known.tags.iter().any(|tag| tag == "water"))),
        (
            "tag=water&tag=bikes".to_owned(),
            Box::new(|known| ["water", "bikes"].iter().all(|tag| known.tags.iter().any(|other| other == tag))),
        ),
        ("format=csv,json".to_owned(), Box::new(|known| known.format != "txt")),
        ("licence=CC0-1.0".to_owned(), Box::new(|known| known.licences.contains("CC0-1.0"))),
        ("free=true".to_owned(), Box::new(|known| known.free)),
        ("free=false&theme=education".to_owned(), Box::new(|known| !known.free && known.theme == "education")),
        ("price_currency=DKK&price_min_minor=0".to_owned(), Box::new(|known| known.price_minor.is_some())),
        ("price_currency=DKK&price_max_minor=100".to_owned(), Box::new(|known| known.price_minor == Some(100))),
        (format!("provider={}", orgs[1].id), Box::new(|known| known.provider == 1)),
        ("bbox=8,8,12,12".to_owned(), Box::new(move |known| known.bbox.is_some_and(touches))),
        (
            "updated_since=2026-11-21T10:00:10Z".to_owned(),
            Box::new(|known| known.updated >= time::macros::datetime!(2026-11-21 10:00:10 UTC)),
        ),
        ("q=fukui&tag=noise".to_owned(), Box::new(|known| known.tags.iter().any(|tag| tag == "noise"))),
        ("theme=health".to_owned(), Box::new(|_| false)),
    ]
}

on_both! {
    async fn filters_and_counts_agree_with_a_plain_look(app) {
        let (orgs, known) = square(app).await;
        for (query, keep) in filters(&orgs) {
            let expected: Vec<&Known> = known.iter().filter(|known| keep(known)).collect();
            let found: BTreeSet<String> = all_pages(app, &query, 100).await.into_iter().collect();
            assert_eq!(found, expected.iter().map(|known| known.id.clone()).collect(), "{query}");
            let json = app.get(&format!("/api/v1/listings?{query}&facets=true&limit=1")).await.expect(200).json();
            let total = i64::try_from(expected.len()).unwrap();
            assert_eq!(json["facets"]["total"], total, "{query}");
            assert_eq!(json["facets"]["free"], expected.iter().filter(|known| known.free).count(), "{query}");
            assert_eq!(counts(&json, "theme"), tally(expected.iter().map(|known| known.theme)), "{query}");
            let tags = tally(expected.iter().flat_map(|known| known.tags.iter().map(String::as_str)));
            assert_eq!(counts(&json, "tag"), tags, "{query}");
            assert_eq!(counts(&json, "format"), tally(expected.iter().map(|known| known.format)), "{query}");
            let licences = tally(expected.iter().flat_map(|known| known.licences.iter().copied()));
            assert_eq!(counts(&json, "licence"), licences, "{query}");
            let providers: Vec<String> = expected.iter().map(|known| orgs[known.provider].id.to_string()).collect();
            assert_eq!(counts(&json, "provider"), tally(providers.iter().map(String::as_str)), "{query}");
        }
    }

    async fn paging_visits_each_row_exactly_once_in_every_order(app) {
        let (_, known) = square(app).await;
        for sort in ["sort=updated", "sort=published", "sort=price&price_currency=DKK"] {
            let whole = all_pages(app, sort, 100).await;
            assert_eq!(whole.len(), known.len(), "{sort}");
            for limit in [1, 7, 20, 60] {
                assert_eq!(all_pages(app, sort, limit).await, whole, "{sort} by {limit}");
            }
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), known.len(), "{sort}");
        }
        let of = |id: &String| known.iter().find(|known| &known.id == id).unwrap();
        let newest = all_pages(app, "sort=updated", 9).await;
        assert!(newest.is_sorted_by_key(|id| std::cmp::Reverse(of(id).updated)));
        let cheapest = all_pages(app, "sort=price&price_currency=DKK", 9).await;
        let price = |id: &String| if of(id).free { 0 } else { of(id).price_minor.unwrap_or(i64::MAX) };
        assert!(cheapest.is_sorted_by_key(price));
    }

    async fn words_are_found_in_every_script(app) {
        let org = app.provider().await;
        let bikes = app.published(&org, &json!({
            "title": {"en": "City bikes", "zh-Hant": "臺北市公共自行車"}, "summary": {"da": "Cykler i Århus og på Ærø"},
        })).await;
        let levels = app.published(&org, &json!({
            "title": {"ja": "福井県の河川水位"}, "summary": {"en": "Levels at 100% of the gauges, under_score"},
        })).await;
        let found = async |q: &str| -> Vec<String> {
            let q: String = form_urlencoded::byte_serialize(q.as_bytes()).collect();
            let mut found = ids(&app.get(&format!("/api/v1/listings?q={q}")).await.expect(200).json());
            found.sort();
            found
        };
        for q in ["台北", "臺北", "自行車", "bike", "BIKES city", "århus", "aarhus", "ærø", "cykler", "北"] {
            assert_eq!(found(q).await, std::slice::from_ref(&bikes), "{q}");
        }
        for q in ["水位", "河川 levels", "Ｌｅｖｅｌｓ", "100%", "under_score"] {
            assert_eq!(found(q).await, std::slice::from_ref(&levels), "{q}");
        }
        for q in ["%", "_", "%ik%", "b_kes", "c%s", "ike", "北台", "'; DROP TABLE listing; --", "\u{0}"] {
            assert!(found(q).await.is_empty(), "{q}");
        }
        assert_eq!(found("provider").await.len(), 2, "the name of the provider");
        assert_eq!(found("").await.len(), 2);
    }

    async fn bad_parameters_are_named(app) {
        for (query, pointer) in [
            ("theme=weather", "theme"), ("sort=title", "sort"), ("limit=0", "limit"), ("limit=101", "limit"),
            ("cursor=abc", "cursor"), ("bbox=1,2,3", "bbox"), ("bbox=10,0,5,1", "bbox"), ("bbox=nan,0,5,1", "bbox"),
            ("price_min_minor=-1&price_currency=DKK", "price_min_minor"), ("price_max_minor=1", "price_currency"),
            ("price_currency=XXX", "price_currency"), ("updated_since=2026-13-01", "updated_since"),
            ("provider=me", "provider"), ("free=maybe", "free"), ("tag=%00", "tag"),
        ] {
            let answer = app.get(&format!("/api/v1/listings?{query}")).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), pointer, "{query}: {}", answer.text());
        }
        let unknown = app.get("/api/v1/listings?colour=red").await.expect(422);
        assert!(unknown.str("/detail").contains("colour"));
        let other = app.get("/api/v1/listings?sort=updated&limit=5&limit=6").await.expect(422);
        assert!(other.str("/detail").contains("limit"), "{}", other.text());
    }
}

//! What is quoted: exact counts, prices that no cut beats, and words about what can't be cut.

use serde_json::{Value, json};

use super::{by_row, csv, expected, instant, market, pointers, quote};
use crate::support::{on_every_store, one_off};

fn square(area: [f64; 4]) -> Value {
    json!({ "area": area })
}

on_every_store! {
    async fn a_quote_counts_exactly_what_is_there(app) {
        let (sale, _) = market(app, by_row()).await;
        let areas = [None, Some([12.0, 55.0, 13.0, 56.0]), Some([12.5, 55.5, 12.5001, 57.0]), Some([-180.0, -90.0, 180.0, 90.0])];
        for area in areas {
            for hours in [None, Some((0, 700)), Some((24, 240)), Some((100, 101))] {
                let mut slice = json!({"columns": ["level"]});
                if let Some(area) = area {
                    slice["area"] = json!(area);
                }
                if let Some((from, to)) = hours {
                    slice["period"] = json!({"from": instant(from), "to": instant(to)});
                }
                let rows = expected(area, hours).len();
                let answer = quote(app, &sale, &slice).await;
                if rows == 0 {
                    assert_eq!(pointers(&answer.expect(422)), ["/slice"]);
                    continue;
                }
                let quoted = answer.expect(200).json();
                assert_eq!(quoted["slice"]["rows"], rows, "{slice}");
                // What is cut by, and what names a row, come with the columns asked for.
                assert_eq!(quoted["slice"]["columns"], json!(["name", "at", "level", "geometry"]));
                assert_eq!(quoted["slice"]["cells"], rows * 4);
                let minor = i64::try_from(rows).unwrap() * 3;
                let price = ((minor + 1) / 2).clamp(100, 250);
                assert_eq!(quoted["total"], json!({"minor": price, "currency": "EUR"}), "{rows} rows");
                assert_eq!((&quoted["coverage"], &quoted["through_revision"]), (&json!("snapshot"), &json!(1)));
            }
        }
        let whole = app.request("POST", "/api/v1/quotes").json(&json!({"offer_id": sale.offer})).send().await.expect(200).json();
        assert_eq!((whole["total"]["minor"].as_i64(), whole["slice"].is_null()), (Some(250), true));
    }

    async fn polygons_cut_what_boxes_cut(app) {
        let (sale, _) = market(app, by_row()).await;
        let ring = json!([[12.0, 55.0], [13.0, 55.0], [13.0, 56.0], [12.0, 56.0], [12.0, 55.0]]);
        let polygon = json!({"area": {"type": "Polygon", "coordinates": [ring]}});
        let (by_box, by_ring) = (quote(app, &sale, &square([12.0, 55.0, 13.0, 56.0])).await, quote(app, &sale, &polygon).await);
        let (by_box, by_ring) = (by_box.expect(200).json(), by_ring.expect(200).json());
        assert_eq!(by_box["slice"], by_ring["slice"]);
        assert_eq!(by_ring["slice"]["area"]["coordinates"], polygon["area"]["coordinates"]);
    }

    async fn parts_never_cost_less_than_the_whole_of_them(app) {
        let rule = json!({"per": "cell", "price_minor": 1, "per_units": 7, "floor_minor": 2, "by_area": true, "time_column": "at",
            "by_columns": true, "key_columns": ["name"]});
        let (sale, _) = market(app, rule).await;
        let mut minors = Vec::new();
        for slice in [
            square([12.0, 55.0, 14.0, 56.0]), square([12.0, 55.0, 13.0, 56.0]), square([13.0, 55.0, 14.0, 56.0]),
            json!({"columns": ["level", "lat"]}), json!({"columns": ["level"]}), json!({"columns": ["lat"]}),
            json!({"period": {"from": instant(0), "to": instant(400)}}), json!({"period": {"from": instant(0), "to": instant(150)}}),
            json!({"period": {"from": instant(150), "to": instant(400)}}),
        ] {
            minors.push(quote(app, &sale, &slice).await.expect(200).json()["total"]["minor"].as_i64().unwrap());
        }
        for whole in minors.chunks(3) {
            assert!(whole[0] <= whole[1] + whole[2] && whole[1] <= whole[0] && whole[2] <= whole[0], "{minors:?}");
        }
    }

    async fn what_can_not_be_cut_is_refused_with_its_place(app) {
        let (sale, _) = market(app, by_row()).await;
        let bow = json!({"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]});
        let huge: Vec<[f64; 2]> = (0..1_500).map(|n| [f64::from(n) / 100.0, f64::from(n % 2)]).collect();
        for (slice, pointer) in [
            (json!({}), "/slice"),
            (square([0.0, 0.0, 1.0, 1.0]), "/slice"),
            (json!({"area": bow}), "/slice/area"),
            (json!({"area": {"type": "Polygon", "coordinates": [huge]}}), "/slice/area"),
            (json!({"area": [13, 55, 12, 56]}), "/slice/area"),
            (json!({"area": [12, 55, 200, 56]}), "/slice/area"),
            (json!({"area": "Copenhagen"}), "/slice/area"),
            (json!({"period": {"from": instant(5), "to": instant(5)}}), "/slice/period/to"),
            (json!({"columns": ["level", "depth"]}), "/slice/columns/1"),
            (json!({"columns": []}), "/slice/columns"),
            (json!({"file": "other.csv", "columns": ["level"]}), "/slice/file"),
        ] {
            let refused = quote(app, &sale, &slice).await.expect(422);
            assert_eq!(pointers(&refused), [pointer], "{slice}");
        }
        let narrow = json!({"per": "row", "price_minor": 1, "per_units": 1, "floor_minor": 100, "time_column": "at", "rows_min": 30});
        let (sale, _) = market(app, narrow).await;
        let refused = quote(app, &sale, &square([12.0, 55.0, 13.0, 56.0])).await.expect(422);
        assert_eq!(pointers(&refused), ["/slice/area"]);
        let few = quote(app, &sale, &json!({"period": {"from": instant(0), "to": instant(9)}})).await.expect(422);
        assert!(few.text().contains("Fewer than 30 rows"), "{}", few.text());
        let plain = app.also_for_sale(&sale.provider, &sale.listing, &one_off(400)).await;
        assert_eq!(pointers(&quote(app, &plain, &json!({"columns": ["level"]})).await.expect(422)), ["/slice"]);
    }

    async fn a_rule_that_makes_no_sense_is_not_published(app) {
        let provider = app.provider().await;
        let listing = app.published(&provider, &json!({})).await;
        let preset = json!({"preset": "internal_use"});
        let licence = app.as_org(&provider, "POST", "/api/v1/licences").json(&preset).send().await.expect(201).str("/licence/id");
        let publish = async |price: i64, plan: Value| {
            let mut body = one_off(price);
            body["licence_id"] = json!(licence);
            body["plan"] = plan;
            app.as_org(&provider, "POST", &format!("/api/v1/listings/{listing}/offers")).json(&body).send().await
        };
        let mut low = by_row();
        low["floor_minor"] = json!(0);
        assert_eq!(pointers(&publish(250, json!({"slice": low})).await.expect(422)), ["/plan/slice/floor_minor"]);
        publish(200, Value::Null).await.expect(201);
        let refused = publish(250, json!({"slice": by_row()})).await.expect(422);
        assert_eq!(pointers(&refused), ["/price/minor"], "the whole costs 2.00 elsewhere");
        publish(200, json!({"slice": by_row()})).await.expect(201);
        assert_eq!(pointers(&publish(150, Value::Null).await.expect(422)), ["/price/minor"]);
    }

    async fn a_new_revision_is_counted_before_it_is_quoted(app) {
        let (sale, _) = market(app, by_row()).await;
        let more = format!("{}new,55.5,12.5,2026-01-05T00:00:00Z,1\n", csv());
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", Box::leak(more.into_boxed_str())).await;
        quote(app, &sale, &json!({"columns": ["level"]})).await.expect(409);
        app.run_jobs().await;
        let quoted = quote(app, &sale, &json!({"columns": ["level"]})).await.expect(200).json();
        assert_eq!((&quoted["slice"]["rows"], &quoted["slice"]["revision_number"]), (&json!(241), &json!(2)));
    }
}

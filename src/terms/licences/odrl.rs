//! Terms as ODRL policies, for machines.
//!
//! Source: ODRL Information Model 2.2 and ODRL Vocabulary 2.2 (W3C Recommendations of 2018-02-15).
//! What the vocabulary lacks (seats, aggregation, the form of the data) has names below [`PROFILE`].
//! Addresses are names here: nothing is ever fetched from them.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, UtcOffset};

use super::model::{
    AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalDataLevel, Redistribution, Seats, Terms,
    Territory, Use, Warranty,
};

/// The JSON-LD context that gives the short names their meaning.
pub const CONTEXT: &str = "http://www.w3.org/ns/odrl.jsonld";
/// The profile whose operands and actions these policies use.
pub const PROFILE: &str = "urn:torv:odrl-profile:1";

const SHARE_ALIKE: &str = "http://creativecommons.org/ns#ShareAlike";
const NOTICE: &str = "http://creativecommons.org/ns#Notice";
const ISSUED: &str = "http://purl.org/dc/terms/issued";

/// A policy of type `Set`: the terms alone, for no dataset and no party in particular.
pub fn set(terms: &Terms, uid: &str) -> Value {
    let data = own("licensed-data");
    Policy { terms, target: &data, agreed_at: None }.json("Set", uid, &[])
}

/// A policy of type `Offer`: `assigner` would let anyone who accepts use `target`.
pub fn offer(terms: &Terms, uid: &str, target: &str, assigner: &str) -> Value {
    Policy { terms, target, agreed_at: None }.json("Offer", uid, &[("assigner", assigner)])
}

/// A policy of type `Agreement`: `assigner` lets `assignee` use `target` from `agreed_at` on.
///
/// A fixed term becomes a date here, where an offer has a length.
pub fn agreement(
    terms: &Terms,
    uid: &str,
    target: &str,
    assigner: &str,
    assignee: &str,
    agreed_at: OffsetDateTime,
) -> Value {
    let parties = [("assigner", assigner), ("assignee", assignee)];
    let mut policy = Policy { terms, target, agreed_at: Some(agreed_at) }.json("Agreement", uid, &parties);
    policy[ISSUED] = date_time(agreed_at);
    policy
}

/// Terms on their way into a policy.
struct Policy<'a> {
    terms: &'a Terms,
    target: &'a str,
    agreed_at: Option<OffsetDateTime>,
}

impl Policy<'_> {
    fn json(&self, kind: &str, uid: &str, parties: &[(&str, &str)]) -> Value {
        let mut policy = Map::from_iter([
            ("@context".to_owned(), CONTEXT.into()),
            ("@type".to_owned(), kind.into()),
            ("uid".to_owned(), uid.into()),
            ("profile".to_owned(), PROFILE.into()),
            // Whatever a prohibition names stays prohibited, however a permission is read.
            ("conflict".to_owned(), "prohibit".into()),
        ]);
        policy.extend(parties.iter().map(|(role, party)| ((*role).to_owned(), (*party).into())));
        let rules = [
            ("permission", self.permissions()),
            ("prohibition", self.prohibitions()),
            ("obligation", self.obligations()),
        ];
        let filled = rules.into_iter().filter(|(_, rules)| !rules.is_empty());
        policy.extend(filled.map(|(name, rules)| (name.to_owned(), rules.into())));
        policy.extend(self.conditions());
        Value::Object(policy)
    }

    fn permissions(&self) -> Vec<Value> {
        let Terms { redistribution, derivatives, .. } = self.terms;
        let mut rules = Vec::new();
        if !self.terms.uses.is_empty() {
            let some = self.terms.uses.len() < Use::ALL.len();
            let purposes = some.then(|| purposes(self.terms.uses.iter().copied()));
            let anyone = self.terms.seats == Seats::Anyone;
            let recipients = (!anyone).then(|| self.recipients());
            let constraints = purposes.into_iter().chain(recipients).chain(self.limits()).collect();
            rules.push(self.rule(json!("use"), constraints, self.attribution_duty()));
        }
        if *derivatives != Derivatives::None {
            let internal = (*derivatives == Derivatives::Internal).then(|| self.recipients());
            let constraints = internal.into_iter().chain(self.limits()).collect();
            rules.push(self.rule(json!("derive"), constraints, vec![]));
        }
        if let Derivatives::Publishable { min_aggregation_records } = derivatives {
            let aggregation = min_aggregation_records
                .map(|records| constraint(&own("min-aggregation-records"), "gteq", json!(records)));
            let constraints = [Some(form("derived")), aggregation].into_iter().flatten().chain(self.limits()).collect();
            rules.push(self.rule(json!("distribute"), constraints, self.distribution_duties()));
        }
        if redistribution.allows_copies() {
            let constraints = [vec![form("copy")], self.limits()].concat();
            rules.push(self.rule(json!("distribute"), constraints, self.distribution_duties()));
        }
        if self.terms.uses.contains(&Use::Resale) {
            rules.push(self.rule(json!("sell"), self.limits(), self.distribution_duties()));
        }
        if self.terms.sublicense {
            rules.push(self.rule(json!("grantUse"), self.limits(), vec![]));
        }
        rules
    }

    fn prohibitions(&self) -> Vec<Value> {
        let mut rules = Vec::new();
        let denied: Vec<Use> = Use::ALL.into_iter().filter(|each| !self.terms.uses.contains(each)).collect();
        if !denied.is_empty() {
            rules.push(self.rule(json!("use"), vec![purposes(denied.iter().copied())], vec![]));
        }
        let forbidden = [
            (denied.contains(&Use::Resale), json!("sell"), vec![]),
            (self.terms.derivatives == Derivatives::None, json!("derive"), vec![]),
            (self.terms.redistribution == Redistribution::None, json!("distribute"), vec![]),
            (self.terms.redistribution == Redistribution::DerivedOnly, json!("distribute"), vec![form("copy")]),
            (!self.terms.sublicense, json!("grantUse"), vec![]),
            (self.terms.personal_data.re_identification_prohibited, id(&own("re-identify")), vec![]),
        ];
        let applying = forbidden.into_iter().filter(|(applies, ..)| *applies);
        rules.extend(applying.map(|(_, action, constraints)| self.rule(action, constraints, vec![])));
        rules
    }

    fn obligations(&self) -> Vec<Value> {
        let mut rules = Vec::new();
        if let LicenceDuration::Fixed { months, after_end } = self.terms.duration {
            let over = self.period(months, "gteq");
            match after_end {
                AfterEnd::Delete => rules.push(self.rule(json!("delete"), vec![over], vec![])),
                AfterEnd::KeepDerived => rules.push(self.rule(json!("delete"), vec![form("copy"), over], vec![])),
                AfterEnd::Keep => {}
            }
        }
        if let Some(url) = &self.terms.personal_data.dpa_url {
            let agreement = constraint(&own("agreement"), "eq", id(url));
            rules.push(self.rule(id(&own("observe")), vec![agreement], vec![]));
        }
        if self.terms.audit {
            rules.push(self.rule(id(&own("permit-audit")), vec![], vec![]));
        }
        rules
    }

    /// What the vocabulary has no rule for, as properties of the policy.
    fn conditions(&self) -> Map<String, Value> {
        let Terms { personal_data, termination, warranty, governing_law, .. } = self.terms;
        let level = match personal_data.level {
            PersonalDataLevel::None => "none",
            PersonalDataLevel::Pseudonymised => "pseudonymised",
            PersonalDataLevel::Contains => "contained",
        };
        let (on_breach, cure_days) = match termination.on_breach {
            OnBreach::Unstated => ("unstated", None),
            OnBreach::Irrevocable => ("irrevocable", None),
            OnBreach::Automatic => ("automatic", None),
            OnBreach::AfterNotice { cure_days } => ("after-notice", Some(cure_days)),
        };
        let warranty = match warranty {
            Warranty::AsIs => "as-is",
            Warranty::AsDescribed => "as-described",
        };
        let properties = [
            ("personal-data", Some(json!(level))),
            ("on-breach", Some(json!(on_breach))),
            ("cure-days", cure_days.map(Value::from)),
            ("convenience-notice-days", termination.convenience_notice_days.map(Value::from)),
            ("warranty", Some(json!(warranty))),
            ("governing-law", governing_law.as_deref().map(Value::from)),
        ];
        properties.into_iter().filter_map(|(name, value)| value.map(|value| (own(name), value))).collect()
    }

    /// Where, for how long and by how many the data may be used.
    fn limits(&self) -> Vec<Value> {
        let territory = match &self.terms.territory {
            Territory::Worldwide => None,
            Territory::Countries(codes) => Some(constraint("spatial", "isAnyOf", json!(codes))),
        };
        let period = match self.terms.duration {
            LicenceDuration::Perpetual | LicenceDuration::Fixed { after_end: AfterEnd::Keep, .. } => None,
            LicenceDuration::Fixed { months, .. } => Some(self.period(months, "lt")),
        };
        let updates = match self.terms.duration {
            LicenceDuration::Fixed { months, after_end: AfterEnd::Keep } => {
                Some(constraint(&own("received"), "lt", self.end(months)))
            }
            LicenceDuration::Perpetual | LicenceDuration::Fixed { .. } => None,
        };
        let seats = match self.terms.seats {
            Seats::Anyone | Seats::Organisation => None,
            Seats::Limited { persons } => Some(constraint(&own("seats"), "lteq", json!(persons))),
        };
        [territory, period, updates, seats].into_iter().flatten().collect()
    }

    fn period(&self, months: u16, operator: &str) -> Value {
        let operand = if self.agreed_at.is_some() { "dateTime" } else { "elapsedTime" };
        constraint(operand, operator, self.end(months))
    }

    /// The end of the term: a date once there is an agreement, a length before.
    fn end(&self, months: u16) -> Value {
        let term = LicenceDuration::Fixed { months, after_end: AfterEnd::Delete };
        match self.agreed_at.and_then(|start| term.end(start)) {
            Some(end) => date_time(end),
            None => json!({"@type": "xsd:duration", "@value": format!("P{months}M")}),
        }
    }

    fn recipients(&self) -> Value {
        let affiliates = self.terms.affiliates.then(|| id(&own("affiliate")));
        let who: Vec<Value> = std::iter::once(id(&own("licensee"))).chain(affiliates).collect();
        constraint("recipient", "isAnyOf", who.into())
    }

    fn attribution_duty(&self) -> Vec<Value> {
        let Attribution::Required { text, mark_changes } = &self.terms.attribution else { return vec![] };
        let changes = mark_changes.then(|| json!({"action": id(&own("mark-changes"))}));
        if text.is_empty() {
            return std::iter::once(json!({"action": "attribute"})).chain(changes).collect();
        }
        let wordings: Vec<Value> =
            text.0.iter().map(|(language, words)| json!({"@language": language, "@value": words})).collect();
        let refinement = constraint(&own("wording"), "isAnyOf", wordings.into());
        let attribute = json!({"action": [{"rdf:value": {"@id": "odrl:attribute"}, "refinement": [refinement]}]});
        std::iter::once(attribute).chain(changes).collect()
    }

    fn distribution_duties(&self) -> Vec<Value> {
        let mut duties = self.attribution_duty();
        match &self.terms.redistribution {
            Redistribution::ShareAlike { licence } => {
                let same = constraint(&own("licence"), "eq", json!(licence));
                duties.push(json!({"action": id(SHARE_ALIKE), "constraint": [same]}));
            }
            Redistribution::WithLicenceText => duties.push(json!({"action": id(NOTICE)})),
            Redistribution::WithAttribution => {
                let source = constraint(&own("names"), "eq", id(&own("source")));
                duties.push(json!({"action": "attribute", "constraint": [source]}));
            }
            Redistribution::None | Redistribution::DerivedOnly | Redistribution::Unrestricted => {}
        }
        duties
    }

    fn rule(&self, action: Value, constraints: Vec<Value>, duties: Vec<Value>) -> Value {
        let mut rule = Map::from_iter([("target".to_owned(), self.target.into()), ("action".to_owned(), action)]);
        if !constraints.is_empty() {
            rule.insert("constraint".to_owned(), constraints.into());
        }
        if !duties.is_empty() {
            rule.insert("duty".to_owned(), duties.into());
        }
        Value::Object(rule)
    }
}

fn own(name: &str) -> String {
    format!("{PROFILE}:{name}")
}

fn id(iri: &str) -> Value {
    json!({"@id": iri})
}

fn constraint(left: &str, operator: &str, right: Value) -> Value {
    let pairs = [("leftOperand", left.into()), ("operator", operator.into()), ("rightOperand", right)];
    pairs.map(|(name, value): (&str, Value)| (name.to_owned(), value)).into_iter().collect()
}

/// Whether the data itself or something derived from it is meant.
fn form(name: &str) -> Value {
    constraint(&own("form"), "eq", id(&own(name)))
}

fn purposes(uses: impl Iterator<Item = Use>) -> Value {
    let purposes: Vec<Value> = uses.map(|each| id(&own(&format!("use:{}", each.name())))).collect();
    constraint("purpose", "isAnyOf", purposes.into())
}

/// An instant in UTC with the microseconds the exchange keeps.
fn date_time(at: OffsetDateTime) -> Value {
    let at = at.to_offset(UtcOffset::UTC);
    let (hour, minute, second, micros) = at.to_hms_micro();
    let text = format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day()
    );
    json!({"@type": "xsd:dateTime", "@value": text})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::{
        base::LangText,
        terms::licences::{presets::Preset, strategies::any_terms, templates::resolve},
    };

    /// Source: ODRL Vocabulary 2.2, sections 3 and 4: the actions and operands used here.
    const ACTIONS: [&str; 7] = ["use", "derive", "distribute", "sell", "grantUse", "delete", "attribute"];
    const OPERANDS: [&str; 5] = ["purpose", "recipient", "spatial", "elapsedTime", "dateTime"];
    const OPERATORS: [&str; 5] = ["eq", "isAnyOf", "lt", "lteq", "gteq"];

    fn rules(policy: &Value) -> Vec<Value> {
        ["permission", "prohibition", "obligation"]
            .iter()
            .filter_map(|name| policy[*name].as_array().cloned())
            .flatten()
            .collect()
    }

    fn actions(policy: &Value, kind: &str) -> Vec<String> {
        let rules = policy[kind].as_array().cloned().unwrap_or_default();
        rules.iter().filter_map(|rule| rule["action"].as_str().map(str::to_owned)).collect()
    }

    fn any_offer(terms: &Terms) -> Value {
        offer(terms, "urn:offer", "urn:data", "urn:provider")
    }

    #[test]
    fn an_offer_names_its_assigner_and_an_agreement_both_parties() {
        let terms = Preset::ProductUse.terms();
        let offer = any_offer(&terms);
        assert_eq!((&offer["@type"], &offer["assigner"]), (&json!("Offer"), &json!("urn:provider")));
        assert!(offer.get("assignee").is_none());
        let at = datetime!(2026-11-21 10:00 UTC);
        let agreement = agreement(&terms, "urn:a", "urn:data", "urn:provider", "urn:buyer", at);
        assert_eq!((&agreement["@type"], &agreement["assignee"]), (&json!("Agreement"), &json!("urn:buyer")));
        assert_eq!(agreement[ISSUED]["@value"], "2026-11-21T10:00:00.000000Z");
    }

    #[test]
    fn a_term_is_a_length_in_an_offer_and_a_date_in_an_agreement() {
        let terms = Preset::InternalUse.terms();
        let offered = any_offer(&terms).to_string();
        assert!(offered.contains(r#""leftOperand":"elapsedTime""#) && offered.contains(r#""P12M""#));
        let at = datetime!(2027-02-28 23:30:00.5 +1);
        let agreed = agreement(&terms, "urn:a", "urn:data", "urn:p", "urn:b", at).to_string();
        assert!(agreed.contains("2028-02-28T22:30:00.500000Z") && !agreed.contains("P12M"), "{agreed}");
    }

    #[test]
    fn what_is_not_allowed_is_prohibited_by_name() {
        let policy = any_offer(&Preset::InternalUse.terms());
        assert_eq!(actions(&policy, "permission"), ["use", "derive"]);
        assert_eq!(actions(&policy, "prohibition"), ["use", "sell", "distribute", "grantUse"]);
        assert_eq!(actions(&policy, "obligation"), ["delete"]);
    }

    #[test]
    fn share_alike_is_a_duty_of_whoever_distributes() {
        let licence = resolve("ODbL-1.0").expect("in the table");
        let policy = any_offer(&licence.terms(LangText::of("en", "City of X")));
        let distribute = policy["permission"].as_array().expect("a list").iter().find(|r| r["action"] == "distribute");
        let duties = distribute.expect("copies may be distributed")["duty"].to_string();
        assert!(duties.contains(SHARE_ALIKE) && duties.contains("ODbL-1.0") && duties.contains("City of X"));
    }

    #[test]
    fn a_public_domain_dedication_leaves_no_duty_and_no_use_prohibited() {
        let licence = resolve("CC0-1.0").expect("in the table");
        let policy = any_offer(&licence.terms(LangText::default()));
        assert!(policy.get("prohibition").is_none() && policy.get("obligation").is_none());
        assert!(rules(&policy).iter().all(|rule| rule.get("duty").is_none()));
    }

    proptest! {
        #[test]
        fn every_rule_has_a_target_and_words_of_the_vocabulary_or_the_profile(terms in any_terms()) {
            let policy = any_offer(&terms);
            prop_assert!(!rules(&policy).is_empty());
            for rule in rules(&policy) {
                prop_assert_eq!(&rule["target"], "urn:data");
                let action = &rule["action"];
                let profile = action["@id"].as_str().is_some_and(|iri| iri.starts_with(PROFILE));
                prop_assert!(profile || action.as_str().is_some_and(|name| ACTIONS.contains(&name)), "{}", action);
                for constraint in rule["constraint"].as_array().into_iter().flatten() {
                    let left = constraint["leftOperand"].as_str().expect("a name");
                    prop_assert!(OPERANDS.contains(&left) || left.starts_with(PROFILE), "{}", left);
                    prop_assert!(OPERATORS.contains(&constraint["operator"].as_str().expect("a name")));
                }
            }
        }

        #[test]
        fn a_use_is_permitted_or_prohibited_and_never_both(terms in any_terms()) {
            let policy = any_offer(&terms);
            let named = |kind: &str| -> BTreeSet<String> {
                let rules = policy[kind].as_array().cloned().unwrap_or_default();
                let uses = rules.into_iter().filter(|rule| rule["action"] == "use");
                let constraints = uses.flat_map(|rule| rule["constraint"].as_array().cloned().unwrap_or_default());
                constraints
                    .filter(|constraint| constraint["leftOperand"] == "purpose")
                    .flat_map(|constraint| constraint["rightOperand"].as_array().cloned().unwrap_or_default())
                    .map(|purpose| purpose["@id"].to_string())
                    .collect()
            };
            let (permitted, prohibited) = (named("permission"), named("prohibition"));
            prop_assert!(permitted.is_disjoint(&prohibited));
            let any_purpose = permitted.is_empty() && prohibited.is_empty();
            prop_assert_eq!(any_purpose, terms.uses.len() == Use::ALL.len());
            prop_assert!(any_purpose || permitted.len() + prohibited.len() == Use::ALL.len());
        }

        #[test]
        fn valid_terms_that_differ_give_policies_that_differ(one in valid_terms(), two in valid_terms()) {
            prop_assert_eq!(any_offer(&one) == any_offer(&two), one == two);
        }
    }

    /// Ready-made terms with a valid field or two from others: contradictory ones need no ODRL form.
    fn valid_terms() -> impl Strategy<Value = Terms> {
        use crate::terms::licences::{
            strategies::{FIELDS, with_field_of},
            templates::OpenLicence,
        };
        let open = OpenLicence::all().iter().map(|licence| licence.terms(LangText::default()));
        let bases: Vec<Terms> = Preset::ALL.into_iter().map(Preset::terms).chain(open).collect();
        (proptest::sample::select(bases), any_terms(), proptest::collection::vec(0..FIELDS, 0..6)).prop_map(
            |(base, other, fields)| {
                fields.into_iter().fold(base, |terms, field| {
                    let changed = with_field_of(&terms, &other, field);
                    if changed.validate().is_empty() { changed } else { terms }
                })
            },
        )
    }
}

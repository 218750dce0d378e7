//! The schema of what is not described by its own fields.

use crate::Currency;

impl utoipa::PartialSchema for Currency {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("ISO 4217 code in upper case"))
            .enum_values(Some(Currency::all().map(Currency::code)))
            .examples(["EUR"])
            .into()
    }
}

impl utoipa::ToSchema for Currency {
    fn name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::{PartialSchema as _, ToSchema as _};

    use super::*;

    #[test]
    fn a_currency_is_described_as_one_of_the_codes() {
        let schema = serde_json::to_value(Currency::schema()).expect("a schema");
        assert_eq!((Currency::name().as_ref(), &schema["type"]), ("Currency", &json!("string")));
        assert_eq!(schema["enum"], json!(Currency::all().collect::<Vec<_>>()));
    }
}

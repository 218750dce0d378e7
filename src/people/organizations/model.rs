//! What an organisation must be like.

use entity::states::ProviderKind;

use crate::{base::country::is_country, error::Check, limits};

/// Longest short name made from a name.
const SLUG_CHARS_MAX: usize = 60;

/// Notes what is wrong with a name.
pub(super) fn check_name(check: &mut Check, name: &str) {
    check.name(name, limits::ORGANIZATION_NAME_CHARS_MAX, "/name");
}

/// Notes what is wrong with a country.
pub(super) fn check_country(check: &mut Check, country: &str) {
    check.require(is_country(country), "/country", "Write an ISO 3166-1 country code of two capital letters, as DK.");
}

/// Notes a provider without a kind: the kind decides what the law says about its prices.
pub(super) fn check_provider(check: &mut Check, may_provide: bool, kind: Option<ProviderKind>) {
    let advice = "Say what kind of provider it is: public_sector, company, ngo or individual.";
    check.require(!may_provide || kind.is_some(), "/provider_kind", advice);
}

/// A short name for addresses, made from the letters and digits of a name that ASCII has;
/// `organization` where it has none.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "organization".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_of_plain_letters() {
        assert_eq!(slug("  Harbour Lab, Aarhus! "), "harbour-lab-aarhus");
        assert_eq!(slug("台北市政府"), "organization");
        assert_eq!(slug("Kobe 神戸 Metro"), "kobe-metro");
        assert!(slug(&"long name ".repeat(40)).len() <= SLUG_CHARS_MAX);
    }

    #[test]
    fn a_provider_has_a_kind() {
        for (may_provide, kind, good) in
            [(true, None, false), (true, Some(ProviderKind::Ngo), true), (false, None, true)]
        {
            let mut check = Check::new();
            check_provider(&mut check, may_provide, kind);
            assert_eq!(check.done().is_ok(), good);
        }
    }
}

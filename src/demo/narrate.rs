//! Telling the walk as a person would want to read it: steps and figures on the output stream,
//! progress bars on the error stream.

use std::{fmt::Display, io::Write as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use time::Date;

use super::{actors::Actors, build::BuiltSquare, walk::Walk};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
};

/// How often a bar is drawn while nothing moves.
const TICK: Duration = Duration::from_millis(120);

/// A progress bar for `total` of something; silent where nobody looks.
pub(super) fn bar(what: &str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{spinner} {msg:<10} {bar:32} {pos:>4}/{len:<4} {elapsed} (still {eta})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// Writes one line.
pub(super) fn line(text: impl Display) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").map_err(Error::internal)
}

/// Writes the heading of a step.
pub(super) fn step(number: usize, what: &str) -> Result<()> {
    line(format!("\n{number}. {what}"))
}

/// Writes a fact of the present step.
pub(super) fn fact(name: &str, value: impl Display) -> Result<()> {
    line(format!("   {name:<17} {value}"))
}

/// A sum in the way of the currency: `1,234.50 EUR`, `40,000 JPY`.
pub(super) fn money(minor: i64, code: &str) -> String {
    let Ok(currency) = code.parse::<Currency>() else { return format!("{minor} {code}") };
    let text = Money::new(minor, currency).major_text();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, cents) = digits.split_once('.').map_or((digits, None), |(whole, cents)| (whole, Some(cents)));
    let cents = cents.map_or(String::new(), |cents| format!(".{cents}"));
    format!("{sign}{}{cents} {code}", grouped(whole))
}

/// Digits in groups of three.
pub(super) fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes as people say it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

pub(super) fn opening(base_url: &str, today: Date) -> Result<()> {
    line("Torv: a city data square, and one purchase from the shelf to the bank")?;
    line(format!("It listens on {base_url}; everything below happens over its own HTTP API."))?;
    line(format!("Its clock begins on {today}, so that a whole month can pass until today."))
}

pub(super) fn square_built(built: &BuiltSquare) -> Result<()> {
    let (listings, seconds) = (built.free + built.paid, built.seconds);
    line(format!(
        "\nThe square stands: {listings} listings ({} free, {} paid) with {} files, {}, in {seconds:.1} s. \
         One more comes in step 1.",
        built.free,
        built.paid,
        built.files,
        size(built.bytes)
    ))
}

pub(super) fn closing(base_url: &str, actors: &Actors, walk: &Walk, exit: bool) -> Result<()> {
    line(format!("\nThe walk took {:.1} s. Every sum adds up.", walk.seconds))?;
    if exit {
        return Ok(());
    }
    line("\nLog in as anyone (POST /api/v1/sessions), or send the API key as Authorization: Bearer:")?;
    for actor in actors.values() {
        line(format!(
            "   {:<9} {:<36} {:<29} {:<34} {}",
            actor.role, actor.name, actor.email, actor.password, actor.api_key
        ))?;
    }
    line(format!("\nAPI documents  {base_url}/docs"))?;
    line(format!("The catalogue  {base_url}/api/v1/listings?facets=true"))?;
    line("Stop with Ctrl-C. The next demo starts clean.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_grouped_and_keep_their_digits() {
        assert_eq!(money(123_450, "EUR"), "1,234.50 EUR");
        assert_eq!(money(40_000, "JPY"), "40,000 JPY");
        assert_eq!(money(-5, "EUR"), "-0.05 EUR");
        assert_eq!(money(100_000_000, "DKK"), "1,000,000.00 DKK");
    }

    #[test]
    fn sizes_are_said_in_the_nearest_unit() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_250), "1.2 kB");
        assert_eq!(size(7_050_000), "7.0 MB");
    }
}

//! What a client says it understands.

/// How a table is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseFormat {
    /// Files with their columns.
    Parquet,
    /// Actions of a Delta log.
    Delta,
}

impl ResponseFormat {
    /// The word in the header.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

/// The header `delta-sharing-capabilities`, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    takes_parquet: bool,
    takes_delta: bool,
    /// The answer is to end with an `endStreamAction`; clients that don't ask stumble over one.
    pub(super) wants_end: bool,
}

impl Capabilities {
    /// Reads the header; what is not known is passed over.
    pub(super) fn read(header: Option<&str>) -> Self {
        let mut told = Self::default();
        for part in header.unwrap_or_default().split(';') {
            let Some((key, values)) = part.split_once('=') else { continue };
            let has = |word: &str| values.split(',').any(|value| value.trim().eq_ignore_ascii_case(word));
            match key.trim().to_ascii_lowercase().as_str() {
                "responseformat" => (told.takes_parquet, told.takes_delta) = (has("parquet"), has("delta")),
                "includeendstreamaction" => told.wants_end = has("true"),
                _ => {}
            }
        }
        told
    }

    /// The format to answer in. Where there is a choice it is Delta, which fetches each file once, unless the file
    /// has columns that Delta has no type for.
    pub(super) const fn format(self, is_plain: bool) -> ResponseFormat {
        if self.takes_delta && (is_plain || !self.takes_parquet) {
            ResponseFormat::Delta
        } else {
            ResponseFormat::Parquet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_format_is_honoured_and_of_several_the_better_is_chosen() {
        let format = |header, is_plain| Capabilities::read(header).format(is_plain);
        for is_plain in [true, false] {
            assert_eq!(format(None, is_plain), ResponseFormat::Parquet);
            assert_eq!(format(Some("responseformat=parquet"), is_plain), ResponseFormat::Parquet);
            assert_eq!(
                format(Some("responseFormat=Delta;readerfeatures=deletionvectors"), is_plain),
                ResponseFormat::Delta
            );
            assert_eq!(format(Some("responseformat=orc; ="), is_plain), ResponseFormat::Parquet);
        }
        let both = Some("readerfeatures=x;responseformat=delta, parquet");
        assert_eq!((format(both, true), format(both, false)), (ResponseFormat::Delta, ResponseFormat::Parquet));
    }

    #[test]
    fn the_end_is_only_said_to_who_asks() {
        assert!(!Capabilities::read(Some("responseformat=delta")).wants_end);
        assert!(Capabilities::read(Some("responseformat=delta;includeEndStreamAction=true")).wants_end);
        assert!(!Capabilities::read(Some("includeendstreamaction=false")).wants_end);
    }
}

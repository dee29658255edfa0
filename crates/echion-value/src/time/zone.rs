//! Time zones: Go's `Location`.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where a time is shown.
#[derive(Debug, Clone, Default)]
pub enum Zone {
    /// UTC
    #[default]
    Utc,
    /// The zone of the machine, which is UTC here: messages must not depend on where the program runs.
    Local,
    /// A fixed offset, for example one that a parsed text carried.
    Fixed {
        /// The abbreviation, often empty.
        name: Arc<str>,
        /// Seconds east of UTC.
        offset_seconds: i64,
    },
    /// A zone of the IANA database.
    Named(Arc<NamedZone>),
}

/// A zone of the IANA database under the name it was asked for.
#[derive(Debug)]
pub struct NamedZone {
    name: String,
    rules: TimeZone,
}

/// Zone rules repeat after as many seconds, the length of 400 years.
const CYCLE: i64 = 146_097 * 86_400;
/// jiff ends with the year 9999; from this second (in 9400) on the rules are looked up in an earlier cycle.
const LAST_LOOKUP: i64 = 234_500_000_000;
/// Abbreviations are collected up to this second (in 2040): later ones only repeat.
const LAST_ABBREVIATION: i64 = 2_209_000_000;

impl Zone {
    /// Go's `time.LoadLocation`, from the bundled database. Names are case-sensitive, as files on Linux are.
    pub fn load(name: &str) -> Result<Self, String> {
        static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
        match name {
            "" | "UTC" => return Ok(Self::Utc),
            "Local" => return Ok(Self::Local),
            _ => {}
        }
        if name.contains("..") || name.starts_with(['/', '\\']) {
            return Err("time: invalid location name".to_owned());
        }
        let unknown = || format!("unknown time zone {name}");
        let rules = DATABASE.get(name).map_err(|_| unknown())?;
        // jiff ignores case, and its names for UTC denote a zone without a name of its own.
        let exact = DATABASE.available().any(|known| known.as_str() == name);
        if rules.is_unknown() || !exact {
            return Err(unknown());
        }
        Ok(Self::Named(Arc::new(NamedZone { name: name.to_owned(), rules })))
    }

    /// A fixed offset in seconds east of UTC: Go's `time.FixedZone`.
    pub fn fixed(name: &str, offset_seconds: i64) -> Self {
        Self::Fixed { name: name.into(), offset_seconds }
    }

    /// Go's `Location.String`.
    pub fn name(&self) -> &str {
        match self {
            Self::Utc => "UTC",
            Self::Local => "Local",
            Self::Fixed { name, .. } => name,
            Self::Named(zone) => &zone.name,
        }
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, unix: i64) -> i64 {
        match self {
            Self::Utc | Self::Local => 0,
            Self::Fixed { offset_seconds, .. } => *offset_seconds,
            Self::Named(zone) => i64::from(zone.rules.to_offset(timestamp(unix)).seconds()),
        }
    }

    /// Whether daylight saving time is in force at an instant.
    pub fn is_dst_at(&self, unix: i64) -> bool {
        match self {
            Self::Named(zone) => zone.rules.to_offset_info(timestamp(unix)).dst().is_dst(),
            _ => false,
        }
    }

    /// The abbreviation and the offset in seconds east of UTC at an instant.
    pub fn lookup(&self, unix: i64) -> (String, i64) {
        match self {
            Self::Utc | Self::Local => ("UTC".to_owned(), 0),
            Self::Fixed { name, offset_seconds } => (name.to_string(), *offset_seconds),
            Self::Named(zone) => {
                let info = zone.rules.to_offset_info(timestamp(unix));
                (info.abbreviation().to_owned(), i64::from(info.offset().seconds()))
            }
        }
    }

    /// The offset that an abbreviation means in this zone: the one in force at the wall clock reading `unix` if it has
    /// that abbreviation then, otherwise any that ever had it.
    pub(super) fn offset_of_abbreviation(&self, abbreviation: &str, unix: i64) -> Option<i64> {
        match self {
            Self::Utc => None,
            Self::Local => (abbreviation == "UTC").then_some(0),
            Self::Fixed { name, offset_seconds } => (**name == *abbreviation).then_some(*offset_seconds),
            Self::Named(zone) => {
                let mut offsets: Vec<i64> = Vec::new();
                let first = zone.rules.to_offset_info(Timestamp::MIN);
                if first.abbreviation() == abbreviation {
                    offsets.push(i64::from(first.offset().seconds()));
                }
                for change in zone.rules.following(Timestamp::MIN) {
                    if change.timestamp().as_second() > LAST_ABBREVIATION {
                        break;
                    }
                    let offset = i64::from(change.offset().seconds());
                    if change.abbreviation() == abbreviation && !offsets.contains(&offset) {
                        offsets.push(offset);
                    }
                }
                offsets
                    .iter()
                    .find_map(|&offset| {
                        let (name, in_force) = self.lookup(unix.wrapping_sub(offset));
                        (name == abbreviation).then_some(in_force)
                    })
                    .or_else(|| offsets.first().copied())
            }
        }
    }
}

/// An instant at which jiff knows the rules that hold at `unix`.
fn timestamp(unix: i64) -> Timestamp {
    let unix = if unix > LAST_LOOKUP { LAST_LOOKUP - CYCLE + (unix - LAST_LOOKUP) % CYCLE } else { unix };
    // Before the first change of any zone nothing changes, so the earliest instant represents all before it.
    Timestamp::from_second(unix).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_knows_what_go_knows() {
        assert_eq!(Zone::load("").unwrap().name(), "UTC");
        assert_eq!(Zone::load("UTC").unwrap().name(), "UTC");
        assert_eq!(Zone::load("Local").unwrap().name(), "Local");
        assert_eq!(Zone::load("Asia/Tokyo").unwrap().name(), "Asia/Tokyo");
        assert_eq!(Zone::load("Etc/UTC").unwrap().name(), "Etc/UTC");
        assert_eq!(Zone::load("EST").unwrap().lookup(0), ("EST".to_owned(), -18_000));
        assert_eq!(Zone::load("Nope/Zone").unwrap_err(), "unknown time zone Nope/Zone");
        assert_eq!(Zone::load("asia/tokyo").unwrap_err(), "unknown time zone asia/tokyo");
        assert_eq!(Zone::load("Etc/Unknown").unwrap_err(), "unknown time zone Etc/Unknown");
        assert_eq!(Zone::load("../x").unwrap_err(), "time: invalid location name");
        assert_eq!(Zone::load("/etc").unwrap_err(), "time: invalid location name");
    }

    #[test]
    fn offsets_at_any_instant() {
        let zurich = Zone::load("Europe/Zurich").unwrap();
        assert_eq!(zurich.lookup(1_711_846_799), ("CET".to_owned(), 3_600));
        assert_eq!(zurich.lookup(1_711_846_800), ("CEST".to_owned(), 7_200));
        assert_eq!(zurich.lookup(i64::MIN), ("LMT".to_owned(), 2_048));
        assert!(matches!(zurich.lookup(i64::MAX).1, 3_600 | 7_200));
        // July 2024 and the same instant of the calendar 8000 years later.
        assert_eq!(zurich.lookup(1_720_000_000 + 20 * CYCLE), ("CEST".to_owned(), 7_200));
        assert_eq!(Zone::fixed("X", 60).lookup(5), ("X".to_owned(), 60));
    }

    #[test]
    fn abbreviations_prefer_what_is_in_force() {
        let york = Zone::load("America/New_York").unwrap();
        assert_eq!(york.offset_of_abbreviation("EDT", 1_720_000_000), Some(-14_400));
        assert_eq!(york.offset_of_abbreviation("EST", 1_720_000_000), Some(-18_000));
        assert_eq!(york.offset_of_abbreviation("CET", 1_720_000_000), None);
    }
}

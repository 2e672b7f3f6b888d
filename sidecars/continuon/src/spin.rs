//! `--spin-us N|auto|off`: how the loop waits for its release.

use std::str::FromStr;

/// Longest lead that can be asked for, in µs: half of the longest period.
const SPIN_US_MAX: u32 = 10_000;

/// What the caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpinChoice {
    /// Sleep until the release.
    Off,
    /// Wake early by as much as the wake-up latency was measured to be.
    Auto,
    /// Wake this many microseconds early.
    LeadUs(u32),
}

impl FromStr for SpinChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" | "0" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            number => match number.parse::<u32>() {
                Ok(lead_us) if lead_us <= SPIN_US_MAX => Ok(Self::LeadUs(lead_us)),
                _ => Err(format!(
                    "expected 0 to {SPIN_US_MAX} (µs, at most half the period), `auto` or `off`"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SpinChoice;

    #[test]
    fn spin_is_a_lead_in_microseconds_auto_or_off_and_nothing_else() {
        assert_eq!("50".parse(), Ok(SpinChoice::LeadUs(50)));
        assert_eq!("auto".parse(), Ok(SpinChoice::Auto));
        assert_eq!("off".parse(), Ok(SpinChoice::Off));
        assert_eq!("0".parse(), Ok(SpinChoice::Off));
        for wrong in ["", "-1", "10001", "Auto", "50us"] {
            assert!(wrong.parse::<SpinChoice>().is_err(), "{wrong}");
        }
    }
}

//! The figure and the limit behind a cause, out of the same cycle: "pilot: last good command 90 ms
//! old, limit 90 ms".
//!
//! Decides what is shown beside a cause; a cause whose figure no record holds has none. Tests: below.

use super::witness::Witness;
use super::words::{age, sources, stale_ns};
use super::{milliseconds, name, seconds};
use rt_wire::{
    Arrival, CommandFlags, Fault, HEARTBEAT_SOURCES, Limits, LineSet, OperatorKind, PulseFlags,
    Sign, Source, Telemetry, Validity,
};

/// What the recording shows of a cause.
pub(super) fn found(
    fault: Fault,
    record: &Telemetry,
    before: &Witness,
    limits: &Limits,
) -> Option<String> {
    let seen = Seen { record, before, limits };
    match fault {
        Fault::EstopLine => seen.estop_line(),
        Fault::EstopDiscrepancy => Some(format!(
            "the channels disagree for more than {:.0} ms",
            milliseconds(limits.estop_discrepancy_ns)
        )),
        Fault::EstopOperator => Some(format!("asked by user {}", record.inbox.estop.uid)),
        Fault::EstopSource => seen.estop_source(),
        Fault::LateGross => Some(format!(
            "woke {:.1} ms after its release, the cycle before ran for {:.1} ms, limit {:.1} ms",
            milliseconds(record.release.woke_at.since(record.release.release_time)),
            milliseconds(
                record.release.previous_finished_at.since(record.release.previous_woke_at)
            ),
            milliseconds(limits.neutral_after_ns)
        )),
        Fault::Overload => Some(seen.overload()),
        Fault::OwnerStale => seen.owner_stale(),
        Fault::OwnerReleased => Some(seen.owner_released()),
        Fault::OwnerImplausible => Some(format!(
            "{}: refused in this cycle; heartbeat {}",
            before.owner(),
            seen.sign(before.owner().index())
        )),
        Fault::HeartbeatLost => Some(seen.heartbeats_lost()),
        Fault::DisarmRequested => seen.disarm(),
        Fault::TemperatureHigh => {
            seen.celsius(limits.temperature_high_milli_c, limits.temperature_dwell_ns)
        }
        Fault::TemperatureCritical => seen.celsius(limits.temperature_critical_milli_c, 0),
        Fault::BatteryLow => seen.volts(limits.battery_low_mv, limits.battery_dwell_ns),
        Fault::BatteryCritical => seen.volts(limits.battery_critical_mv, 0),
        Fault::Undervoltage => Some(format!(
            "the firmware reports {:#x} for longer than {:.1} s",
            record.observation.power.throttled,
            seconds(limits.undervoltage_dwell_ns)
        )),
        Fault::ImuOutlier => Some(format!(
            "acceleration {:.1?} m/s², limit {:.1} m/s²",
            record.observation.imu.accel_m_per_s2,
            f64::from(limits.imu_max_mm_per_s2) * 1e-3
        )),
        Fault::DriveWrite => Some(format!(
            "{} failed writes in a row, limit 2",
            record.observation.drive_error_count
        )),
        Fault::RelayFeedback => Some(seen.relay()),
        Fault::MajorPageFault => {
            Some(format!("{} since the seal, limit 0", record.inbox.housekeeping.major_faults))
        }
        Fault::Stall | Fault::Runaway => Some(format!(
            "wheel {:.2} m/s, throttle pulse {} µs",
            record.observation.wheel.speed_m_per_s,
            before.previous.map_or(0, |outcome| outcome.pulses.throttle.0)
        )),
        // The rest say all they know in their meaning.
        _ => None,
    }
}

/// One cycle and what was known before it.
struct Seen<'a> {
    record: &'a Telemetry,
    before: &'a Witness,
    limits: &'a Limits,
}

impl Seen<'_> {
    fn sign(&self, place: Option<usize>) -> String {
        let sign = place.and_then(|place| self.record.outcome.signs.get(place));
        sign.map_or_else(|| "unknown".to_owned(), |sign| name(*sign))
    }

    fn estop_line(&self) -> Option<String> {
        let lines = self.record.observation.lines;
        if lines.validity.get() != Some(Validity::Valid) {
            return Some("the lines cannot be read, which counts as open".to_owned());
        }
        let open: Vec<&str> = [(LineSet::ESTOP_A_OPEN, "A"), (LineSet::ESTOP_B_OPEN, "B")]
            .into_iter()
            .filter(|(bit, _)| lines.set.has(*bit))
            .map(|(_, name)| name)
            .collect();
        (!open.is_empty()).then(|| format!("channel {} of the loop is open", open.join(" and ")))
    }

    fn estop_source(&self) -> Option<String> {
        let asks = |place: &usize| {
            self.record.inbox.commands.get(*place).is_some_and(|inbox| {
                inbox.arrival.get() == Some(Arrival::New)
                    && inbox.command.flags.has(CommandFlags::ESTOP)
            })
        };
        let names: Vec<&str> =
            sources().filter(|(place, _)| asks(place)).map(|(_, source)| source.name()).collect();
        (!names.is_empty()).then(|| format!("asked by {}", names.join(" and ")))
    }

    fn overload(&self) -> String {
        let mut with_this = self.before.clone();
        with_this.add(self.record);
        let (in_a_row, in_window) = with_this.late_events();
        format!(
            "{in_a_row} late events in a row, limit {}; {in_window} in the last {} cycles, limit {}",
            self.limits.late_consecutive,
            rt_wire::LATE_WINDOW_CYCLES,
            self.limits.late_per_1000
        )
    }

    /// The source that drove, or that would have owned had it been fresh.
    fn owner_stale(&self) -> Option<String> {
        let owned = self.before.owner();
        let source = if owned == Source::None { self.record.outcome.owner.get()? } else { owned };
        let good = self.before.good_of(source);
        let age_ns = age(self.record, self.before, source);
        let (Some(good), Some(age_ns)) = (good, age_ns) else {
            return Some(format!("{source}: it never sent a good command"));
        };
        let limit_ns = stale_ns(self.limits, source);
        let mut words = format!(
            "{source}: last good command {:.1} ms old, limit {:.0} ms",
            milliseconds(age_ns),
            milliseconds(limit_ns)
        );
        let now = self.record.mono_ns;
        let command = good.command;
        if command.expires_at <= now {
            words.push_str(&format!(
                "; but it was valid for {:.0} ms only, which ran out {:.1} ms ago",
                milliseconds(command.expires_at.since(command.mono_ns)),
                milliseconds(now.since(command.expires_at))
            ));
        }
        let silent = source.index().and_then(|place| self.before.silent_ns(place, now));
        words.push_str(&format!("; heartbeat {}", self.sign(source.index())));
        if let Some(silent_ns) = silent {
            words.push_str(&format!(", silent for {:.0} ms", milliseconds(silent_ns)));
        }
        Some(words)
    }

    fn owner_released(&self) -> String {
        match self.before.owner() {
            Source::None => "nobody claims authority".to_owned(),
            owner => format!("{owner}: its newest command no longer claims authority"),
        }
    }

    fn heartbeats_lost(&self) -> String {
        let lost: Vec<String> = HEARTBEAT_SOURCES
            .iter()
            .enumerate()
            .filter(|(place, _)| self.limits.heartbeats_required >> place & 1 != 0)
            .filter_map(|(place, name)| match self.record.outcome.signs.get(place)?.get()? {
                Sign::Never => Some(format!("{name}: never heard")),
                Sign::Lost => Some(format!(
                    "{name}: silent for {:.0} ms, limit {:.0} ms",
                    milliseconds(self.before.silent_ns(place, self.record.mono_ns)?),
                    milliseconds(self.limits.heartbeat_lost_ns)
                )),
                Sign::OnTime | Sign::Late => None,
            })
            .collect();
        if lost.is_empty() { "a required sidecar".to_owned() } else { lost.join("; ") }
    }

    fn disarm(&self) -> Option<String> {
        let mut who = Vec::new();
        let lines = self.record.observation.lines;
        if lines.validity.get() == Some(Validity::Valid) && lines.set.has(LineSet::DISARM_PRESSED) {
            who.push("the disarm button".to_owned());
        }
        let operator = self.record.inbox.operator;
        if operator.sequence != self.before.operator_sequence
            && operator.kind.get() == Some(OperatorKind::Disarm)
        {
            who.push(format!("user {}, over the operator socket", operator.uid));
        }
        let teleop = Source::Teleop.index().and_then(|place| self.record.inbox.commands.get(place));
        if teleop.is_some_and(|inbox| {
            inbox.arrival.get() == Some(Arrival::New)
                && inbox.command.flags.has(CommandFlags::DISARM)
        }) {
            who.push("teleop".to_owned());
        }
        (!who.is_empty()).then(|| format!("asked by {}", who.join(" and ")))
    }

    fn celsius(&self, limit_milli_c: i32, dwell_ns: u64) -> Option<String> {
        Some(format!(
            "{:.1} °C, limit {:.1} °C{}",
            self.record.observation.temperature.celsius,
            f64::from(limit_milli_c) * 1e-3,
            dwelt(dwell_ns)
        ))
    }

    fn volts(&self, limit_mv: u32, dwell_ns: u64) -> Option<String> {
        Some(format!(
            "{:.2} V, limit {:.2} V{}",
            self.record.observation.battery.volts,
            f64::from(limit_mv) * 1e-3,
            dwelt(dwell_ns)
        ))
    }

    fn relay(&self) -> String {
        let closed = self.record.observation.lines.set.has(LineSet::RELAY_CLOSED);
        let commanded =
            self.before.previous.is_some_and(|before| before.pulses.flags.has(PulseFlags::RELAY));
        let on = |on: bool| if on { "on" } else { "off" };
        format!("commanded {}, its contact says {}", on(commanded), on(closed))
    }
}

fn dwelt(dwell_ns: u64) -> String {
    if dwell_ns == 0 {
        String::new()
    } else {
        format!(", for longer than {:.1} s", seconds(dwell_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::{Witness, found};
    use rt_wire::{
        Class, Command, Fault, Limits, LineSet, MonoNs, OperatorKind, Sign, Source, Telemetry,
        Validity,
    };

    const MS: u64 = 1_000_000;
    const PILOT: usize = 2;

    fn limits() -> Limits {
        rt_config::Robot::resolve("sim-donkey").expect("built in").limits()
    }

    /// The pilot drives at 1000 ms with a command of 998 ms that is valid for 80 ms.
    fn driven() -> Witness {
        let mut record = Telemetry { mono_ns: MonoNs(1000 * MS), ..Telemetry::default() };
        record.outcome.owner = Source::Pilot.into();
        record.outcome.classes[PILOT] = Class::GoodAsking.into();
        let made = MonoNs(998 * MS);
        record.inbox.commands[PILOT].command =
            Command::plain(7, made, made.plus(80 * MS), 0.1, 0.2);
        record.inbox.heartbeats[PILOT].sequence = 3;
        let mut witness = Witness::default();
        witness.add(&record);
        witness
    }

    fn at(ms: u64) -> Telemetry {
        let mut record = Telemetry { mono_ns: MonoNs(ms * MS), ..Telemetry::default() };
        record.outcome.signs[PILOT] = Sign::OnTime.into();
        record
    }

    fn words(fault: Fault, record: &Telemetry) -> String {
        found(fault, record, &driven(), &limits()).expect("a figure")
    }

    #[test]
    fn a_stale_owner_is_named_with_its_age_and_the_limit() {
        let told = words(Fault::OwnerStale, &at(1060));
        assert_eq!(
            told,
            "pilot: last good command 60.0 ms old, limit 90 ms; heartbeat on-time, silent for 60 ms"
        );
        let told = words(Fault::OwnerStale, &at(1090));
        assert!(told.contains("90.0 ms old, limit 90 ms"), "{told}");
        assert!(told.contains("valid for 80 ms only, which ran out 12.0 ms ago"), "{told}");
    }

    #[test]
    fn a_lost_heartbeat_is_named_only_where_it_is_required() {
        let mut record = at(1600);
        record.outcome.signs[PILOT] = Sign::Lost.into();
        let limits = Limits { heartbeats_required: 0b1100, ..limits() };
        let told = found(Fault::HeartbeatLost, &record, &driven(), &limits).expect("a figure");
        assert_eq!(told, "pilot: silent for 600 ms, limit 500 ms; rlds-logger: never heard");
    }

    #[test]
    fn who_asked_is_told() {
        let mut record = at(1001);
        record.inbox.operator.sequence = 1;
        record.inbox.operator.uid = 1000;
        record.inbox.operator.kind = OperatorKind::Disarm.into();
        let told = words(Fault::DisarmRequested, &record);
        assert_eq!(told, "asked by user 1000, over the operator socket");
        record.observation.lines.set = LineSet::DISARM_PRESSED;
        record.observation.lines.validity = Validity::Valid.into();
        assert!(words(Fault::DisarmRequested, &record).contains("the disarm button and user 1000"));
    }

    #[test]
    fn lines_that_cannot_be_read_are_told_apart_from_an_open_loop() {
        let mut record = at(1001);
        assert!(words(Fault::EstopLine, &record).contains("cannot be read"));
        record.observation.lines.validity = Validity::Valid.into();
        record.observation.lines.set = LineSet::ESTOP_A_OPEN | LineSet::ESTOP_B_OPEN;
        assert_eq!(words(Fault::EstopLine, &record), "channel A and B of the loop is open");
    }

    #[test]
    fn readings_stand_beside_their_limits() {
        let mut record = at(1001);
        record.observation.battery.volts = 6.45;
        assert_eq!(
            words(Fault::BatteryLow, &record),
            "6.45 V, limit 6.60 V, for longer than 2.0 s"
        );
        record.observation.temperature.celsius = 90.0;
        assert_eq!(words(Fault::TemperatureCritical, &record), "90.0 °C, limit 88.0 °C");
        record.outcome.late = 1;
        let told = words(Fault::Overload, &record);
        assert!(told.starts_with("1 late events in a row, limit 20; 1 in the last 1000"), "{told}");
    }
}

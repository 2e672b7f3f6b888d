//! Monitors without a memory, or only a dwell: where their thresholds lie, over every class of
//! float.

use crate::support::{Dice, MS, limits};
use rt_control::monitors::wheel::Wheel;
use rt_control::monitors::{battery, housekeeping, imu, paging, supply, temperature, wheel};
use rt_wire::{
    Battery, Fault, FaultSet, Housekeeping, Imu, Limits, MonoNs, Power, Raw, Temperature, Validity,
    WheelSpeed,
};

const NOW: MonoNs = MonoNs(3000 * MS);
const ALL: [Validity; 3] = [Validity::Absent, Validity::Valid, Validity::Failed];

fn only(faults: &[Fault]) -> FaultSet {
    faults.iter().fold(FaultSet::EMPTY, |set, fault| set.and(*fault, true))
}

#[test]
fn a_battery_warns_then_counts_as_low_then_as_critical() {
    let mut limits = limits();
    limits.battery_dwell_ns = 0;
    use Fault::{BatteryCritical, BatteryLow, BatteryWarn};
    for (volts, expected) in [
        (8.4, &[][..]),
        (7.0, &[]),
        (f32::INFINITY, &[]),
        (6.999, &[BatteryWarn]),
        (6.601, &[BatteryWarn]),
        (6.599, &[BatteryWarn, BatteryLow]),
        (6.0, &[BatteryWarn, BatteryLow]),
        (5.999, &[BatteryWarn, BatteryLow, BatteryCritical]),
        (0.0, &[BatteryWarn, BatteryLow, BatteryCritical]),
        (f32::MIN_POSITIVE / 2.0, &[BatteryWarn, BatteryLow, BatteryCritical]),
        (-7.5, &[BatteryWarn, BatteryLow, BatteryCritical]),
        (f32::NAN, &[BatteryWarn, BatteryLow, BatteryCritical]),
        (f32::NEG_INFINITY, &[BatteryWarn, BatteryLow, BatteryCritical]),
    ] {
        for validity in ALL {
            let battery = Battery { volts, validity: Raw::new(validity), ..Battery::default() };
            let found = battery::causes(&mut MonoNs(0), &battery, NOW, &limits);
            let expected = if validity == Validity::Valid { only(expected) } else { only(&[]) };
            assert_eq!(found, expected, "{volts} V, {validity}");
        }
    }
}

#[test]
fn a_chip_warns_then_counts_as_hot_then_as_critical() {
    let mut limits = limits();
    limits.temperature_dwell_ns = 0;
    use Fault::{TemperatureCritical, TemperatureHigh, TemperatureWarm};
    for (celsius, expected) in [
        (-300.0, &[][..]),
        (f32::NEG_INFINITY, &[]),
        (74.999, &[]),
        (75.0, &[TemperatureWarm]),
        (81.999, &[TemperatureWarm]),
        (82.0, &[TemperatureWarm, TemperatureHigh]),
        (f32::NAN, &[TemperatureWarm, TemperatureHigh]),
        (88.0, &[TemperatureWarm, TemperatureHigh, TemperatureCritical]),
        (f32::INFINITY, &[TemperatureWarm, TemperatureHigh, TemperatureCritical]),
    ] {
        for validity in ALL {
            let reading =
                Temperature { celsius, validity: Raw::new(validity), ..Temperature::default() };
            let found = temperature::causes(&mut MonoNs(0), &reading, NOW, &limits);
            let expected = if validity == Validity::Valid { only(expected) } else { only(&[]) };
            assert_eq!(found, expected, "{celsius} C, {validity}");
        }
    }
}

#[test]
fn each_bit_of_the_firmwares_word_means_what_it_says() {
    let mut limits = limits();
    limits.undervoltage_dwell_ns = 0;
    for bit in 0..32 {
        for validity in ALL {
            let power =
                Power { throttled: 1 << bit, validity: Raw::new(validity), ..Power::default() };
            let found = supply::causes(&mut MonoNs(0), &power, NOW, &limits);
            let expected = match bit {
                _ if validity != Validity::Valid => only(&[]),
                0 => only(&[Fault::Undervoltage]),
                16..=19 => only(&[Fault::UndervoltageSeen]),
                _ => only(&[]),
            };
            assert_eq!(found, expected, "bit {bit}, {validity}");
        }
    }
}

#[test]
fn page_faults_warn_if_minor_and_stop_if_major() {
    for (minor, major) in [(0, 0), (1, 0), (0, 1), (u64::MAX, u64::MAX)] {
        let word =
            Housekeeping { minor_faults: minor, major_faults: major, ..Housekeeping::default() };
        let found = paging::causes(&word);
        assert_eq!(found.contains(Fault::MinorPageFault), minor > 0);
        assert_eq!(found.contains(Fault::MajorPageFault), major > 0);
        assert_eq!(found.stops(), major > 0);
    }
}

fn acceleration(accel_m_per_s2: [f32; 3]) -> Imu {
    Imu { accel_m_per_s2, validity: Raw::new(Validity::Valid), ..Imu::default() }
}

#[test]
fn an_acceleration_is_judged_by_its_magnitude() {
    let limits = limits();
    for (axes, outlier) in [
        ([159.9, 0.0, 0.0], false),
        ([160.0, 0.0, 0.0], true),
        ([0.0, -160.0, 0.0], true),
        // 92.38² × 3 is just above 160², though no axis is.
        ([92.37, -92.37, 92.37], false),
        ([92.38, -92.38, 92.38], true),
        ([f32::MAX, f32::MIN, f32::MAX], true),
        ([0.0, f32::NAN, 0.0], true),
        ([0.0, 0.0, f32::NEG_INFINITY], true),
        ([f32::MIN_POSITIVE / 4.0, 0.0, 9.81], false),
    ] {
        assert_eq!(imu::is_outlier(&acceleration(axes), &limits), outlier, "{axes:?}");
        for validity in [Validity::Absent, Validity::Failed] {
            let silent = Imu { validity: Raw::new(validity), ..acceleration(axes) };
            assert!(!imu::is_outlier(&silent, &limits));
        }
    }
    // No limit is so high that what is no number passes.
    let boundless = Limits { imu_max_mm_per_s2: u32::MAX, ..limits };
    for (axis, outlier) in [(f32::NAN, true), (f32::INFINITY, true), (f32::MAX, true), (9e5, false)]
    {
        assert_eq!(imu::is_outlier(&acceleration([axis, 0.0, 0.0]), &boundless), outlier, "{axis}");
    }
    let dice = &mut Dice(3);
    for _ in 0..20_000 {
        let axes = [(); 3].map(|()| (dice.below(400_000) as f32 - 200_000.0) / 1000.0);
        let magnitude = axes.iter().map(|axis| f64::from(*axis).powi(2)).sum::<f64>().sqrt();
        if (magnitude - 160.0).abs() > 0.01 {
            assert_eq!(imu::is_outlier(&acceleration(axes), &limits), magnitude > 160.0);
        }
        let bits = [(); 3].map(|()| f32::from_bits(u32::try_from(dice.next() >> 32).unwrap()));
        let sane = bits.iter().all(|axis| axis.abs() < 92.0);
        assert!(
            sane || imu::is_outlier(&acceleration(bits), &limits)
                || bits.iter().all(|axis| axis.abs() < 160.0)
        );
    }
}

#[test]
fn a_wheel_speed_is_a_magnitude_or_nothing() {
    let read = |speed_m_per_s, validity| {
        wheel::read(&WheelSpeed {
            speed_m_per_s,
            validity: Raw::new(validity),
            ..WheelSpeed::default()
        })
    };
    for (speed, expected) in [
        (0.0, Wheel::MmPerS(0)),
        (-0.0, Wheel::MmPerS(0)),
        (f32::MIN_POSITIVE / 2.0, Wheel::MmPerS(0)),
        (1.5, Wheel::MmPerS(1500)),
        (-1.5, Wheel::MmPerS(1500)),
        (f32::MAX, Wheel::MmPerS(u32::MAX)),
        (f32::MIN, Wheel::MmPerS(u32::MAX)),
        (f32::NAN, Wheel::Garbage),
        (f32::INFINITY, Wheel::Garbage),
        (f32::NEG_INFINITY, Wheel::Garbage),
    ] {
        assert_eq!(read(speed, Validity::Valid), expected, "{speed}");
        assert_eq!(read(speed, Validity::Absent), Wheel::Unknown);
        assert_eq!(read(speed, Validity::Failed), Wheel::Unknown);
    }
}

#[test]
fn housekeeping_is_silent_from_a_second_after_its_newest_word_on_and_not_before_the_first() {
    const SECOND_NS: u64 = 1000 * MS;
    for (sequence, made_at, silent) in [
        (0, NOW.0, false),
        (0, 0, false),
        (1, NOW.0, false),
        (1, NOW.0 - SECOND_NS + 1, false),
        (1, NOW.0 - SECOND_NS, false),
        (1, NOW.0 - SECOND_NS - 1, true),
        (1, 0, true),
        (u64::MAX, 0, true),
        // Made between the wake-up and the copy.
        (7, NOW.0 + 1, false),
    ] {
        let word = Housekeeping { sequence, mono_ns: MonoNs(made_at), ..Housekeeping::default() };
        assert_eq!(housekeeping::is_silent(&word, NOW), silent, "{word:?}");
    }
}

//! Records: no padding, whole words, hashes that see every change, checked conversions, one table.

#[path = "support/layout_text.rs"]
mod layout_text;

use rt_wire::{
    Class, Command, Fault, FaultSet, Field, Interlock, InterlockSet, Limits, Mode, Raw, RawEnum,
    Record, Rule, RuleSet, SOURCES, Severity, Source, Telemetry, layout_hash, topics,
};
use std::collections::HashSet;

#[test]
fn every_record_is_whole_words_without_padding() {
    for topic in topics::all() {
        assert_eq!(topic.record_bytes % 8, 0, "{}", topic.type_name);
        let mut end = 0;
        for field in topic.fields {
            assert_eq!(field.offset, end, "a hole before {}.{}", topic.type_name, field.name);
            end = field.offset + field.size;
        }
        assert_eq!(end, topic.record_bytes, "a hole at the end of {}", topic.type_name);
    }
}

#[test]
fn layout_hash_changes_with_a_name_an_offset_a_size_or_an_inner_field() {
    const INNER_A: &[Field] =
        &[Field { name: "x", offset: 0, size: 4, type_name: "f32", count: 1, fields: &[] }];
    const INNER_B: &[Field] =
        &[Field { name: "y", offset: 0, size: 4, type_name: "f32", count: 1, fields: &[] }];
    let base = Field { name: "a", offset: 0, size: 8, type_name: "u64", count: 1, fields: &[] };
    let variants = [
        layout_hash("R", &[base]),
        layout_hash("S", &[base]),
        layout_hash("R", &[Field { name: "b", ..base }]),
        layout_hash("R", &[Field { offset: 8, ..base }]),
        layout_hash("R", &[Field { size: 4, ..base }]),
        layout_hash("R", &[Field { type_name: "i64", ..base }]),
        layout_hash("R", &[Field { count: 2, ..base }]),
        layout_hash("R", &[Field { fields: INNER_A, ..base }]),
        layout_hash("R", &[Field { fields: INNER_B, ..base }]),
        layout_hash("R", &[base, base]),
    ];
    let distinct: HashSet<_> = variants.iter().collect();
    assert_eq!(distinct.len(), variants.len());
}

#[test]
fn no_number_but_its_own_becomes_an_enum_value() {
    fn check<E: RawEnum + PartialEq + std::fmt::Debug>(all: &[E]) {
        let known: HashSet<u32> = all.iter().map(|value| value.to_raw()).collect();
        assert_eq!(known.len(), all.len());
        for raw in (0..1000).chain([u32::MAX, u32::MAX / 2, 1 << 16, 1 << 31]) {
            match Raw::<E>::from_bits(raw).get() {
                Some(value) => assert_eq!(value.to_raw(), raw),
                None => assert!(!known.contains(&raw)),
            }
        }
    }
    check(Mode::ALL);
    check(Source::ALL);
    check(Class::ALL);
    check(Severity::ALL);
    check(Rule::ALL);
}

#[test]
fn each_fault_has_its_own_bit_name_meaning_and_mend() {
    let (mut names, mut sentences) = (HashSet::new(), HashSet::new());
    let mut bits = 0_u64;
    for fault in Fault::ALL {
        assert!(names.insert(fault.name()));
        for text in [fault.meaning(), fault.mend()] {
            assert!(is_a_sentence(text), "{fault:?}: {text}");
            assert!(sentences.insert(text), "said twice: {text}");
        }
        assert_eq!(bits & FaultSet::of(*fault).0, 0);
        bits |= FaultSet::of(*fault).0;
        assert_eq!(FaultSet::of(*fault).faults().collect::<Vec<_>>(), [*fault]);
    }
}

fn is_a_sentence(text: &str) -> bool {
    text.starts_with(|first: char| first.is_uppercase())
        && text.ends_with('.')
        && text.split_whitespace().count() > 2
}

#[test]
fn each_interlock_says_what_it_means_and_what_mends_it() {
    let mut meanings = HashSet::new();
    for interlock in Interlock::ALL {
        assert!(is_a_sentence(interlock.meaning()) && is_a_sentence(interlock.mend()));
        assert!(meanings.insert(interlock.meaning()), "said twice: {}", interlock.meaning());
    }
}

#[test]
fn the_five_base_rules_halt_and_nothing_else_is_one() {
    let rules: Vec<_> = Fault::ALL
        .iter()
        .filter_map(|fault| Some((fault.base_rule()?, *fault, fault.severity())))
        .collect();
    assert_eq!(
        rules,
        [
            ("thermal_critical", Fault::TemperatureCritical, Severity::Estop),
            ("power_critical", Fault::BatteryCritical, Severity::Estop),
            ("servo_fault", Fault::DriveWrite, Severity::Fatal),
            ("imu_outlier", Fault::ImuOutlier, Severity::Stop),
            ("camera_lost", Fault::CameraLost, Severity::Stop),
        ]
    );
}

#[test]
fn every_severity_but_a_warning_stops_and_severities_share_no_fault() {
    let mut all = FaultSet::EMPTY;
    for severity in Severity::ALL {
        let of = FaultSet(u64::MAX).of_severity(*severity);
        assert_eq!(of.0 & all.0, 0);
        assert_eq!(of.stops(), *severity != Severity::Warning);
        assert!(of.faults().all(|fault| fault.severity() == *severity));
        all |= of;
    }
    assert_eq!(all.faults().count(), Fault::ALL.len());
}

#[test]
fn rule_and_interlock_bits_agree_with_their_tables() {
    for (index, name) in RuleSet(u32::MAX).names().enumerate() {
        let rule = Rule::from_raw(index as u32).expect("a rule for each bit");
        assert_eq!(rule.name().replace('-', "_").to_uppercase(), name);
    }
    assert_eq!(RuleSet(u32::MAX).names().count(), Rule::ALL.len());
    for (interlock, name) in Interlock::ALL.iter().zip(InterlockSet(u32::MAX).names()) {
        assert_eq!(interlock.name().replace('-', "_").to_uppercase(), name);
    }
    assert_eq!(InterlockSet(u32::MAX).names().count(), Interlock::ALL.len());
}

#[test]
fn each_segment_has_a_name_of_its_own_and_one_writer() {
    let mut names = HashSet::new();
    for topic in topics::all() {
        let mut name = String::new();
        topic.write_name("donkey", &mut name).expect("a String takes any text");
        assert_eq!(name.split('.').count(), 4, "{name}");
        assert!(!topic.readers.contains(&topic.writer), "{name}");
        assert!(topic.depth.is_power_of_two());
        assert!(names.insert(name));
    }
}

#[test]
fn sources_are_ranked_teleop_pilot_inference() {
    let mut ranked = SOURCES;
    ranked.sort_by_key(|source| std::cmp::Reverse(source.rank()));
    assert_eq!(ranked, [Source::Teleop, Source::Pilot, Source::Inference]);
    for (index, source) in SOURCES.iter().enumerate() {
        assert_eq!(source.index(), Some(index));
        assert_eq!(topics::COMMANDS[index].writer, source.name());
    }
    for (index, name) in rt_wire::HEARTBEAT_SOURCES.iter().enumerate() {
        assert_eq!(topics::HEARTBEATS[index].writer, *name);
    }
}

#[test]
fn layouts_are_as_the_snapshot_says() {
    let snapshot = include_str!("snapshots/layout.txt");
    assert!(
        layout_text::text() == snapshot,
        "layouts changed: read `cargo run -p rt-wire --example layout`, then `cargo xtask fix`"
    );
}

#[test]
fn command_keeps_its_shape_for_good() {
    assert_eq!(std::mem::size_of::<Command>(), 184);
    assert_eq!(Command::FIELDS[0].name, "sequence");
    assert!(std::mem::size_of::<Telemetry>() <= 1536);
    assert!(std::mem::size_of::<Limits>() <= 256);
}

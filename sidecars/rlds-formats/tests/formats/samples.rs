//! The files of the existing Continuon programs, where they are at hand; they are not ours to ship.

use crate::common::steps_of;
use flate2::Compression;
use flate2::write::GzEncoder;
use rlds_formats::export::Fate;
use rlds_formats::import::import;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// `CONTINUON_RLDS_SAMPLES` names their directory.
fn place() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/rlds-samples");
    let place =
        std::env::var_os("CONTINUON_RLDS_SAMPLES").map_or(PathBuf::from(beside), PathBuf::from);
    if place.is_dir() {
        return Some(place);
    }
    let place = place.display();
    eprintln!("SKIPPED: {place} is not here (CONTINUON_RLDS_SAMPLES names another place)");
    None
}

#[test]
fn samples_of_the_existing_programs_are_imported() {
    let Some(place) = place() else { return };
    let temp = tempfile::tempdir().expect("a directory");
    let names = ["sample_pi5_mock.tfrecord", "autonomous_learning_1"];
    let paths: Vec<PathBuf> = names.iter().map(|name| place.join(name)).collect();
    let imported = import(&paths, temp.path(), &mut |_| {}).expect("a disk with room");
    assert!(imported.told.iter().all(|one| one.fate == Fate::Written), "{:?}", imported.told);
    let of_record = steps_of(&temp.path().join("sample_pi5_mock"));
    assert_eq!(of_record.len(), 2);
    assert_eq!(of_record[0].action.command, [0.2, 0.1]);
    assert_eq!(of_record[0].observation.diagnostics.ble_rssi, -50);
    let of_directory = steps_of(&temp.path().join("autonomous_learning_1"));
    assert_eq!(of_directory[0].step_metadata["is_stable"], "True");
    assert_eq!(of_directory[0].step_metadata["action.kind"], "autonomous_learning_tick");
    assert!(of_directory[0].step_metadata["import.filled"].contains("action.command"));
    // Packed, it is the same episode.
    let packed = tempfile::tempdir().expect("a directory");
    let plain = fs::read(&paths[0]).expect("the sample");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).expect("memory");
    let ours = packed.path().join("sample_pi5_mock.tfrecord.gz");
    fs::write(&ours, encoder.finish().expect("memory")).expect("a disk with room");
    let to = packed.path().join("episodes");
    import(&[ours], &to, &mut |_| {}).expect("room");
    assert_eq!(steps_of(&to.join("sample_pi5_mock")), of_record);
}

/// As shipped it is an empty gzip member laid over the first bytes of the plain file.
#[test]
fn sample_that_was_shipped_broken_is_skipped_by_name_and_nothing_else_is() {
    let Some(place) = place() else { return };
    let temp = tempfile::tempdir().expect("a directory");
    let imported = import(&[place], temp.path(), &mut |_| {}).expect("room");
    let skipped: Vec<_> = imported.told.iter().filter(|one| one.fate == Fate::Skipped).collect();
    let [broken] = skipped.as_slice() else { panic!("{:?}", imported.told) };
    assert!(broken.source.ends_with("sample_pi5_mock.tfrecord.gz"), "{broken:?}");
    assert!(broken.why.contains("gzip"), "{broken:?}");
    assert_eq!(imported.told.iter().filter(|one| one.fate == Fate::Written).count(), 2);
}

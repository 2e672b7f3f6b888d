//! The files of the existing Continuon programs, where they are at hand; they are not ours to ship.

use crate::common::steps_of;
use rlds_formats::export::Fate;
use rlds_formats::import::import;
use std::path::PathBuf;

/// `CONTINUON_RLDS_SAMPLES` names their directory.
#[test]
fn samples_of_the_existing_programs_are_imported() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/rlds-samples");
    let place =
        std::env::var_os("CONTINUON_RLDS_SAMPLES").map_or(PathBuf::from(beside), PathBuf::from);
    if !place.is_dir() {
        eprintln!(
            "SKIPPED: {} is not here (CONTINUON_RLDS_SAMPLES names another place)",
            place.display()
        );
        return;
    }
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
    import(&[place.join("sample_pi5_mock.tfrecord.gz")], packed.path(), &mut |_| {}).expect("room");
    assert_eq!(steps_of(&packed.path().join("sample_pi5_mock")), of_record);
}

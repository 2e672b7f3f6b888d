//! What rotation deletes, and above all what it does not.

mod common;

use common::{about, cycle};
use rlds::{About, Closing, EpisodeWriter, KEEP};
use rlds_logger::{ROTATED, Rotated, RotationRules, rotate};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const DAY_MS: i64 = 86_400_000;
/// Noon of some day in 2026.
const NOW_MS: i64 = 1_795_000_000_000;

/// An episode that began so many days ago, still open.
fn open(dir: &Path, days: i64) -> EpisodeWriter {
    let about = About { start_unix_ms: NOW_MS - days * DAY_MS, ..about() };
    let mut episode = EpisodeWriter::create(dir, about, b"{}").unwrap();
    (1..=200).for_each(|n| episode.telemetry(n, &cycle(n)));
    episode
}

fn closed(dir: &Path, days: i64) -> PathBuf {
    open(dir, days).finish(Closing::Clean, "").path
}

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => bytes(&entry.path()),
            false => entry.metadata().unwrap().len(),
        })
        .sum()
}

fn names(dir: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn by_age(days: i64) -> RotationRules {
    RotationRules { keep_ms: Some(days * DAY_MS), keep_bytes: None }
}

fn by_size(keep_bytes: u64) -> RotationRules {
    RotationRules { keep_ms: None, keep_bytes: Some(keep_bytes) }
}

#[test]
fn without_a_rule_nothing_goes() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 20_000);
    let before = names(dir.path());
    assert_eq!(rotate(dir.path(), RotationRules::default(), NOW_MS), Rotated::default());
    assert_eq!(names(dir.path()), before);
}

#[test]
fn what_is_older_goes_and_what_is_not_stays() {
    let dir = tempfile::tempdir().unwrap();
    let old = [closed(dir.path(), 40), closed(dir.path(), 31)];
    let young = [closed(dir.path(), 29), closed(dir.path(), 0)];
    let size: u64 = old.iter().map(|path| bytes(path)).sum();
    let rotated = rotate(dir.path(), by_age(30), NOW_MS);
    assert_eq!(rotated, Rotated { episodes: 2, bytes: size, over_bytes: 0 });
    assert_eq!(names(dir.path()), young.into(), "nothing is left of the others");
}

#[test]
fn of_too_much_the_oldest_goes_first_and_no_more_than_must() {
    let dir = tempfile::tempdir().unwrap();
    let all = [5, 4, 3, 2].map(|days| closed(dir.path(), days));
    let room = bytes(&all[1]) + bytes(&all[2]) + bytes(&all[3]);
    assert_eq!(rotate(dir.path(), by_size(room), NOW_MS).episodes, 1);
    assert_eq!(names(dir.path()), all[1..].iter().cloned().collect());
}

#[test]
fn kept_and_running_and_strange_folders_stay_however_old_and_large_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let kept = closed(dir.path(), 90);
    fs::write(kept.join(KEEP), "").unwrap();
    let running = open(dir.path(), 80);
    // Locked by somebody who checks it, and closed.
    let locked = closed(dir.path(), 70);
    let lock = fs::File::open(rlds::recording_path(&locked)).unwrap();
    assert!(lock.try_lock().is_ok());
    // Its recorder was killed: it is put in order first.
    let unclosed = open(dir.path(), 60).path().to_owned();
    let stranger = dir.path().join("photos");
    fs::create_dir_all(stranger.join("steps")).unwrap();
    fs::write(stranger.join("metadata.json"), "{}").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = closed(elsewhere.path(), 50);
    std::os::unix::fs::symlink(&linked, dir.path().join("ep_link")).unwrap();
    let file = dir.path().join("ep_file");
    fs::write(&file, "no folder").unwrap();
    let before = names(dir.path());
    let rules = RotationRules { keep_ms: Some(1), keep_bytes: Some(1) };
    let rotated = rotate(dir.path(), rules, NOW_MS);
    assert_eq!((rotated.episodes, rotated.bytes), (0, 0));
    assert!(rotated.over_bytes > 0, "what could not go is told");
    assert_eq!(names(dir.path()), before);
    assert!(linked.is_dir() && unclosed.is_dir() && running.path().is_dir());
    // What stops it from going is gone.
    drop(lock);
    fs::remove_file(kept.join(KEEP)).unwrap();
    assert_eq!(rotate(dir.path(), rules, NOW_MS).episodes, 2);
}

#[test]
fn clock_that_was_never_set_makes_nothing_old() {
    let dir = tempfile::tempdir().unwrap();
    // 1970, as a computer without a battery has it.
    let unset = closed(dir.path(), NOW_MS / DAY_MS);
    rotate(dir.path(), by_age(30), NOW_MS);
    assert!(unset.is_dir());
}

#[test]
fn episode_that_cannot_be_deleted_whole_is_none_where_people_look() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path(), 40);
    let left = dir.path().join(ROTATED).join(path.file_name().unwrap());
    // As a power cut leaves it: moved, and half of it gone.
    fs::create_dir(dir.path().join(ROTATED)).unwrap();
    fs::rename(&path, &left).unwrap();
    fs::remove_file(left.join("episode.json")).unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(!rlds::validate::is_episode(&dir.path().join(ROTATED)));
    assert_eq!(rlds_logger::recover_all(dir.path()), 0, "nobody puts it in order");
    rotate(dir.path(), RotationRules::default(), NOW_MS);
    assert!(names(dir.path()).is_empty(), "the next start deletes it");
}

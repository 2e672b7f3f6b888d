//! The contract's directory and the recording: carried as they are.

use crate::common::{episode, files, jpeg, metadata, run, step, steps_of, write_episode};
use rlds::schema::Owner;
use rlds_formats::export::{Fate, Format, Options};
use std::fs;

#[test]
fn pictures_are_carried_byte_for_byte_and_steps_to_the_letter() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 6, true);
    let before = files(&path);
    let to = temp.path().join("out");
    let told = run(Format::Dir, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!((told[0].fate, told[0].steps), (Fate::Written, 6));
    assert_eq!(steps_of(&to.join("ep_1")), steps_of(&path));
    for index in 0..6 {
        let picture = fs::read(to.join(format!("ep_1/blobs/{index:06}.jpg"))).expect("a picture");
        assert_eq!(picture, jpeg(index));
    }
    assert_eq!(files(&path), before, "the source was touched");
    assert_eq!(run(Format::Dir, &[path], &to, &Options::default())[0].fate, Fate::Kept);
}

#[test]
fn depth_and_sound_are_carried_under_their_names() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 2, true);
    let mut steps = steps_of(&path);
    let media = steps[1].observation.media.as_mut().expect("a picture");
    let rgb = media.rgb.clone().expect("a picture");
    media.depth = Some(rlds::schema::MediaRef {
        uri: "blobs/depth/1.png".to_owned(),
        format: "png".to_owned(),
        units: "mm".to_owned(),
        ..rgb
    });
    let duration_ms = 50;
    write_episode(&path, &rlds::schema::Metadata { duration_ms, ..metadata("ep_1") }, &steps);
    fs::create_dir(path.join("blobs/depth")).expect("a directory");
    fs::write(path.join("blobs/depth/1.png"), b"far away").expect("a file");
    let to = temp.path().join("out");
    let told = run(Format::Dir, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Written, "{told:?}");
    assert_eq!(steps_of(&to.join("ep_1")), steps);
    assert_eq!(fs::read(to.join("ep_1/blobs/depth/1.png")).expect("a file"), b"far away");
}

#[test]
fn whose_it_is_stays_on_the_robot() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("ep_1");
    let owner = Owner { display_name: "Ada".to_owned(), ..Owner::default() };
    let owned = rlds::schema::Metadata { owner: Some(owner), ..metadata("ep_1") };
    write_episode(&path, &owned, &[step(0, 1, false)]);
    for format in [Format::Dir, Format::Tfds, Format::Tfrecord, Format::Bundle] {
        let to = temp.path().join(format!("{format:?}"));
        assert_eq!(
            run(format, std::slice::from_ref(&path), &to, &Options::default())[0].fate,
            Fate::Written
        );
        for (name, bytes) in files(&to) {
            assert!(!bytes.windows(3).any(|part| part == b"Ada"), "{format:?}: {name}");
        }
    }
}

#[test]
fn recording_that_is_none_is_refused_and_one_with_its_end_copied() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 2, false);
    let recording = rlds::recording_path(&path);
    let magic = b"\x89MCAP0\r\n";
    fs::write(&recording, [&magic[..], b"half a chunk"].concat()).expect("a file");
    let to = temp.path().join("out");
    let told = run(Format::Mcap, std::slice::from_ref(&path), &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Skipped);
    assert!(told[0].why.contains("ep_1"), "{}", told[0].why);
    assert!(files(&to).is_empty());
    let whole = [&magic[..], b"chunks and a footer", &magic[..]].concat();
    fs::write(&recording, &whole).expect("a file");
    let told = run(Format::Mcap, &[path], &to, &Options::default());
    assert_eq!(told[0].fate, Fate::Written);
    assert_eq!(files(&to), [("ep_1.mcap".to_owned(), whole)].into());
}

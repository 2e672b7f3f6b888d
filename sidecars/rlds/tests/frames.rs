//! Pictures: kept byte for byte where any viewer finds them, and steps that stand on them.

mod common;

use common::{Disk, MS, ROBOT_JSON, START, about, cycle};
use rlds::schema::Step;
use rlds::{
    About, Closing, Entry, EpisodeReader, EpisodeWriter, Frame, RecordingReader, RecordingWriter,
    fsck,
};
use rt_wire::MonoNs;
use std::path::{Path, PathBuf};

/// The markers of a JPEG of 320 × 240 and some bytes that differ from picture to picture.
fn jpeg(n: u64) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 10];
    jpeg.extend_from_slice(&n.to_be_bytes());
    jpeg.extend_from_slice(&[0xff, 0xc0, 0, 11, 8, 0, 240, 1, 64, 1, 1, 0x11, 0]);
    jpeg.extend((0..2000_u64).map(|at| (at.wrapping_mul(n * 2 + 1) >> 3) as u8 & 0x7f));
    jpeg.extend_from_slice(&[0xff, 0xd9]);
    jpeg
}

/// Picture `n`, taken this long after the first record.
fn frame(n: u64, after_ns: u64) -> Frame {
    Frame::new(n, MonoNs(START + after_ns), format!("frame-{n}"), jpeg(n)).unwrap()
}

fn with_camera(every: u32) -> About {
    About { frames_per_step: every, ..about() }
}

/// A drive of a second at 1 kHz with 30 pictures a second; each comes 40 ms after it was taken.
fn drive(dir: &Path, every: u32) -> PathBuf {
    let mut episode = EpisodeWriter::create(dir, with_camera(every), ROBOT_JSON).unwrap();
    let mut next = 0;
    for n in 1..=1000 {
        episode.telemetry(n, &cycle(n));
        while next < 30 && taken_ns(next) + 40 * MS <= (n - 1) * MS {
            episode.frame(&frame(next, taken_ns(next)));
            next += 1;
        }
    }
    episode.finish(Closing::Clean, "").path
}

/// Not on a millisecond: the sensor has its own pace.
fn taken_ns(n: u64) -> u64 {
    n * 33_333_333 + 300_000
}

fn steps(path: &Path) -> Vec<Step> {
    let mut reader = EpisodeReader::open(path).unwrap();
    let mut steps = Vec::new();
    while let Some((_, step)) = reader.next_step().unwrap() {
        steps.push(step);
    }
    steps
}

#[test]
fn every_kth_picture_makes_a_step_with_the_nearest_telemetry_however_late_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = drive(dir.path(), 3);
    let steps = steps(&path);
    assert_eq!(steps.len(), 10);
    for (index, step) in steps.iter().enumerate() {
        let n = index as u64 * 3;
        let rgb = step.observation.media.as_ref().unwrap().rgb.as_ref().unwrap();
        assert_eq!(rgb.uri, format!("blobs/recording.mcap#frames/{n}"));
        assert_eq!(rgb.timestamp_ns, i64::try_from(START + taken_ns(n)).unwrap());
        assert_eq!((rgb.width, rgb.height, rgb.format.as_str()), (320, 240, "jpeg"));
        let state = &step.observation.robot_state;
        assert!(
            (state.timestamp_nanos - rgb.timestamp_ns).abs() <= 500_000,
            "the nearest at 1 kHz"
        );
        let frame_id = format!("frame-{n}");
        assert_eq!(step.observation.video_frame_id, frame_id);
        assert_eq!(step.observation.depth_frame_id, frame_id);
        assert_eq!(state.frame_id, frame_id);
        assert!(!step.step_metadata.contains_key("misaligned_ns"));
        let telemetry_at = u64::try_from(state.timestamp_nanos).unwrap() - START;
        let tick = (telemetry_at / MS + 1).to_string();
        assert_eq!(step.step_metadata["fast_loop_tick"], tick);
    }
    // The same whether made live or from the recording.
    assert_eq!(fsck::check(&path).unwrap().findings, []);
}

#[test]
fn frame_without_telemetry_near_it_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), with_camera(1), ROBOT_JSON).unwrap();
    episode.telemetry(1, &cycle(1));
    episode.telemetry_lapped(99);
    episode.frame(&frame(0, 5 * MS));
    episode.frame(&frame(1, 94 * MS));
    episode.frame(&frame(2, 60 * MS));
    episode.telemetry(101, &cycle(101));
    let path = episode.finish(Closing::Clean, "").path;
    let steps = steps(&path);
    let misaligned = |step: &Step| step.step_metadata.get("misaligned_ns").cloned();
    assert_eq!(misaligned(&steps[0]), None, "5 ms is still within");
    assert_eq!(misaligned(&steps[1]), Some("6000000".to_owned()));
    assert_eq!(misaligned(&steps[2]), Some("40000000".to_owned()));
    assert_eq!(steps[1].step_metadata["telemetry_lost"], "99");
}

#[test]
fn pictures_come_back_byte_for_byte_and_where_any_viewer_looks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = drive(dir.path(), 3);
    let bytes = std::fs::read(rlds::recording_path(&path)).unwrap();
    let mut n = 0;
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        if message.channel.topic == "donkey.camera.frames" {
            let schema = message.channel.schema.as_ref().unwrap();
            assert_eq!(
                (&*schema.name, &*schema.encoding),
                ("foxglove.CompressedImage", "protobuf")
            );
            assert_eq!(message.log_time, START + taken_ns(n));
            assert!(message.data.windows(jpeg(n).len()).any(|window| window == jpeg(n)));
            n += 1;
        }
    }
    assert_eq!(n, 29, "the last came after the end");
    let frames: Vec<Frame> =
        EpisodeReader::open(&path).unwrap().frames().unwrap().map(Result::unwrap).collect();
    let expected: Vec<Frame> = (0..29).map(|n| frame(n, taken_ns(n))).collect();
    assert_eq!(frames, expected);
}

#[test]
fn what_is_no_whole_jpeg_is_no_frame() {
    for wrong in [&b""[..], b"\x89PNG", &jpeg(1)[..100]] {
        assert_eq!(Frame::new(1, MonoNs(1), "f".to_owned(), wrong.to_vec()), None);
    }
}

#[test]
fn lost_pictures_are_counted_and_stand_where_they_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut episode = EpisodeWriter::create(dir.path(), with_camera(1), ROBOT_JSON).unwrap();
    episode.telemetry(1, &cycle(1));
    episode.frame(&frame(0, 0));
    episode.frames_lost(4);
    episode.frame(&frame(5, MS));
    let summary = episode.finish(Closing::Clean, "");
    assert_eq!((summary.note.frames, summary.note.frames_lost), (2, 4));
    assert_eq!(fsck::check(&summary.path).unwrap().findings, []);
    let entries: Vec<Entry> = RecordingReader::open(&rlds::recording_path(&summary.path))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| matches!(entry, Entry::Loss(_) | Entry::Frame(_)))
        .collect();
    let [Entry::Frame(_), Entry::Loss(loss), Entry::Frame(_)] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!((loss.before_sequence, loss.lost), (5, 4));
}

#[test]
fn descriptor_in_the_recording_is_one_that_protobuf_readers_take() {
    use prost_types::FileDescriptorSet;
    let disk = Disk::new(usize::MAX);
    let writer = RecordingWriter::create(disk.clone(), &about(), ROBOT_JSON).unwrap();
    writer.finish().map_err(|(error, _)| error).unwrap();
    let summary = mcap::Summary::read(&disk.content()).unwrap().unwrap();
    let schema =
        summary.schemas.values().find(|schema| schema.name == "foxglove.CompressedImage").unwrap();
    let set: FileDescriptorSet = prost::Message::decode(&schema.data[..]).unwrap();
    let image = set.file.iter().find(|file| file.package() == "foxglove").unwrap();
    let fields: Vec<(&str, i32)> =
        image.message_type[0].field.iter().map(|field| (field.name(), field.number())).collect();
    assert_eq!(fields, [("timestamp", 1), ("frame_id", 4), ("data", 2), ("format", 3)]);
}

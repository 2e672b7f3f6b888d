//! What goes into a recording comes back, byte for byte, and what cannot be believed is said so.

mod common;

use common::chunks::{chunks, length_at, with_chunk_changed, with_first_chunk_changed};
use common::{Disk, MS, ROBOT_JSON, START, about, cycle, keyframe};
use rlds::{Attached, Counts, Entry, Loss, ReadError, RecordingReader, RecordingWriter, Tail};
use rt_wire::{LogFrame, MonoNs, Record, Telemetry};
use std::io::Cursor;
use zerocopy::IntoBytes;

/// Records 1 to `cycles` with a keyframe after each 100th, a chunk each 200 ms.
fn recorded(cycles: u64) -> (Vec<u8>, Counts) {
    let disk = Disk::new(usize::MAX);
    let mut writer = RecordingWriter::create(disk.clone(), &about(), ROBOT_JSON).unwrap();
    for n in 1..=cycles {
        let record = cycle(n);
        if writer.is_due(record.mono_ns) {
            writer.flush().unwrap();
        }
        writer.telemetry(n, &record);
        if n % 100 == 0 {
            writer.keyframe(n / 100, &keyframe(n));
        }
    }
    let counts = writer.finish().map_err(|(error, _)| error).unwrap();
    (disk.content(), counts)
}

fn reader(bytes: &[u8]) -> RecordingReader<Cursor<Vec<u8>>> {
    RecordingReader::new("test.mcap", Cursor::new(bytes.to_vec())).unwrap()
}

fn entries(reader: &mut RecordingReader<Cursor<Vec<u8>>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry);
    }
    entries
}

fn expected(cycles: u64) -> Vec<Entry> {
    let mut expected = Vec::new();
    for n in 1..=cycles {
        expected.push(Entry::Telemetry(cycle(n)));
        if n % 100 == 0 {
            expected.push(Entry::Keyframe(keyframe(n)));
        }
    }
    expected
}

#[test]
fn every_record_comes_back_byte_for_byte_and_in_order() {
    let (bytes, counts) = recorded(1000);
    assert_eq!(counts, Counts { telemetry: 1000, keyframes: 10, ..Counts::default() });
    let mut reader = reader(&bytes);
    let found = entries(&mut reader);
    assert_eq!(found.len(), 1010);
    for (found, expected) in found.iter().zip(expected(1000)) {
        match (found, &expected) {
            (Entry::Telemetry(a), Entry::Telemetry(b)) => assert_eq!(a.as_bytes(), b.as_bytes()),
            (Entry::Keyframe(a), Entry::Keyframe(b)) => assert_eq!(a.as_bytes(), b.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(*reader.tail(), Tail::Complete);
    assert!(reader.damage().is_empty());
}

#[test]
fn values_that_are_no_numbers_keep_their_bits() {
    let disk = Disk::new(usize::MAX);
    let mut writer = RecordingWriter::create(disk.clone(), &about(), ROBOT_JSON).unwrap();
    let mut record = cycle(1);
    record.outcome.asked.steering = f32::from_bits(0x7fc0_1234);
    writer.telemetry(1, &record);
    writer.finish().map_err(|(error, _)| error).unwrap();
    let Some(Entry::Telemetry(found)) = reader(&disk.content()).next_entry().unwrap() else {
        panic!("no telemetry");
    };
    assert_eq!(found.as_bytes(), record.as_bytes());
}

#[test]
fn recording_says_whose_it_is_and_carries_the_robot_file() {
    let (bytes, _) = recorded(10);
    let reader = reader(&bytes);
    assert_eq!(*reader.about(), about());
    assert_eq!(reader.robot_json(), ROBOT_JSON);
}

#[test]
fn stock_mcap_reader_finds_topics_times_and_layouts() {
    let (bytes, _) = recorded(300);
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let stats = summary.stats.as_ref().unwrap();
    let chunks = u64::from(stats.chunk_count);
    assert_eq!(stats.message_count, 303 + chunks, "and one of each chunk about itself");
    assert_eq!(stats.message_start_time, START);
    assert_eq!(stats.attachment_count, 1);
    assert!(stats.chunk_count >= 2, "a chunk each 200 ms");
    let mut telemetry = 0;
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        if message.channel.topic == "donkey.fast-loop.telemetry.ring" {
            telemetry += 1;
            assert_eq!(u64::from(message.sequence), telemetry);
            assert_eq!(message.log_time, START + (telemetry - 1) * MS);
            assert_eq!(message.data.len(), size_of::<Telemetry>());
            let schema = message.channel.schema.as_ref().unwrap();
            assert_eq!((&*schema.name, &*schema.encoding), ("Telemetry", "continuon-layout"));
            assert_eq!(message.channel.message_encoding, "continuon-wire");
        }
    }
    assert_eq!(telemetry, 300);
}

#[test]
fn layout_in_the_recording_is_enough_to_take_a_record_apart() {
    let (bytes, _) = recorded(1);
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let schema = summary.schemas.values().find(|schema| schema.name == "Telemetry").unwrap();
    let layout: serde_json::Value = serde_json::from_slice(&schema.data).unwrap();
    assert_eq!(layout["bytes"], size_of::<Telemetry>());
    let field = |fields: &serde_json::Value, name: &str| {
        let found = fields.as_array().unwrap().iter().find(|field| field["name"] == name);
        found.unwrap().clone()
    };
    let outcome = field(&layout["fields"], "outcome");
    let setpoint = field(&outcome["fields"], "setpoint");
    let steering = field(&setpoint["fields"], "steering");
    assert_eq!(steering["type"], "f32");
    let offset: u64 = [&outcome, &setpoint, &steering]
        .iter()
        .map(|field| field["offset"].as_u64().unwrap())
        .sum();
    let record = cycle(1);
    let at = usize::try_from(offset).unwrap();
    let bytes: [u8; 4] = record.as_bytes()[at..at + 4].try_into().unwrap();
    assert_eq!(f32::from_ne_bytes(bytes), 0.25);
}

#[test]
fn loss_stands_where_the_records_are_missing() {
    let disk = Disk::new(usize::MAX);
    let mut writer = RecordingWriter::create(disk.clone(), &about(), ROBOT_JSON).unwrap();
    let loss =
        Loss { topic: "donkey.fast-loop.telemetry.ring".to_owned(), before_sequence: 8, lost: 6 };
    writer.telemetry(1, &cycle(1));
    writer.loss(cycle(8).mono_ns, &loss).unwrap();
    writer.telemetry(8, &cycle(8));
    let counts = writer.finish().map_err(|(error, _)| error).unwrap();
    assert_eq!(counts, Counts { telemetry: 2, losses: 1, ..Counts::default() });
    let expected = [Entry::Telemetry(cycle(1)), Entry::Loss(loss), Entry::Telemetry(cycle(8))];
    assert_eq!(entries(&mut reader(&disk.content())), expected);
}

#[test]
fn recording_of_another_layout_is_refused_by_name() {
    let (bytes, _) = recorded(10);
    let hash = format!("{:#018x}", Telemetry::LAYOUT_HASH);
    let other = "0x00000000000051c2";
    // In the schema, with the chunk's CRC made right again.
    let swapped = with_first_chunk_changed(&bytes, hash.as_bytes(), other.as_bytes());
    let refused = RecordingReader::new("old.mcap", Cursor::new(swapped));
    let Err(error @ ReadError::Layout { .. }) = refused else { panic!("not refused") };
    assert_eq!(
        error.to_string(),
        format!(
            "old.mcap: Telemetry has layout {other}, expected {hash} (it was recorded by build \
             0x000000000000abcd: read it with that build)"
        )
    );
}

#[test]
fn sizes_are_those_of_what_was_believed_and_agree_with_a_stock_reader() {
    let (bytes, _) = recorded(1000);
    let mut reader = reader(&bytes);
    entries(&mut reader);
    let sizes = reader.sizes();
    let size = |topic: &str| {
        let found = sizes.channels().find(|channel| channel.topic == topic);
        found.map(|channel| (channel.messages, channel.bytes)).unwrap()
    };
    let telemetry = 1000 * size_of::<Telemetry>() as u64;
    assert_eq!(size("donkey.fast-loop.telemetry.ring"), (1000, telemetry));
    assert_eq!(size("donkey.fast-loop.kernel-state.ring").0, 10);
    assert_eq!(size("donkey.camera.frames"), (0, 0));
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let chunks = &summary.chunk_indexes;
    assert_eq!(sizes.chunks, chunks.len() as u64);
    assert_eq!(sizes.packed_bytes, chunks.iter().map(|chunk| chunk.compressed_size).sum::<u64>());
    assert_eq!(sizes.plain_bytes, chunks.iter().map(|chunk| chunk.uncompressed_size).sum::<u64>());
    assert_eq!(reader.bytes_read(), bytes.len() as u64 - 8, "all but the magic at the end");
}

#[test]
fn torn_tail_costs_the_torn_chunk_and_is_measured() {
    let (bytes, _) = recorded(1000);
    let last = chunks(&bytes).pop().unwrap();
    let whole = entries(&mut reader(&bytes));
    for cut in [last.start + 1, last.start + 9, last.start + 500, last.end - 1] {
        let mut torn = reader(&bytes[..cut]);
        let found = entries(&mut torn);
        assert_eq!(found, whole[..found.len()]);
        assert!(found.len() >= 800, "all but the last chunk");
        let expected =
            Tail::Torn { whole_bytes: last.start as u64, torn_bytes: (cut - last.start) as u64 };
        assert_eq!(*torn.tail(), expected);
    }
}

#[test]
fn recording_that_ends_between_two_chunks_is_open_and_whole_so_far() {
    let (bytes, _) = recorded(1000);
    let last = chunks(&bytes).pop().unwrap();
    let mut open = reader(&bytes[..last.start]);
    let found = entries(&mut open);
    assert_eq!(found, expected(1000)[..found.len()]);
    assert_eq!(*open.tail(), Tail::Open);
}

#[test]
fn any_flipped_bit_in_a_chunk_costs_that_chunk_only() {
    let (bytes, _) = recorded(600);
    let whole = entries(&mut reader(&bytes));
    let chunks = chunks(&bytes);
    let middle = &chunks[2];
    for at in (middle.start + 9 + 24..middle.end).step_by(97) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let mut damaged = reader(&flipped);
        let found = entries(&mut damaged);
        assert_eq!(damaged.damage().len(), 1);
        assert_eq!(damaged.damage()[0].at_byte, middle.start as u64);
        assert!(found.len() < whole.len() && found.len() > 300);
        assert!(found.iter().all(|entry| whole.contains(entry)), "nothing that was not written");
        assert_eq!(*damaged.tail(), Tail::Complete);
    }
}

#[test]
fn iterator_hands_an_error_out_once_and_says_nothing_of_a_tail_it_has_not_seen() {
    // The first chunk holds the channels; in the second, a message of none of them after its own.
    let bytes = with_chunk_changed(&recorded(600).0, 1, |plain| {
        let second = 9 + usize::try_from(length_at(plain, 0)).unwrap();
        plain[second + 9..second + 11].copy_from_slice(&u16::MAX.to_le_bytes());
    });
    let mut reader = reader(&bytes);
    assert!(matches!(reader.next(), Some(Err(ReadError::Content { .. }))));
    assert!(reader.next().is_none());
    assert_eq!(*reader.tail(), Tail::Unread);
}

#[test]
fn every_cut_and_garbage_is_survived() {
    let (bytes, _) = recorded(3);
    for cut in 0..bytes.len() {
        if let Ok(mut reader) = RecordingReader::new("cut", Cursor::new(bytes[..cut].to_vec())) {
            while let Ok(Some(_)) = reader.next_entry() {}
        }
    }
    for at in 0..bytes.len() {
        let mut garbage = bytes.clone();
        garbage[at] = garbage[at].wrapping_add(0x9d);
        if let Ok(mut reader) = RecordingReader::new("garbage", Cursor::new(garbage)) {
            while let Ok(Some(_)) = reader.next_entry() {}
        }
    }
}

#[test]
fn something_else_is_refused_by_its_first_bytes() {
    let refused = RecordingReader::new("notes.txt", Cursor::new(b"hello".to_vec()));
    let Err(error) = refused else { panic!("not refused") };
    assert!(error.to_string().starts_with("notes.txt: not an MCAP file"), "{error}");
}

#[test]
fn chunk_is_due_after_200_ms_of_records_and_not_before() {
    let mut writer = RecordingWriter::create(Disk::new(usize::MAX), &about(), ROBOT_JSON).unwrap();
    assert!(!writer.is_due(MonoNs(u64::MAX)), "an empty chunk is never due");
    writer.telemetry(1, &cycle(1));
    assert!(!writer.is_due(MonoNs(START + 199 * MS)));
    assert!(writer.is_due(MonoNs(START + 200 * MS)));
    writer.flush().unwrap();
    assert!(!writer.is_due(MonoNs(u64::MAX)));
    assert_eq!(writer.stored().telemetry, 1);
}

#[test]
fn log_frames_and_their_message_table_come_back_byte_for_byte() {
    let disk = Disk::new(usize::MAX);
    let attached = Attached { robot_json: ROBOT_JSON, log_table: Some(b"\x7fELF and more") };
    let mut writer = RecordingWriter::create(disk.clone(), &about(), attached).unwrap();
    let mut frame = LogFrame { sequence: 7, cycle_index: 3, bytes: 4, ..LogFrame::default() };
    frame.frame[..4].copy_from_slice(&[1, 0, 2, 3]);
    writer.log_frame(7, &frame);
    let counts = writer.finish().map_err(|(error, _)| error).unwrap();
    assert_eq!(counts, Counts { log_frames: 1, ..Counts::default() });
    let mut reader = reader(&disk.content());
    assert_eq!(reader.log_table(), attached.log_table);
    assert_eq!(reader.robot_json(), ROBOT_JSON);
    assert_eq!(entries(&mut reader), [Entry::Log(frame)]);
    // Whoever recorded without a table says so.
    assert_eq!(self::reader(&recorded(1).0).log_table(), None);
}

#[test]
fn chunk_of_another_recording_is_not_believed_though_it_is_whole() {
    let (bytes, _) = recorded(600);
    let disk = Disk::new(usize::MAX);
    let other = rlds::About { start_unix_ms: 1, ..about() };
    let mut writer = RecordingWriter::create(disk.clone(), &other, ROBOT_JSON).unwrap();
    for n in 1..=600 {
        if writer.is_due(cycle(n).mono_ns) {
            writer.flush().unwrap();
        }
        writer.telemetry(n, &cycle(n));
    }
    writer.finish().map_err(|(error, _)| error).unwrap();
    let theirs = disk.content();
    let (ours, old) = (chunks(&bytes), chunks(&theirs));
    // A block of the disk that was never written still holds what it held for another file.
    let mixed = [&bytes[..ours[2].start], &theirs[old[2].clone()]].concat();
    let mut reader = reader(&mixed);
    assert_eq!(entries(&mut reader), expected(200));
    assert!(reader.damage()[0].found.contains("another recording"), "{:?}", reader.damage());
}

#[test]
fn chunk_that_is_missing_without_a_trace_is_noticed() {
    let (bytes, _) = recorded(1000);
    let chunks = chunks(&bytes);
    let without = [&bytes[..chunks[2].start], &bytes[chunks[3].start..]].concat();
    let mut reader = reader(&without);
    let found = entries(&mut reader);
    assert!(found.len() < expected(1000).len());
    assert_eq!(reader.damage().len(), 1);
    assert!(reader.damage()[0].found.contains("1 chunks are missing"), "{:?}", reader.damage());
}

#[test]
fn bomb_in_a_chunk_is_refused_whatever_it_declares() {
    let (bytes, _) = recorded(600);
    // Some kilobytes that unpack to 64 MiB; the chunk goes on declaring what it held before.
    let bomb = with_chunk_changed(&bytes, 1, |plain| plain.resize(64 << 20, 0));
    let mut refused = reader(&bomb);
    let found = entries(&mut refused);
    assert!(!found.is_empty() && found.iter().all(|entry| expected(600).contains(entry)));
    assert!(refused.damage()[0].found.contains("more than"), "{:?}", refused.damage());
    // It declares all of it.
    let mut declared = bomb;
    let chunk = chunks(&declared)[1].clone();
    declared[chunk.start + 9 + 16..chunk.start + 9 + 24]
        .copy_from_slice(&(64_u64 << 20).to_le_bytes());
    let mut refused = reader(&declared);
    entries(&mut refused);
    assert!(refused.damage()[0].found.contains("expected at most"), "{:?}", refused.damage());
}

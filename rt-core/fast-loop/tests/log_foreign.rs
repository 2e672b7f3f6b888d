//! A thread that has no log: a program of its own, because the count is the whole process's.

use fast_loop::log;
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words};
use rt_wire::{LogFrame, Record};
use std::thread;

#[test]
fn what_a_thread_without_a_log_says_is_dropped_and_counted() {
    let words: Vec<AtomicU64> =
        (0..ring_words::<LogFrame>(64)).map(|_| AtomicU64::new(0)).collect();
    let identity = Identity { layout_hash: LogFrame::LAYOUT_HASH, generation: 1 };
    let words: &'static [AtomicU64] = words.leak();
    let ring = RingWriter::create(words, 64, identity).expect("large enough");
    let mut reader =
        RingReader::<LogFrame>::attach_from_oldest(words, LogFrame::LAYOUT_HASH).expect("laid out");
    let (writer, mut forwarder) = log::link(8, ring).expect("laid out");
    writer.install();
    let strangers: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| (0..250).for_each(|n| defmt::info!("stranger {=u64}", n))))
        .collect();
    for stranger in strangers {
        stranger.join().expect("it logged nowhere");
    }
    forwarder.forward();
    let Read::Record { record, .. } = reader.read() else { panic!("nothing told") };
    assert_eq!((record.refused, record.lost, record.as_frame().len()), (1000, 0, 0));
    defmt::info!("ours {=u64}", 1);
    forwarder.forward();
    let Read::Record { record, .. } = reader.read() else { panic!("nothing told") };
    assert_eq!((record.refused, record.lost, record.as_frame().len()), (1000, 0, 10));
    assert!(matches!(reader.read(), Read::Empty));
}

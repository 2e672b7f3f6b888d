//! A power cut at any call loses nothing that was acknowledged: see the module `crash`. A million images
//! are `cargo xtask rel rlds`.

#[allow(dead_code, reason = "each test file uses its part")]
mod crash;

use std::sync::atomic::AtomicU64;
use std::thread;

/// Over all threads.
const IMAGES: u64 = 100_000;
const THREADS: u64 = 2;

#[test]
fn no_power_cut_loses_what_was_acknowledged_or_makes_what_was_never_written() {
    let campaigns: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (seed, share) = (1_000_000 * (thread + 1), IMAGES / THREADS);
            thread::spawn(move || crash::campaign(seed, share, &AtomicU64::new(0)))
        })
        .collect();
    for campaign in campaigns {
        let figures = campaign.join().unwrap().unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(figures.are_of_all_kinds(), "{figures:?}");
    }
}

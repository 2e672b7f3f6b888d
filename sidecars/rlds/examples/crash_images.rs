//! Crash images at length: `crash_images IMAGES SEED`, on every core, with what they came to.

#[allow(dead_code, reason = "each program uses its part")]
#[path = "../tests/crash/mod.rs"]
mod crash;

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(images)), Some(Ok(seed)), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return end(2, "expected the number of images and a seed");
    };
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let began = Instant::now();
    let campaigns: Vec<_> = (0..threads)
        .map(|thread| {
            let share = images / threads + u64::from(thread < images % threads);
            // A drive is some hundred images: the threads' seeds never meet.
            let seed = seed.wrapping_add(thread.wrapping_mul(images));
            thread::spawn(move || crash::campaign(seed, share))
        })
        .collect();
    let mut all = crash::Figures::default();
    for campaign in campaigns {
        match campaign.join() {
            Ok(Ok(figures)) => all.add(figures),
            Ok(Err(wrong)) => return end(1, &wrong),
            Err(_) => return end(1, "a thread of the campaign panicked"),
        }
    }
    end(0, &format!("crash-images: seed {seed}, {all:?}, {:.1} s", began.elapsed().as_secs_f64()))
}

fn end(code: u8, words: &str) -> ExitCode {
    // Whoever has gone has read enough.
    writeln!(std::io::stdout(), "{words}").ok();
    code.into()
}

//! A loop that dies or hangs loses the motor's power, with the real processes: a few of each.
//!
//! The many stand in `rel-safety --only loop-kills --only loop-stops`. A machine that is too busy to
//! judge is told, and is no failure here: `Report::is_good` asks for all of them, this does not.

use tests::loop_deaths::{Campaign, How, run_campaign};

fn few(how: How) {
    let found = run_campaign(&Campaign { how, deaths: 3, seed: 1 }, |_| {});
    println!("{}", found.in_words());
    assert!(!found.found_wrong(), "{}", found.in_words());
}

#[test]
fn killed_loop_loses_the_motors_power_in_time() {
    few(How::Killed);
}

#[test]
fn stopped_loop_loses_the_motors_power_in_time_and_resumes_latched() {
    few(How::Stopped);
}

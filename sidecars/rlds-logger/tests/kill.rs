//! The real recorder, killed again and again: see the module `kills`. A thousand of them are
//! `cargo xtask rel rlds --only kills`.

mod common;
mod kills;

use std::path::Path;

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let recorder = Path::new(env!("CARGO_BIN_EXE_rlds-logger"));
    let figures =
        kills::campaign(recorder, 1, 50, |_| {}).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(figures.kills, 50);
    assert!(figures.acknowledged > 0, "no step was ever acknowledged: this shows nothing");
}

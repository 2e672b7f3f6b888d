//! Signals, in a process of their own: a signal reaches every sidecar of a process.

mod common;

use common::{NAME, TestLoop, args, block_on};
use sidecar::{End, Sidecar};

#[test]
fn sigterm_tells_a_sidecar_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    block_on(async {
        let mut sidecar = Sidecar::start(NAME, &args(dir.path(), 10)).await.unwrap();
        let me = nix::unistd::Pid::this();
        nix::sys::signal::kill(me, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(sidecar.until_end().await, End::Told);
    });
    the_loop.end();
}

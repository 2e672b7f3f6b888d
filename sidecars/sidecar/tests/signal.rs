//! Signals, in a process of their own: a signal reaches every sidecar of a process.

mod common;

use common::{ROBOT, TestLoop};
use sidecar::{CommonArgs, End, Sidecar};
use std::path::Path;

const NAME: &str = "rlds-logger";

fn args(run_dir: &Path, attach_timeout_s: u32) -> CommonArgs {
    CommonArgs { robot: ROBOT.to_owned(), run_dir: run_dir.to_owned(), attach_timeout_s }
}

fn block_on<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, main)
}

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

//! Bad input: the real programs refuse it by name, end with 2 (misuse) or 3 (not possible here), and
//! leave nothing behind.
//!
//! After each refusal no process that names the test's folder runs, and no file lies there but what
//! MAY_STAY lists: a run that failed keeps its log, and the lock file outlives its process by design.
//! What needs another user, a full disk or a limit is made with `prlimit` and `unshare`; where that
//! is not permitted the test says so in a line and succeeds. Every key and rule of a robot file has
//! its row in rt-config (tests/bad_robots.rs); here a few of each kind meet every program.

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::unistd::{Pid, geteuid};
use rt_shm::Client;
use rt_shm::protocol::{Code, Op, REQUEST_BYTES, Reply, Request, SEGMENTS_SOCKET, VERSION};
use rt_wire::{Heartbeat, HeartbeatFlags, topics};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tests::real_robot::{programs, until};
use zerocopy::{FromBytes as _, IntoBytes as _};

const SIM: &str = include_str!("../../configs/robots/sim-donkey.json");
const PI5: &str = include_str!("../../configs/robots/pi5-donkey.json");
/// A user that owns nothing.
const NOBODY: u32 = 65_534;
/// What a program that was refused may leave in a folder of its own.
const MAY_STAY: [&str; 4] = ["fast-loop.lock", "fast-loop.log", "fast-loop.out", "robot.json"];

/// The folder of one test: everybody may look in, and it is gone with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Every file, folder and socket in it, by its path.
    fn files(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.0.path().to_owned()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).expect("ours").map(|entry| entry.expect("ours").path())
            {
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.push(path);
            }
        }
        found.sort();
        found
    }

    /// Processes with this folder in their command line.
    fn processes(&self) -> Vec<String> {
        let ours = self.0.path().to_str().expect("text");
        let entries = fs::read_dir("/proc").expect("every Linux has it").flatten();
        entries
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(ours))
            .collect()
    }

    /// `--robot sim-donkey --run-dir run` of one of the processes of a run.
    fn of_a_run(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join(name));
        command.args(["--robot", "sim-donkey", "--run-dir"]).arg(self.path("run"));
        command
    }

    /// As [`of_a_run`](Self::of_a_run), for one that would wait for its loop.
    fn guest(&self, name: &str) -> Command {
        let mut command = self.of_a_run(name);
        command.args(["--attach-timeout-s", "0"]);
        command
    }

    fn client(&self) -> Option<Client> {
        Client::connect(&self.path("run"), "sim-donkey", topics::CONTINUON).ok()
    }

    /// A loop that serves.
    fn serve(&self) -> Running {
        let fast_loop = Running::start(&mut self.of_a_run("fast-loop"));
        until("the loop serves", || self.client());
        fast_loop
    }

    /// The command is refused with this code and these words, and leaves nothing behind.
    #[track_caller]
    fn refuses(&self, what: &str, command: &mut Command, code: i32, words: &[&str]) -> Output {
        let (files, processes) = (self.files(), self.processes());
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {command:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: {command:?}: `{word}` is not in: {said}");
        }
        assert_eq!(self.processes(), processes, "{what}: {command:?} left something running");
        let mut left = self.files();
        left.retain(|path| !files.contains(path));
        if code == 3 {
            left.retain(|path| !path.is_dir() && !MAY_STAY.iter().any(|name| path.ends_with(name)));
        }
        assert!(left.is_empty(), "{what}: {command:?} left {left:?}");
        output
    }
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().expect("the program starts"))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"))
    }

    /// Its lines up to and with the first that has `word` in it; all of them if none has.
    fn lines_until(&mut self, word: &str) -> String {
        let mut said = String::new();
        for line in BufReader::new(self.0.stderr.as_mut().expect("piped")).lines() {
            said = said + &line.expect("text") + "\n";
            if said.contains(word) {
                break;
            }
        }
        said
    }

    /// Its lines up to and with the first that has `word` in it.
    fn says(&mut self, word: &str) -> String {
        let said = self.lines_until(word);
        assert!(said.contains(word), "it ended without `{word}`: {said}");
        said
    }

    /// Told to end: its exit code, and what it had to say.
    fn end(mut self) -> (Option<i32>, String) {
        kill(self.pid(), Signal::SIGTERM).expect("our own child");
        let mut said = String::new();
        self.0.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        (self.0.wait().expect("our own child").code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `command` by way of `wrapper`, with its arguments.
fn through(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    wrapped
}

/// Whether `wrapper` works here; if not, says that the test is skipped.
fn is_possible(test: &str, wrapper: &[&str]) -> bool {
    let tried = through(wrapper, &Command::new("true")).output();
    let is_possible = tried.as_ref().is_ok_and(|output| output.status.success());
    if !is_possible {
        println!("skipped: {test}: `{}` is not possible here", wrapper.join(" "));
    }
    is_possible
}

/// Whether we may become another user; if not, says that the test is skipped.
fn may_change_user(test: &str) -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        println!("skipped: {test}: only root may start a program as another user");
    }
    is_root
}

/// A good robot file with one place changed.
struct BadRobot {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// What must be told after the name of the file.
    told: &'static [&'static str],
}

#[rustfmt::skip]
const BAD_ROBOTS: [BadRobot; 10] = [
    BadRobot { file: SIM, from: "\"period_us\"", to: "\"perod_us\"", told: &[":7:", "timing.perod_us", "nearest valid name: timing.period_us"] },
    BadRobot { file: SIM, from: "\"timing\"", to: "\"timings\"", told: &[":6:", "timings", "nearest valid name: timing"] },
    BadRobot { file: SIM, from: "\"board\": \"sim\"", to: "\"board\": \"simm\"", told: &[":4:", "board: expected one of sim, pi5, found \"simm\"", "nearest valid name: sim"] },
    BadRobot { file: SIM, from: "\"period_us\": 1000", to: "\"period_us\": \"1000\"", told: &[":7:", "timing.period_us: expected an integer"] },
    BadRobot { file: SIM, from: "\"period_us\": 1000", to: "\"period_us\": 100", told: &[":7:", "from 250 to 20000 (µs), found 100"] },
    BadRobot { file: PI5, from: "\"relay_pin\": 25", to: "\"relay_pin\": 24", told: &["pins.relay_pin: expected a pin of its own, found pin 24, as pins.heartbeat_pin"] },
    BadRobot { file: SIM, from: "\"min_us\": 1000, \"neutral_us\": 1500, \"max_us\": 2000", to: "\"min_us\": 2000, \"neutral_us\": 1500, \"max_us\": 1000", told: &["calibration.steering.min_us: expected less than max_us, 1000, found 2000"] },
    BadRobot { file: SIM, from: "\"throttle_max\": 0.6", to: "\"throttle_max\": NaN", told: &["limits.throttle_max", "found `NaN`"] },
    BadRobot { file: SIM, from: "\"throttle_max\": 0.6", to: "\"throttle_max\": 1e999", told: &["limits.throttle_max", "found `1e999`"] },
    BadRobot { file: SIM, from: "\"board\": \"sim\",", to: "\"board\": \"sim\"", told: &[":5:", "expected `,` or `}`"] },
];

/// Every program that reads a robot file.
fn readers_of_a_robot(folder: &Folder, robot: &Path) -> Vec<Command> {
    let run_dir = folder.path("run");
    let mut commands = Vec::new();
    for name in ["fast-loop", "plant", "pilot", "rlds-logger"] {
        let mut command = Command::new(programs().join(name));
        command.arg("--robot").arg(robot).arg("--run-dir").arg(&run_dir);
        if name != "fast-loop" {
            command.args(["--attach-timeout-s", "0"]);
        }
        commands.push(command);
    }
    for more in [&[][..], &["--virtual"]] {
        let mut sim = Command::new(programs().join("continuon"));
        sim.args(["sim", "--seconds", "1"]).args(more);
        sim.arg("--robot").arg(robot).arg("--out").arg(&run_dir);
        commands.push(sim);
    }
    for verb in ["check", "explain"] {
        let mut config = Command::new(programs().join("continuon"));
        config.args(["config", verb]).arg(robot);
        commands.push(config);
    }
    commands
}

#[test]
fn a_wrong_robot_file_is_refused_by_every_program_with_line_key_and_nearest_name() {
    let folder = Folder::new();
    for bad in BAD_ROBOTS {
        assert!(bad.file.contains(bad.from), "the good file has changed: {}", bad.from);
        let robot = folder.write("robot.json", &bad.file.replacen(bad.from, bad.to, 1));
        let file = robot.display().to_string();
        for mut command in readers_of_a_robot(&folder, &robot) {
            let words: Vec<&str> = bad.told.iter().copied().chain([file.as_str()]).collect();
            folder.refuses(bad.to, &mut command, 2, &words);
        }
    }
}

#[test]
fn a_robot_file_that_cannot_be_read_is_refused_by_every_program() {
    let folder = Folder::new();
    folder.write("sim-donkey.json", SIM);
    let missing = folder.path("sim-donky.json");
    let near = folder.path("sim-donkey.json").display().to_string();
    let rows = [
        (missing, vec!["found no such file", near.as_str()]),
        (folder.path(""), vec!["a readable robot file, found a directory"]),
        (PathBuf::from("/dev/zero"), vec!["/dev/zero", "a pipe or a device"]),
        (PathBuf::from("sim-donky"), vec!["`sim-donky`", "nearest valid name: sim-donkey"]),
    ];
    for (robot, words) in rows {
        for mut command in readers_of_a_robot(&folder, &robot) {
            folder.refuses("unreadable", &mut command, 2, &words);
        }
    }
}

#[test]
fn a_wrong_track_is_refused_by_every_program_that_drives_on_one() {
    let folder = Folder::new();
    let two = folder.write("two.csv", "0,0,1,1\n1,0,1,1\n");
    let bow_tie = folder.write("bow-tie.csv", "0,0,1,1\n9,9,1,1\n9,0,1,1\n0,9,1,1\n");
    let nan = folder.write("nan.csv", "0,0,1,1\n9,NaN,1,1\n9,9,1,1\n");
    let narrow = folder.write("narrow.csv", "0,0,1,1\n9,0,0,1\n9,9,1,1\n");
    let at = |path: &Path, line: u32| format!("{}:{line}: ", path.display());
    let rows = [
        (two.clone(), "1", vec![two.display().to_string(), "expected 3 to 100000 points".into()]),
        (bow_tie.clone(), "1", vec![at(&bow_tie, 3), "never meets itself".into()]),
        (nan.clone(), "1", vec![at(&nan, 2), "y_m: expected a finite number of metres".into()]),
        (narrow.clone(), "1", vec![at(&narrow, 2), "w_tr_right_m: expected a width above".into()]),
        (folder.path("tow.csv"), "1", vec!["no such file".into(), two.display().to_string()]),
        ("twsity".into(), "1", vec!["`twsity`".into(), "nearest valid name: twisty".into()]),
        ("oval".into(), "NaN", vec!["scale".into(), "from 0.001 to 1000".into()]),
        ("oval".into(), "1e-9", vec!["scale".into(), "from 0.001 to 1000".into()]),
    ];
    let folder_of_runs = folder.path("runs");
    for (track, scale, words) in rows {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut sim = Command::new(programs().join("continuon"));
        sim.args(["sim", "--seconds", "1", "--out"]).arg(&folder_of_runs);
        for mut command in [folder.guest("plant"), folder.guest("pilot"), sim] {
            command.arg("--track").arg(&track).args(["--scale", scale]);
            folder.refuses("track", &mut command, 2, &words);
        }
    }
}

#[test]
fn without_a_loop_every_guest_says_where_it_looked_and_what_it_found() {
    let folder = Folder::new();
    let guests = ["plant", "pilot", "rlds-logger"];
    for name in guests {
        let words = ["no fast-loop runs for robot sim-donkey", "no such directory"];
        folder.refuses("no loop", &mut folder.guest(name), 3, &words);
    }
    // Stale: bound and never unlinked, as after `kill -9`.
    fs::create_dir(folder.path("run")).expect("made");
    folder.write("run/robot.json", SIM);
    for name in [SEGMENTS_SOCKET, "operator.sock"] {
        drop(UnixListener::bind(folder.path("run").join(name)).expect("bound"));
    }
    for name in guests {
        let words = ["no fast-loop runs for robot sim-donkey", "a dead one left its segments.sock"];
        folder.refuses("a stale socket", &mut folder.guest(name), 3, &words);
    }
    let mut arm = Command::new(programs().join("continuon"));
    arm.args(["arm", "--run-dir"]).arg(folder.path("run"));
    folder.refuses("a stale socket", &mut arm, 3, &["a dead one left its operator.sock"]);
    // And the loop itself takes its place.
    folder.serve();
}

#[test]
fn a_run_directory_that_cannot_serve_is_refused_by_the_loop() {
    let folder = Folder::new();
    folder.write("run", "");
    let words = ["run", "not a directory"];
    folder.refuses("a file", &mut folder.of_a_run("fast-loop"), 3, &words);
    fs::remove_file(folder.path("run")).expect("ours");
    fs::create_dir(folder.path("run")).expect("made");
    folder.write("run/segments.sock", "precious");
    let words = ["segments.sock is there and is no socket: remove it"];
    folder.refuses("no socket", &mut folder.of_a_run("fast-loop"), 3, &words);
    fs::remove_file(folder.path("run/segments.sock")).expect("ours");
    fs::set_permissions(folder.path("run"), fs::Permissions::from_mode(0o777)).expect("ours");
    let words = ["mode 0777: everybody could put sockets there: chmod o-w"];
    folder.refuses("open to all", &mut folder.of_a_run("fast-loop"), 3, &words);
}

#[test]
fn a_second_loop_is_refused_and_the_first_drives_on() {
    let folder = Folder::new();
    let first = folder.serve();
    let named = format!("pid {}", first.0.id());
    let words = ["another fast-loop serves this robot", named.as_str(), "stop it first"];
    folder.refuses("a second loop", &mut folder.of_a_run("fast-loop"), 3, &words);
    assert!(folder.client().is_some(), "the first still serves");
    assert_eq!(first.end().0, Some(0));
}

#[test]
fn a_loop_without_room_for_its_segments_names_segment_limit_and_value() {
    let folder = Folder::new();
    let test = "limits of the loop's segments";
    if !is_possible(test, &["prlimit", "--nofile=20:20", "--fsize=4096:4096"]) {
        return;
    }
    let fast_loop = folder.of_a_run("fast-loop");
    let mut few_files = through(&["prlimit", "--nofile=6:6"], &fast_loop);
    let words = ["segment sim-donkey.fast-loop.", "no descriptor: EMFILE", "RLIMIT_NOFILE is 6"];
    folder.refuses("few files", &mut few_files, 3, &words);
    let mut small_files = through(&["prlimit", "--fsize=4096:4096"], &fast_loop);
    let words = ["segment sim-donkey.fast-loop.telemetry.ring: no memory", "RLIMIT_FSIZE is 4096"];
    folder.refuses("small files", &mut small_files, 3, &words);
    // The same by way of the operator's command: the child's words and class are handed up.
    let mut sim = Command::new(programs().join("continuon"));
    sim.args(["sim", "--seconds", "1", "--out"]).arg(folder.path("runs"));
    let mut sim = through(&["prlimit", "--fsize=65536:65536"], &sim);
    let words = ["fast-loop ended before the run began: exit 3", "RLIMIT_FSIZE is 65536"];
    folder.refuses("small files", &mut sim, 3, &words);
}

#[test]
fn without_descriptors_the_loop_names_their_limit_and_begins_only_when_it_has_all() {
    let folder = Folder::new();
    let test = "few descriptors for the loop";
    if !is_possible(test, &["prlimit", "--nofile=20:20", "--memlock=65536:65536"]) {
        return;
    }
    let mut unknown = false;
    for limit in 6..64 {
        let wrapper = ["prlimit", &format!("--nofile={limit}:{limit}"), "--memlock=65536:65536"];
        let mut command = through(&wrapper, &folder.of_a_run("fast-loop"));
        let mut fast_loop = Running::start(&mut command);
        let begun = "period 1000 µs";
        let said = fast_loop.lines_until(begun);
        let (code, rest) = fast_loop.end();
        if said.contains(begun) {
            // What it could not look up was not taken for a no.
            assert!(unknown, "no limit left it without a look at its capabilities");
            assert_eq!(code, Some(0), "{rest}");
            return;
        }
        let named = format!("RLIMIT_NOFILE is {limit} open files: raise it with `ulimit -n`");
        assert!(said.contains(&named), "{said}");
        unknown |=
            said.contains("whether CAP_IPC_LOCK lifts that is not known: /proc/self/status: no");
        assert_eq!(code, Some(3), "{said}");
    }
    panic!("64 descriptors are enough");
}

#[test]
fn without_descriptors_every_guest_names_their_limit_and_none_panics() {
    let folder = Folder::new();
    if !is_possible("few descriptors for a guest", &["prlimit", "--nofile=20:20"]) {
        return;
    }
    // Too few for an event loop, at each of its steps.
    for limit in 4..9 {
        let wrapper = ["prlimit", &format!("--nofile={limit}:{limit}")];
        let named = format!("RLIMIT_NOFILE is {limit} open files: raise it with `ulimit -n`");
        let words = ["no event loop: no descriptor: EMFILE", named.as_str()];
        for name in ["pilot", "rlds-logger", "teleop"] {
            let mut guest = through(&wrapper, &folder.guest(name));
            folder.refuses("few files", &mut guest, 3, &words);
        }
    }
    let named = "segments.sock: no descriptor: EMFILE: Too many open files (RLIMIT_NOFILE is 4";
    let mut plant = through(&["prlimit", "--nofile=4:4"], &folder.guest("plant"));
    folder.refuses("few files", &mut plant, 3, &[named]);

    let mut sim = Command::new(programs().join("continuon"));
    sim.args(["sim", "--seconds", "1", "--out"]).arg(folder.path("runs"));
    let mut sim = through(&["prlimit", "--nofile=4:4"], &sim);
    folder.refuses("few files", &mut sim, 3, &["robot.json: no descriptor", "RLIMIT_NOFILE is 4"]);
    let runs = fs::read_dir(folder.path("runs")).expect("made");
    assert_eq!(runs.count(), 0, "a run that never began has no folder");
}

#[test]
fn a_guest_that_meets_a_limit_of_the_loop_hears_of_the_loops_limit() {
    let folder = Folder::new();
    if !is_possible("a limit met while serving", &["prlimit", "--nofile=20:20"]) {
        return;
    }
    let fast_loop = folder.serve();
    let pid = fast_loop.pid();
    // Room for the connection of one guest, and for nothing that it asks for.
    let open = until("the last client has gone", || {
        let count = || fs::read_dir(format!("/proc/{pid}/fd")).expect("our child").count();
        let first = count();
        thread::sleep(Duration::from_millis(50));
        (count() == first).then_some(first)
    });
    let set = |limit: usize| {
        let mut prlimit = Command::new("prlimit");
        prlimit.arg(format!("--pid={pid}")).arg(format!("--nofile={limit}:20000"));
        assert!(prlimit.status().expect("it ran before").success());
    };
    set(open + 1);
    let named = format!("RLIMIT_NOFILE is {} open files", open + 1);
    let words = ["segment sim-donkey.pilot.heartbeat.slot: no descriptor: EMFILE", named.as_str()];
    folder.refuses("a full loop", &mut folder.guest("pilot"), 3, &words);
    set(200);
    let mut pilot = Running::start(&mut folder.guest("pilot"));
    pilot.says("attached to sim-donkey");
    assert_eq!(pilot.end().0, Some(0), "there is room again");
    assert_eq!(fast_loop.end().0, Some(0), "the loop has lost nothing by it");
}

#[test]
fn a_loop_without_permission_for_fifo_and_locking_runs_and_says_what_it_lacks() {
    let folder = Folder::new();
    let limits = ["prlimit", "--rtprio=0:0", "--memlock=65536:65536"];
    let test = "no permission for FIFO";
    if !may_change_user(test) || !is_possible(test, &limits) {
        return;
    }
    let theirs = folder.path("theirs");
    fs::create_dir(&theirs).expect("made");
    chown(&theirs, Some(NOBODY), Some(NOBODY)).expect("root may");
    // Where the programs lie another user may not look.
    let fast_loop = theirs.join("fast-loop");
    fs::copy(programs().join("fast-loop"), &fast_loop).expect("copied");

    let mut command = Command::new(&fast_loop);
    command.args(["--robot", "sim-donkey", "--run-dir"]).arg(theirs.join("run"));
    let mut fast_loop = Running::start(through(&limits, &command).uid(NOBODY).gid(NOBODY));
    let said = fast_loop.says("period 1000 µs");
    for word in [
        "no SCHED_FIFO: ",
        "`ulimit -r 80`",
        "memory not locked: RLIMIT_MEMLOCK is 64 KiB, needed",
        "`ulimit -l`",
        "no real-time priority",
        ", memory not locked, ",
        "/dev/cpu_dma_latency not held: E",
    ] {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert!(said.contains("by a udev rule") || said.contains("this kernel has none"), "{said}");
    assert_eq!(fast_loop.end().0, Some(0));

    // The same user where it may make nothing.
    let mut command = Command::new(theirs.join("fast-loop"));
    command.args(["--robot", "sim-donkey", "--run-dir"]).arg(folder.path("run"));
    let words = ["cannot make it: EACCES", "name a directory of yours"];
    folder.refuses("a foreign folder", command.uid(NOBODY).gid(NOBODY), 3, &words);
}

#[test]
fn a_guest_of_another_user_is_refused_by_its_uid() {
    let folder = Folder::new();
    if !may_change_user("a guest of another user") {
        return;
    }
    let fast_loop = folder.serve();
    let pilot = folder.path("pilot");
    fs::copy(programs().join("pilot"), &pilot).expect("copied");
    let mut command = Command::new(pilot);
    command.args(["--robot", "sim-donkey", "--attach-timeout-s", "0", "--run-dir"]);
    command.arg(folder.path("run")).uid(NOBODY).gid(NOBODY);
    let words = ["segments.sock: permission denied for uid 65534"];
    folder.refuses("another user", &mut command, 3, &words);
    let mut private = Command::new(folder.path("pilot"));
    let robot = folder.write("robot.json", SIM);
    fs::set_permissions(&robot, fs::Permissions::from_mode(0o600)).expect("ours");
    private.arg("--robot").arg(&robot).arg("--run-dir").arg(folder.path("run"));
    let words = ["a readable robot file, found Permission denied"];
    folder.refuses("a private file", private.uid(NOBODY).gid(NOBODY), 2, &words);
    assert_eq!(fast_loop.end().0, Some(0));
}

/// Plays the loop of another build for one guest: answers its hello with `hello`, and whatever it
/// asks for then with `rest`.
fn another_build(run_dir: &Path, hello: Reply, rest: Reply) -> thread::JoinHandle<()> {
    fs::create_dir_all(run_dir).expect("made");
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None);
    let socket = socket.expect("a socket");
    let address = UnixAddr::new(&run_dir.join(SEGMENTS_SOCKET)).expect("a short path");
    bind(socket.as_raw_fd(), &address).expect("bound");
    listen(&socket, Backlog::new(1).expect("small")).expect("listens");
    // For a guest that never comes.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(20, 0)).expect("set");
    let listener = UnixListener::from(socket);
    thread::spawn(move || {
        let (mut guest, _) = listener.accept().expect("a guest comes");
        loop {
            let mut bytes = [0; REQUEST_BYTES];
            match guest.read(&mut bytes) {
                Ok(REQUEST_BYTES) => {}
                // It has heard enough.
                Ok(_) | Err(_) => return,
            }
            let request = Request::read_from_bytes(&bytes).expect("its size");
            let answer = if request.op == Op::Hello as u32 { hello } else { rest };
            if guest.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

#[test]
fn a_sidecar_from_another_build_says_which_side_to_rebuild() {
    let ok = Reply::new(Code::Ok);
    let layout = Reply { expected: 0x77aa, ..Reply::new(Code::Layout) };
    let version = Reply { expected: 99, found: VERSION.into(), ..Reply::new(Code::Version) };
    for (name, slot, found) in [
        ("pilot", "pilot.heartbeat.slot", topics::HEARTBEATS[0].layout_hash),
        ("rlds-logger", "rlds-logger.heartbeat.slot", topics::HEARTBEATS[0].layout_hash),
        ("plant", "fast-loop.pins.slot", topics::SIM_PINS.layout_hash),
    ] {
        let folder = Folder::new();
        let loop_of_another_build = another_build(&folder.path("run"), ok, layout);
        let named = format!(
            "segment sim-donkey.{slot}: layout {found:#x}, expected 0x77aa: rebuild {name}"
        );
        folder.refuses("another layout", &mut folder.guest(name), 3, &[&named]);
        loop_of_another_build.join().expect("it answered");

        let folder = Folder::new();
        let loop_of_another_build = another_build(&folder.path("run"), version, version);
        let named = format!("protocol version 99, expected {VERSION}: rebuild the older side");
        folder.refuses("another protocol", &mut folder.guest(name), 3, &[&named]);
        loop_of_another_build.join().expect("it answered");
    }
}

/// Runs a script in a mount namespace of its own; the script's `$0` is the folder of the disk.
const OWN_MOUNTS: [&str; 4] = ["unshare", "-m", "sh", "-c"];
/// The disk has room for part of a second of a recording.
const SMALL: &str = r#"mount -t tmpfs -o size=1m none "$0" && exec "$@""#;
/// The disk is full; afterwards all that is on it is told.
const FULL: &str = r#"mount -t tmpfs -o size=64k none "$0" || exit 77
head -c 64k /dev/zero > "$0/filler"
"$@"; code=$?
find "$0" -mindepth 1 ! -name filler -printf 'left on the disk: %P\n' >&2
exit $code"#;

#[test]
fn a_full_disk_is_refused_by_name_before_anything_drives() {
    let folder = Folder::new();
    let disk = folder.path("disk");
    fs::create_dir(&disk).expect("made");
    let [unshare, m, sh, c] = OWN_MOUNTS;
    let wrapper = [unshare, m, sh, c, FULL, disk.to_str().expect("text")];
    if !is_possible("a full disk", &wrapper) {
        return;
    }
    let refuses = |command: &Command, words: &[&str], left: &[&str]| {
        let said = folder.refuses("a full disk", &mut through(&wrapper, command), 3, words);
        let said = text(&said.stderr);
        let told = said.lines().filter_map(|line| line.strip_prefix("left on the disk: "));
        assert_eq!(told.collect::<Vec<_>>(), left, "{said}");
    };
    let mut fast_loop = Command::new(programs().join("fast-loop"));
    fast_loop.args(["--robot", "sim-donkey", "--run-dir"]).arg(disk.join("run"));
    refuses(&fast_loop, &["disk/run/fast-loop.lock: ENOSPC"], &["run", "run/fast-loop.lock"]);
    let mut sim = Command::new(programs().join("continuon"));
    sim.args(["sim", "--seconds", "1", "--out"]).arg(disk.join("runs"));
    refuses(&sim, &["disk/runs/", "robot.json", "No space left on device"], &["runs"]);

    let fast_loop = folder.serve();
    let mut logger = folder.guest("rlds-logger");
    logger.arg("--episodes-dir").arg(disk.join("episodes"));
    refuses(&logger, &["no episode: ", "disk/episodes", "free_min_mb", "make room"], &["episodes"]);
    assert_eq!(fast_loop.end().0, Some(0));
}

#[test]
fn a_disk_that_fills_in_mid_run_stops_the_record_and_nothing_else() {
    let folder = Folder::new();
    let disk = folder.path("disk");
    fs::create_dir(&disk).expect("made");
    let [unshare, m, sh, c] = OWN_MOUNTS;
    let wrapper = [unshare, m, sh, c, SMALL, disk.to_str().expect("text")];
    if !is_possible("a disk that fills", &wrapper) {
        return;
    }
    let fast_loop = folder.serve();
    // Without its guard: it would not begin on so small a disk.
    let robot = rt_config::Robot::resolve("sim-donkey").expect("built in");
    let mut robot: serde_json::Value = serde_json::from_str(robot.json()).expect("JSON");
    robot["rlds_logger"]["free_min_mb"] = 0.into();
    let path = folder.path("without-guard.json");
    fs::write(&path, robot.to_string()).expect("written");
    let mut logger = Command::new(programs().join("rlds-logger"));
    logger.arg("--robot").arg(path).arg("--run-dir").arg(folder.path("run"));
    logger.arg("--episodes-dir").arg(disk.join("episodes"));
    let logger = Running::start(&mut through(&wrapper, &logger));
    let is_logger = |topic: &&topics::Topic| topic.writer == topics::RLDS_LOGGER;
    let heartbeats = topics::HEARTBEATS.iter().find(is_logger).expect("it has a heartbeat");
    until("the logger says that it cannot write", || {
        let heartbeat = folder.client()?.slot_reader::<Heartbeat>(heartbeats).ok()?.peek()?;
        let is_cut = !heartbeat.flags.has(HeartbeatFlags::RECORDING) && heartbeat.lost_records > 0;
        (is_cut && heartbeat.flags.has(HeartbeatFlags::LOG_DEGRADED)).then_some(())
    });
    assert!(folder.client().is_some(), "the loop serves on");
    let (code, said) = logger.end();
    assert_eq!(code, Some(1), "it ran, and the episode is cut short: {said}");
    assert!(said.contains("lost to the disk: make room and record again"), "{said}");
    assert_eq!(fast_loop.end().0, Some(0));
}

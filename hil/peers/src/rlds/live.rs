//! The recorder beside a loop that drives at 1 kHz, with a camera and without: what it costs.
//!
//! The real `fast-loop`, and the process that ships but for its camera, which there is none of yet:
//! pictures come from a file, 30 a second, copied once as they would be out of shared memory. All else
//! is `rlds-logger`: rings, threads, chunks, `fdatasync`. With a step at every picture it makes 30
//! steps a second, more than the 20 of the goal.

use super::Bench;
use super::export::bytes_in;
use super::hour::mb_an_hour;
use super::pictures::{Camera, View};
use crate::car::Car;
use crate::report::{Goal, Pairs, Row};
use crate::running_loop::RunningLoop;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_config::Robot;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAME: &str = "live";
const PICTURES: u64 = 90;
const TURNS: u32 = 7;
/// It syncs and closes its episode.
const PATIENCE: Duration = Duration::from_secs(20);
const CPU_PERCENT_MAX: f64 = 15.0;
const MEMORY_MIB_MAX: f64 = 64.0;

/// What a recorder cost.
#[derive(Clone, Debug)]
struct Cost {
    /// Of a core, one a turn.
    cpu_percent: Vec<f64>,
    memory_mib: f64,
    lost: u64,
    records: u64,
    steps: u64,
    frames: u64,
    /// Without what is attached once.
    bytes: u64,
    seconds: f64,
}

/// Without a camera, for whoever needs it first.
#[derive(Default)]
pub struct Plain(OnceLock<Cost>);

/// Every row.
///
/// # Errors
/// The recorder cannot be started, or leaves no episode.
pub(super) fn live(bench: &Bench) -> Result<Vec<Row>> {
    let pictures = pictures(&bench.folder)?;
    let with_camera = record(bench, Some(&pictures))?;
    let without = plain(bench)?;
    let Cost { steps, frames, seconds, .. } = with_camera;
    let kb = pictures.1 as f64 / PICTURES as f64 / 1000.0;
    let mut rows = Vec::new();
    for (beside, cost, is_goal) in
        [(", 30 fps of 320 × 240", &with_camera, true), (", no camera", without, false)]
    {
        let mut cpu = Pairs::default();
        cost.cpu_percent
            .iter()
            .for_each(|share| cpu.alone(*share, cost.records / u64::from(TURNS)));
        let single = |value: f64| {
            let mut pairs = Pairs::default();
            pairs.alone(value, cost.records);
            pairs
        };
        let goal = |limit| if is_goal { Goal::AtMost(limit) } else { Goal::None };
        let note = match is_goal {
            true => format!(
                "{frames} pictures of {kb:.1} kB and {steps} steps in {seconds:.0} s; the process that \
                 ships, but its camera reads a file's pictures out of memory"
            ),
            false => String::new(),
        };
        rows.extend([
            Row::new(
                NAME,
                format!("recorder at 1 kHz{beside}"),
                "% of a core",
                &cpu,
                None,
                goal(CPU_PERCENT_MAX),
            )
            .note(note),
            Row::new(
                NAME,
                format!("its memory{beside}, highest"),
                "MiB",
                &single(cost.memory_mib),
                None,
                goal(MEMORY_MIB_MAX),
            ),
            Row::new(
                NAME,
                format!("records and pictures lost{beside}"),
                "",
                &single(cost.lost as f64),
                None,
                Goal::AtMost(0.0),
            ),
        ]);
    }
    Ok(rows)
}

/// MB an hour of a live loop's telemetry, and over how many seconds that was measured.
///
/// # Errors
/// As [`live`].
pub(super) fn bytes_an_hour_without_camera(bench: &Bench) -> Result<(f64, f64)> {
    let cost = plain(bench)?;
    Ok((mb_an_hour(cost.bytes, cost.seconds), cost.seconds))
}

fn plain(bench: &Bench) -> Result<&Cost> {
    if let Some(cost) = bench.plain.0.get() {
        return Ok(cost);
    }
    let cost = record(bench, None)?;
    Ok(bench.plain.0.get_or_init(|| cost))
}

/// A file of pictures for the recorder, and their bytes.
fn pictures(folder: &Path) -> Result<(PathBuf, u64)> {
    let path = folder.join("pictures");
    let (mut camera, mut file, mut bytes) = (Camera::default(), Vec::new(), 0);
    for number in 0..PICTURES {
        let travelled_m = number as f32 * 0.05;
        let view = View { travelled_m, offset_m: 0.1, curvature_per_m: 0.2 };
        let jpeg = camera.picture(view)?;
        file.extend_from_slice(&u32::try_from(jpeg.len())?.to_le_bytes());
        file.extend_from_slice(&jpeg);
        bytes += jpeg.len() as u64;
    }
    fs::write(&path, file).with_context(|| path.display().to_string())?;
    Ok((path, bytes))
}

fn record(bench: &Bench, pictures: Option<&(PathBuf, u64)>) -> Result<Cost> {
    let window = Duration::from_secs(bench.pick(7, 35));
    let cpu = u32::try_from(bench.cores.real_time)?;
    let robot = Robot::resolve("sim-donkey")?.edited(|file| file.timing.cpu = Some(cpu))?;
    let mut running = RunningLoop::start(&bench.fast_loop, robot)?;
    // On the disk that the other figures write to, not where the loop's sockets are.
    let episodes = bench.folder.join(if pictures.is_some() { "live-camera" } else { "live" });
    let recorder = Recorder::start(bench, &running, &episodes, pictures)?;
    let car = Car::drive(&mut running)?;
    let mut cpu_percent = Vec::new();
    for turn in 1..=TURNS {
        let (before, begun) = (recorder.cpu_seconds()?, Instant::now());
        running.watch(window / TURNS, |_| {})?;
        let share = 100.0 * (recorder.cpu_seconds()? - before) / begun.elapsed().as_secs_f64();
        cpu_percent.push(share);
        eprintln!("bench: {NAME} {turn}/{TURNS}: {share:.1} % of a core");
    }
    let memory_mib = recorder.memory_mib()?;
    recorder.end(&mut running)?;
    drop(car);
    running.stop()?;
    let episode = newest_episode(&episodes)?;
    let note = fs::read(episode.join("episode.json")).context("its episode.json")?;
    let note: rlds::EpisodeNote = serde_json::from_slice(&note)?;
    let cost = Cost {
        cpu_percent,
        memory_mib,
        lost: note.telemetry_lost_ring + note.telemetry_lost_disk + note.frames_lost,
        records: note.telemetry_records,
        steps: note.steps,
        frames: note.frames,
        bytes: bytes_in(&episode)?.saturating_sub(attached_bytes(&episode)?),
        seconds: note.telemetry_records as f64 / 1000.0,
    };
    let wanted = pictures.map_or(0.0, |_| cost.seconds * 30.0);
    ensure!(
        cost.frames as f64 >= 0.8 * wanted,
        "{} pictures in {:.0} s: the camera fell behind",
        cost.frames,
        cost.seconds
    );
    fs::remove_dir_all(&episodes).context("the live episodes")?;
    Ok(cost)
}

/// A recorder that does not outlive us.
struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Recorder {
    fn start(
        bench: &Bench,
        running: &RunningLoop,
        episodes: &Path,
        pictures: Option<&(PathBuf, u64)>,
    ) -> Result<Self> {
        let program = match pictures {
            Some(_) => &bench.recorder_with_camera,
            None => &bench.rlds_logger,
        };
        let log = running.dir().join("recorder.log");
        let mut command = Command::new(program);
        command.arg("--robot").arg(running.robot_path());
        command.arg("--run-dir").arg(running.run_dir());
        command.arg("--episodes-dir").arg(episodes);
        if let Some((path, _)) = pictures {
            command.arg("--pictures").arg(path);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("its log")?)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut recorder = Self(child);
        sleep(Duration::from_millis(500));
        if let Some(status) = recorder.0.try_wait()? {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("{} ended at once: {status}: {}", program.display(), said.trim());
        }
        Ok(recorder)
    }

    /// User and system time of all its threads, as the scheduler counts it, in ns.
    fn cpu_seconds(&self) -> Result<f64> {
        let tasks = format!("/proc/{}/task", self.0.id());
        let mut sum_ns = 0_u64;
        for task in fs::read_dir(tasks).context("the recorder's threads")? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            sum_ns += text.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
        }
        Ok(sum_ns as f64 * 1e-9)
    }

    fn memory_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = kib.and_then(|rest| rest.split_whitespace().next()).context("VmHWM")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    fn end(mut self, running: &mut RunningLoop) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGTERM)?;
        let until = Instant::now() + PATIENCE;
        loop {
            running.watch(Duration::from_millis(20), |_| {})?;
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the recorder: {status}"),
                None if Instant::now() > until => bail!("the recorder does not end when told to"),
                None => {}
            }
        }
    }
}

/// What stands in a recording once, however long it is: the robot file and the messages of the log.
fn attached_bytes(episode: &Path) -> Result<u64> {
    let reader = rlds::RecordingReader::open(&rlds::recording_path(episode))?;
    let table = reader.log_table().map_or(0, <[u8]>::len);
    Ok((reader.robot_json().len() + table) as u64)
}

/// The episode that was begun last; their names begin with their time.
fn newest_episode(episodes: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(episodes).with_context(|| episodes.display().to_string())?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.join("episode.json").is_file()).max().context("it left no episode")
}

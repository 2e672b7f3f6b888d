//! `--virtual`: kernel, pilot and plant in one process and virtual time, as fast as the machine goes.
//!
//! The work is done by `virtual-sim`, which lies beside us; here it is started, watched, and its one
//! JSON object is told. Figures of time are virtual and exact, so there is no latency to report.

use crate::exit::{Exit, Failure};
use crate::observe::conditions::{Load, Machine};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::run_dir;
use crate::signals::EndRequests;
use crate::sim::plan::{Plan, arguments};
use crate::sim::process::{Hands, Process, beside_us};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::Duration;

/// Name of the program.
const VIRTUAL_SIM: &str = "virtual-sim";
/// How often we look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// It has nothing to save.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs it and prints what it says.
///
/// # Errors
/// It is missing, or ends badly: its own exit class is handed up, with its last words.
pub fn run(plan: &Plan, ends: &mut EndRequests, json_wanted: bool) -> Result<Exit, Failure> {
    let program = beside_us(VIRTUAL_SIM)?;
    let seconds = OsString::from(plan.seconds.to_string());
    let seed = OsString::from(plan.seed.to_string());
    let args = [
        arguments([("--robot", plan.robot_path.as_os_str())]),
        plan.track_args(),
        arguments([("--seconds", seconds.as_os_str()), ("--seed", seed.as_os_str())]),
        vec!["--json".into()],
    ]
    .concat();
    let progress = Progress::new();
    progress.stage(&format!("{} s of virtual time", plan.seconds));
    let mut process = Process::start(VIRTUAL_SIM, &program, &args, &plan.run_dir, Hands::Off)?;
    let status = await_end(&mut process, ends);
    progress.done();
    let told = process.last_json();
    let exit = Exit::of_child(status?.code());
    let Some(Value::Object(mut told)) = told else {
        let message = process.end().in_words("told nothing");
        return Err(Failure::new(if exit == Exit::Ok { Exit::No } else { exit }, message));
    };
    told.insert("virtual".to_owned(), Value::Bool(true));
    told.insert("conditions".to_owned(), conditions(plan));
    let told = Value::Object(told);
    write_files(plan, &told)?;
    if json_wanted {
        print_line(told)?;
    } else {
        print(&render(plan, &told))?;
    }
    Ok(exit)
}

/// How it ended by itself; a person who asks ends it.
fn await_end(process: &mut Process, ends: &mut EndRequests) -> Result<ExitStatus, Failure> {
    loop {
        if let Some(status) = process.look() {
            return Ok(status);
        }
        if ends.asked() {
            process.stop(PATIENCE);
            return Err(Failure::no("interrupted"));
        }
        sleep(LOOK_EVERY);
    }
}

fn conditions(plan: &Plan) -> Value {
    json!({
        "date": plan.date,
        "run_dir": plan.run_dir,
        "robot": plan.robot.name(),
        "config_hash": format!("{:016x}", plan.robot.hash()),
        "version": env!("CARGO_PKG_VERSION"),
        "machine": Machine::here(),
        "load": Load::now(),
    })
}

fn write_files(plan: &Plan, told: &Value) -> Result<(), Failure> {
    for (name, text) in [("report.txt", render(plan, told)), ("report.json", format!("{told:#}\n"))]
    {
        run_dir::write(&plan.run_dir, name, &text)?;
    }
    Ok(())
}

/// The object as `key  value` lines, in the order in which it was told.
fn render(plan: &Plan, told: &Value) -> String {
    let mut out = format!(
        "virtual run: {} on {} ({:.1} m), {} s, seed {}\n",
        plan.robot.name(),
        plan.track_name,
        plan.track_length_m,
        plan.seconds,
        plan.seed
    );
    for (key, value) in told.as_object().into_iter().flatten() {
        if key == "conditions" || key == "virtual" {
            continue;
        }
        rows(&mut out, key, value);
    }
    rows(&mut out, "run_dir", &json!(plan.run_dir));
    out
}

fn rows(out: &mut String, key: &str, value: &Value) {
    match value {
        Value::Object(inner) => {
            for (inner_key, value) in inner {
                rows(out, &format!("{key}.{inner_key}"), value);
            }
        }
        // Sentences and names: a row each, and none where there are none.
        Value::Array(items) if items.iter().all(Value::is_string) => {
            for item in items {
                rows(out, key, item);
            }
        }
        Value::String(text) => out.push_str(&format!("  {key:28}{text}\n")),
        Value::Number(number) if number.is_f64() => {
            out.push_str(&format!("  {key:28}{:.3}\n", number.as_f64().unwrap_or_default()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            out.push_str(&format!("  {key:28}{value}\n"));
        }
    }
}

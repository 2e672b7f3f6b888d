//! `continuon config check | explain | schema`: robot files, judged and told by rt-config.

use crate::cli::ConfigCommand;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use rt_config::{ConfigErrors, Robot};
use serde_json::json;

/// Runs one of the three.
///
/// # Errors
/// The file is wrong (misuse): every fault of it, with line, key and the nearest valid name.
pub fn command(command: &ConfigCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Schema => print(&rt_config::schema())?,
        ConfigCommand::Explain { robot: file } => {
            let text = rt_config::explain(file).map_err(misuse)?;
            if json {
                let robot = Robot::resolve(file).map_err(misuse)?;
                print_line(json!({ "robot": robot.file(), "explained": text }))?;
            } else {
                print(&text)?;
            }
        }
        ConfigCommand::Check { robot: file } => return check(file, json),
    }
    Ok(Exit::Ok)
}

fn check(file: &str, json: bool) -> Result<Exit, Failure> {
    let robot = match Robot::resolve(file) {
        Ok(robot) => robot,
        Err(errors) if json => {
            print_line(json!({ "file": file, "valid": false, "errors": errors }))?;
            return Ok(Exit::Misuse);
        }
        Err(errors) => return Err(misuse(errors)),
    };
    let hash = format!("{:016x}", robot.hash());
    if json {
        let told =
            json!({ "file": file, "valid": true, "robot": robot.name(), "config_hash": hash });
        print_line(told)?;
    } else {
        print_line(format!("{file}: valid, robot {}, config hash {hash}", robot.name()))?;
    }
    Ok(Exit::Ok)
}

fn misuse(errors: ConfigErrors) -> Failure {
    Failure::misuse(errors.to_string())
}

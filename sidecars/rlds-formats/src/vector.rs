//! A step as numbers: what a policy is shown, in a fixed order.
//!
//! *What it decides.* The order: positions and velocities of the joints, then place, direction and
//! velocities of the end effector (of a car: the car). *What it must never do.* Change its length
//! within a data set: an episode of another robot is refused.
//!
//! Shown by: tests/formats/tfds.rs, tests/formats/lerobot.rs.

use rlds::schema::Step;

/// Names of the last numbers of every state.
pub(crate) const PLACE_AND_TWIST: [&str; 13] = [
    "x_m",
    "y_m",
    "z_m",
    "qx",
    "qy",
    "qz",
    "qw",
    "vx_m_per_s",
    "vy_m_per_s",
    "vz_m_per_s",
    "wx_rad_per_s",
    "wy_rad_per_s",
    "wz_rad_per_s",
];

/// How many numbers a step has, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    positions: usize,
    velocities: usize,
    /// Numbers of `action.command`.
    pub(crate) command: usize,
}

impl Shape {
    /// Of this step, and of every other one of the same robot.
    pub(crate) fn of(step: &Step) -> Self {
        let state = &step.observation.robot_state;
        Self {
            positions: state.joint_positions.len(),
            velocities: state.joint_velocities.len(),
            command: step.action.command.len(),
        }
    }

    /// Numbers of the state.
    pub(crate) fn state(&self) -> usize {
        self.positions.saturating_add(self.velocities).saturating_add(PLACE_AND_TWIST.len())
    }

    /// What the numbers of the state are called.
    pub(crate) fn state_names(&self) -> Vec<String> {
        let numbered = |name: &'static str, count| (0..count).map(move |n| format!("{name}_{n}"));
        numbered("joint_position", self.positions)
            .chain(numbered("joint_velocity", self.velocities))
            .chain(PLACE_AND_TWIST.iter().map(|name| (*name).to_owned()))
            .collect()
    }

    /// What the numbers of the command are called.
    pub(crate) fn command_names(&self) -> Vec<String> {
        match self.command {
            2 => vec!["steering".to_owned(), "throttle".to_owned()],
            count => (0..count).map(|n| format!("command_{n}")).collect(),
        }
    }

    /// In words, what is wrong with a step of another shape.
    pub(crate) fn check(&self, step: &Step) -> Result<(), String> {
        let found = Self::of(step);
        if found == *self {
            return Ok(());
        }
        Err(format!(
            "joints and action.command: expected {} positions, {} velocities and {} numbers, found \
             {}, {} and {}",
            self.positions,
            self.velocities,
            self.command,
            found.positions,
            found.velocities,
            found.command
        ))
    }
}

/// The state of a step; what it does not know is 0, and the identity for a direction.
pub(crate) fn state(step: &Step, into: &mut Vec<f32>) {
    let robot = &step.observation.robot_state;
    into.clear();
    into.extend_from_slice(&robot.joint_positions);
    into.extend_from_slice(&robot.joint_velocities);
    into.extend_from_slice(&robot.end_effector_pose.position.unwrap_or_default());
    let direction = robot.end_effector_pose.orientation_quat.unwrap_or([0.0, 0.0, 0.0, 1.0]);
    into.extend_from_slice(&direction);
    into.extend_from_slice(&robot.end_effector_twist.unwrap_or_default());
}

use rt_config::{Robot, Track};
use rt_wire::*;
use tests::virtual_sim::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let track = Track::resolve(&a[1], a[2].parse().unwrap()).unwrap();
    let robot = Robot::resolve(&a[3]).unwrap();
    let mut r = VirtualRobot::new(&Options::new(robot, track.clone(), 1)).unwrap();
    let secs: u64 = a[4].parse().unwrap();
    for c in 0..secs * 1000 {
        let n = *r.cycle();
        if n.outcome.mode == Mode::Disarmed.into() && n.outcome.interlocks.is_empty() {
            r.ask(OperatorKind::Arm);
        }
        if c % 100 == 0 {
            let s = r.plant.status();
            let p = track.project(s.motion.x_m, s.motion.y_m);
            println!(
                "{:.1} arc {:.2} lat {:.3} v {:.2} k {:.2} steer {:.2} act {:.2} thr {:.3} ay {:.1} {:?} rear",
                c as f64 / 1e3,
                p.line.arc_m,
                p.lateral_m,
                s.motion.forward_m_per_s,
                p.line.curvature_per_m,
                n.outcome.setpoint.steering,
                s.steering_rad / 0.4189,
                n.outcome.setpoint.throttle,
                s.motion.accel_left_m_per_s2,
                n.outcome.mode
            );
        }
    }
}

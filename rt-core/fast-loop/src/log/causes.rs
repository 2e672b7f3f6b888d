//! The causes of a stop as the log's decoder knows them: 64 bits on the wire, names in the table.
//!
//! One line for each bit of [`FaultSet`], by its own name. Shown by the test below.
#![expect(non_upper_case_globals, reason = "named as their faults")]

use rt_wire::FaultSet;

macro_rules! causes {
    ($($name:ident)*) => {
        defmt::bitflags! {
            /// A set of causes.
            pub(super) struct Causes: u64 {
                $(const $name = FaultSet::$name.0;)*
            }
        }
    };
}

causes! {
    EstopLine
    EstopDiscrepancy
    EstopOperator
    EstopSource
    LateGross
    Overload
    OwnerStale
    OwnerReleased
    OwnerImplausible
    HeartbeatLost
    DisarmRequested
    DeadManReleased
    TemperatureHigh
    TemperatureCritical
    Undervoltage
    BatteryLow
    BatteryCritical
    DriveWrite
    RelayFeedback
    SelfTestFailed
    MajorPageFault
    Stall
    Runaway
    ImuOutlier
    CameraLost
    KernelMirror
    ConfigCorrupt
    CanaryChanged
    NotFinite
    Shutdown
    NotRealtime
    LogMissing
    SourceDead
    LateEvent
    MinorPageFault
    TemperatureWarm
    BatteryWarn
    UndervoltageSeen
    ResetStuck
    HousekeepingSilent
}

impl From<FaultSet> for Causes {
    fn from(set: FaultSet) -> Self {
        // A bit without a name is no cause: the kernel sets none.
        Self::from_bits_truncate(set.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Causes;
    use rt_wire::{Fault, FaultSet};

    #[test]
    fn every_fault_has_its_name_in_the_message_table() {
        for fault in Fault::ALL {
            assert_eq!(format!("{:?}", Causes::from(FaultSet::of(*fault))), fault.name());
        }
    }
}

//! One function's x86-64 code: what it calls, what it takes the address of, and which indirect call
//! or jump it leaves open.
//!
//! An indirect call is accounted for in one of three ways: through a slot that the loader fills; in a
//! register that, on every path to the call, was loaded from such a slot or with a function's
//! address (followed through the function, forward, until nothing changes); or as a jump table whose
//! every entry leads into the function itself. Whatever else there is, is open. Tests: below.

use super::{Executable, Function};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};
use std::collections::{BTreeMap, BTreeSet};

/// What one function's code says.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Addresses of code outside it that it calls, jumps to or hands on.
    pub(crate) code: BTreeSet<u64>,
    /// Names from elsewhere that it calls or hands on.
    pub(crate) imports: BTreeSet<String>,
    /// Addresses of data that it hands on; what it only loads is followed at once.
    pub(crate) data: BTreeSet<u64>,
    /// Where a call or jump goes that nothing here tells.
    pub(crate) open: Vec<u64>,
    /// Calls through a register or slot that were told.
    pub(crate) indirect_calls: usize,
    /// Jumps by a table of its own.
    pub(crate) jump_tables: usize,
}

/// What is known of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was loaded from this address.
    Slot(u64),
    /// It is this address.
    Address(u64),
}

type Registers = BTreeMap<Register, Known>;

/// What a call leaves as it was (System V).
const KEPT_BY_CALLS: [Register; 6] =
    [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];

/// Reads the code of `function`.
pub(crate) fn look(executable: &Executable, function: &Function) -> Looked {
    let code = Code::read(executable, function);
    let before = code.flow();
    let mut looked = Looked::default();
    for (index, instruction) in code.instructions.iter().enumerate() {
        code.references(instruction, &mut looked);
        let none = Registers::new();
        code.target(instruction, before[index].as_ref().unwrap_or(&none), &mut looked);
    }
    looked
}

/// The data alone that `function` names: cheap enough for a whole executable.
pub(crate) fn data_of(executable: &Executable, function: &Function) -> BTreeSet<u64> {
    Code::read(executable, function).data
}

struct Code<'a> {
    executable: &'a Executable,
    function: &'a Function,
    instructions: Vec<Instruction>,
    place: BTreeMap<u64, usize>,
    /// Data whose address it takes: a table ends where the next one begins.
    data: BTreeSet<u64>,
}

impl<'a> Code<'a> {
    fn read(executable: &'a Executable, function: &'a Function) -> Self {
        let bytes = executable.bytes(function.start, function.end).unwrap_or_default();
        let decoder = Decoder::with_ip(64, bytes, function.start, DecoderOptions::NONE);
        let instructions: Vec<Instruction> = decoder.into_iter().collect();
        let place = instructions.iter().enumerate().map(|(i, found)| (found.ip(), i)).collect();
        let mut code = Self { executable, function, instructions, place, data: BTreeSet::new() };
        let mut looked = Looked::default();
        for instruction in &code.instructions {
            code.references(instruction, &mut looked);
        }
        code.data = looked.data;
        code
    }

    fn is_inside(&self, address: u64) -> bool {
        (self.function.start..self.function.end).contains(&address)
    }

    /// Everything that an instruction names, whatever it does with it.
    fn references(&self, instruction: &Instruction, looked: &mut Looked) {
        let operands = 0..instruction.op_count();
        let has_memory = operands.clone().any(|i| instruction.op_kind(i) == OpKind::Memory);
        let is_plain = instruction.memory_base() == Register::None
            && instruction.memory_index() == Register::None;
        if instruction.is_ip_rel_memory_operand() {
            self.memory(instruction, instruction.ip_rel_memory_address(), looked);
        } else if has_memory && !self.executable.is_movable() {
            let address = instruction.memory_displacement64();
            if is_plain {
                self.memory(instruction, address, looked);
            } else {
                self.takes(address, looked);
            }
        }
        if !self.executable.is_movable() {
            // Linked at fixed addresses, a number may be one.
            for number in operands.filter_map(|i| instruction.try_immediate(i).ok()) {
                self.takes(number, looked);
            }
        }
    }

    /// An operand at a fixed place: its address if that is all that is asked for, else the words there.
    fn memory(&self, instruction: &Instruction, address: u64, looked: &mut Looked) {
        if instruction.mnemonic() == Mnemonic::Lea {
            return self.takes(address, looked);
        }
        let bytes = (instruction.memory_size().size() as u64).max(8);
        for word in (address..address.saturating_add(bytes)).step_by(8) {
            if let Some(name) = self.executable.import_at(word) {
                looked.imports.insert(name.to_owned());
            } else if let Some(target) = self.executable.pointer_at(word) {
                self.takes(target, looked);
            }
        }
    }

    /// The address of something is handed on.
    fn takes(&self, address: u64, looked: &mut Looked) {
        if self.executable.is_code(address) {
            self.reaches(address, looked);
        } else if self.executable.is_data(address) {
            looked.data.insert(address);
        }
    }

    fn reaches(&self, address: u64, looked: &mut Looked) {
        if !self.is_inside(address) {
            looked.code.insert(address);
        }
    }

    /// Where an instruction goes, if it does not just go on.
    fn target(&self, instruction: &Instruction, known: &Registers, looked: &mut Looked) {
        match instruction.flow_control() {
            FlowControl::Call
            | FlowControl::ConditionalBranch
            | FlowControl::UnconditionalBranch => {
                self.reaches(instruction.near_branch_target(), looked);
            }
            FlowControl::IndirectCall => match self.told(instruction, known) {
                Some(()) => looked.indirect_calls += 1,
                None => looked.open.push(instruction.ip()),
            },
            FlowControl::IndirectBranch => {
                if !self.table(instruction, known).is_empty() {
                    looked.jump_tables += 1;
                } else if self.told(instruction, known).is_some() {
                    looked.indirect_calls += 1;
                } else {
                    looked.open.push(instruction.ip());
                }
            }
            _ => {}
        }
    }

    /// Whether an indirect call's target is among what [`Self::references`] has seen.
    fn told(&self, instruction: &Instruction, known: &Registers) -> Option<()> {
        let leads = |known: Known| match known {
            Known::Address(address) => self.executable.is_code(address),
            Known::Slot(slot) => {
                self.executable.import_at(slot).is_some()
                    || self
                        .executable
                        .pointer_at(slot)
                        .is_some_and(|to| self.executable.is_code(to))
            }
        };
        let found = if instruction.is_ip_rel_memory_operand() {
            Known::Slot(instruction.ip_rel_memory_address())
        } else if instruction.op0_kind() == OpKind::Register {
            *known.get(&instruction.op0_register().full_register())?
        } else {
            return None;
        };
        leads(found).then_some(())
    }

    /// The targets of a jump table, if it is one: four-byte distances from a table whose address is in
    /// a register, or eight-byte addresses at a place that the jump itself names.
    fn table(&self, instruction: &Instruction, known: &Registers) -> BTreeSet<u64> {
        if instruction.op0_kind() == OpKind::Memory {
            let is_by_index = instruction.memory_index() != Register::None
                && instruction.memory_base() == Register::None;
            let base = instruction.memory_displacement64();
            return if is_by_index { self.entries(base, 8) } else { BTreeSet::new() };
        }
        let bases = known.values().filter_map(|known| match known {
            Known::Address(base) if self.executable.is_data(*base) => Some(*base),
            _ => None,
        });
        bases.flat_map(|base| self.entries(base, 4)).collect()
    }

    /// Entries of a table, up to the next table or the first that leads to no instruction of this
    /// function.
    fn entries(&self, base: u64, bytes: u64) -> BTreeSet<u64> {
        let end = self.data.range(base + 1..).next().copied().unwrap_or(u64::MAX);
        let entry = |index: u64| {
            let at = base.checked_add(index.checked_mul(bytes)?)?;
            if at >= end {
                return None;
            }
            let target = if bytes == 4 {
                let distance = self.executable.bytes(at, at.checked_add(4)?)?;
                let distance = i32::from_le_bytes(distance.try_into().ok()?);
                base.wrapping_add_signed(i64::from(distance))
            } else {
                self.executable.pointer_at(at)?
            };
            self.place.contains_key(&target).then_some(target)
        };
        (0..).map_while(entry).collect()
    }

    /// What is known before each instruction; `None` where no path leads.
    fn flow(&self) -> Vec<Option<Registers>> {
        let mut factory = InstructionInfoFactory::new();
        let mut before: Vec<Option<Registers>> = vec![None; self.instructions.len()];
        let mut todo = Vec::new();
        if let Some(first) = before.first_mut() {
            *first = Some(Registers::new());
            todo.push(0);
        }
        while let Some(index) = todo.pop() {
            let instruction = &self.instructions[index];
            let known = before[index].clone().unwrap_or_default();
            let after = self.after(instruction, &known, &mut factory);
            for next in self.successors(index, &known) {
                let merged = match &before[next] {
                    None => after.clone(),
                    Some(there) => both(there, &after),
                };
                if before[next].as_ref() != Some(&merged) {
                    before[next] = Some(merged);
                    todo.push(next);
                }
            }
        }
        before
    }

    fn successors(&self, index: usize, known: &Registers) -> Vec<usize> {
        let instruction = &self.instructions[index];
        let at = |address: u64| self.place.get(&address).copied();
        let next = (index + 1 < self.instructions.len()).then_some(index + 1);
        match instruction.flow_control() {
            FlowControl::Return | FlowControl::Exception => Vec::new(),
            FlowControl::UnconditionalBranch => {
                at(instruction.near_branch_target()).into_iter().collect()
            }
            FlowControl::ConditionalBranch => {
                next.into_iter().chain(at(instruction.near_branch_target())).collect()
            }
            FlowControl::IndirectBranch => {
                self.table(instruction, known).into_iter().filter_map(at).collect()
            }
            _ => next.into_iter().collect(),
        }
    }

    fn after(
        &self,
        instruction: &Instruction,
        known: &Registers,
        factory: &mut InstructionInfoFactory,
    ) -> Registers {
        let mut after = known.clone();
        if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
            after.retain(|register, _| KEPT_BY_CALLS.contains(register));
        }
        for used in factory.info(instruction).used_registers() {
            let writes =
                !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::None);
            if writes {
                after.remove(&used.register().full_register());
            }
        }
        let writes_all = instruction.op_count() == 2
            && instruction.op0_kind() == OpKind::Register
            && instruction.op0_register().size() == 8;
        if writes_all && let Some(value) = self.value(instruction, known) {
            after.insert(instruction.op0_register(), value);
        }
        after
    }

    fn value(&self, instruction: &Instruction, known: &Registers) -> Option<Known> {
        let is_here = instruction.is_ip_rel_memory_operand();
        match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Lea, OpKind::Memory) if is_here => {
                Some(Known::Address(instruction.ip_rel_memory_address()))
            }
            (Mnemonic::Mov, OpKind::Memory) if is_here => {
                Some(Known::Slot(instruction.ip_rel_memory_address()))
            }
            (Mnemonic::Mov, OpKind::Register) => {
                known.get(&instruction.op1_register().full_register()).copied()
            }
            (Mnemonic::Mov, _) if !self.executable.is_movable() => {
                instruction.try_immediate(1).ok().map(Known::Address)
            }
            _ => None,
        }
    }
}

/// What holds on both paths.
fn both(a: &Registers, b: &Registers) -> Registers {
    let same = a.iter().filter(|(register, known)| b.get(register) == Some(known));
    same.map(|(register, known)| (*register, *known)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Looked, look};
    use crate::executable::Executable;

    /// `mov r13, [rip+slot]`: seven bytes, at `at`.
    fn load_r13(at: u64, slot: u64) -> Vec<u8> {
        let distance = i32::try_from(slot - (at + 7)).expect("near");
        [&[0x4c, 0x8b, 0x2d][..], &distance.to_le_bytes()].concat()
    }

    /// `call r13`.
    const CALL_R13: [u8; 3] = [0x41, 0xff, 0xd5];
    const RET: [u8; 1] = [0xc3];
    const SLOT: u64 = 0x9000;

    fn looked(code: &[u8]) -> Looked {
        let executable = Executable::of(&[(0x1000, "f", code)], &[(SLOT, "clock_gettime")]);
        look(&executable, &executable.functions()[0])
    }

    #[test]
    fn a_register_that_holds_a_name_on_every_path_is_told() {
        let looked = looked(&[&load_r13(0x1000, SLOT)[..], &CALL_R13, &RET].concat());
        assert!(looked.open.is_empty(), "{looked:?}");
        assert_eq!(looked.indirect_calls, 1);
        assert!(looked.imports.contains("clock_gettime"));
    }

    #[test]
    fn a_register_that_holds_it_on_one_of_two_paths_is_open() {
        // test eax, eax; je +7 over the load; load; call.
        let code =
            [&[0x85, 0xc0, 0x74, 0x07][..], &load_r13(0x1004, SLOT), &CALL_R13, &RET].concat();
        assert_eq!(looked(&code).open, [0x100b]);
    }

    #[test]
    fn a_register_that_was_written_since_is_open() {
        // mov r13, rax between load and call.
        let code = [&load_r13(0x1000, SLOT)[..], &[0x49, 0x89, 0xc5], &CALL_R13, &RET].concat();
        assert_eq!(looked(&code).open, [0x100a]);
        // xor r13d, r13d writes the whole of it too.
        let code = [&load_r13(0x1000, SLOT)[..], &[0x45, 0x31, 0xed], &CALL_R13, &RET].concat();
        assert_eq!(looked(&code).open, [0x100a]);
    }

    #[test]
    fn a_register_that_calls_may_change_is_open_after_one() {
        // mov rax, [rip+slot]; call rax; call rax.
        let distance = i32::try_from(SLOT - 0x1007).expect("near").to_le_bytes();
        let code = [&[0x48, 0x8b, 0x05][..], &distance, &[0xff, 0xd0, 0xff, 0xd0], &RET].concat();
        assert_eq!(looked(&code).open, [0x1009]);
    }

    #[test]
    fn a_call_through_a_table_of_methods_is_open() {
        // call [rax+0x18].
        assert_eq!(looked(&[0xff, 0x50, 0x18, 0xc3]).open, [0x1000]);
    }

    #[test]
    fn a_jump_by_a_table_into_the_function_is_told_and_others_are_open() {
        // lea rcx, [rip+table]; movsxd rax, [rcx+rax*4]; add rax, rcx; jmp rax; ret.
        let table = 0x5000_u64;
        let distance = i32::try_from(table - 0x1007).expect("near").to_le_bytes();
        let code = [
            &[0x48, 0x8d, 0x0d][..],
            &distance,
            &[0x48, 0x63, 0x04, 0x81, 0x48, 0x01, 0xc8, 0xff, 0xe0],
            &RET,
        ]
        .concat();
        let entry = |to: u64| i32::try_from(i64::try_from(to).expect("small") - 0x5000);
        let inside = entry(0x1010).expect("near").to_le_bytes();
        let outside = entry(0x2000).expect("near").to_le_bytes();
        let with = |data: &[u8]| {
            let executable = Executable::of(&[(0x1000, "f", &code)], &[]).with_data(table, data);
            look(&executable, &executable.functions()[0])
        };
        let told = with(&[inside, outside].concat());
        assert_eq!((told.jump_tables, told.open.len()), (1, 0));
        assert_eq!(with(&outside).open, [0x100e]);
    }

    #[test]
    fn calls_and_jumps_out_of_the_function_are_seen() {
        // call 0x2000; jmp 0x3000.
        let code =
            [&[0xe8][..], &0xffb_i32.to_le_bytes(), &[0xe9], &0x1ff6_i32.to_le_bytes()].concat();
        assert_eq!(looked(&code).code.into_iter().collect::<Vec<_>>(), [0x2000, 0x3000]);
    }
}

; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: Linux 7.4, Documentation/bpf/linux-notes.rst: callx calls the static function whose address the register holds; which one is known on
     each path

== the option is not chosen
refuse: calls by a register (callx), which Linux before 7.4 refuses (a rule of the kernel; the option callx permits it)
r2 = function 1 ll
callx r2
exit
-- function 1
r0 = 0
exit

== a function
callx
accept
result: 6
r1 = 5
r2 = function 1 ll
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit

== by every register, r0 first
callx
accept
result: 30
*(u64 *)(r10 - 8) = 0
r0 = function 1 ll
callx r0
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r1 = function 1 ll
callx r1
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r2 = function 1 ll
callx r2
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r3 = function 1 ll
callx r3
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r4 = function 1 ll
callx r4
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r5 = function 1 ll
callx r5
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r6 = function 1 ll
callx r6
r7 = *(u64 *)(r10 - 8)
r7 += r0
*(u64 *)(r10 - 8) = r7
r7 = function 1 ll
callx r7
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r8 = function 1 ll
callx r8
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r9 = function 1 ll
callx r9
r6 = *(u64 *)(r10 - 8)
r6 += r0
*(u64 *)(r10 - 8) = r6
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = 3
exit

; 77 & 1: function 2, 177; 0: function 1, 107
== one of two functions, a path each
callx
accept
r3: 77
result: 177
r2 = function 1 ll
r3 &= 1
if r3 == 0 goto +2
r2 = function 2 ll
r1 = 77
callx r2
exit
-- function 1
r0 = r1
r0 += 30
exit
-- function 2
r0 = r1
r0 += 100
exit

== the other one of two functions
callx
accept
r3: 78
result: 107
r2 = function 1 ll
r3 &= 1
if r3 == 0 goto +2
r2 = function 2 ll
r1 = 77
callx r2
exit
-- function 1
r0 = r1
r0 += 30
exit
-- function 2
r0 = r1
r0 += 100
exit

; If paths that differ in the callee alone were taken for one, the second function would go unseen.
== one of two functions, the second is wrong
callx
refuse: calls helper 0
r2 = function 1 ll
if r3 == 0 goto +2
r2 = function 2 ll
r6 = 1
r7 = 2
r8 = 3
r9 = 4
r1 = 1
r4 = 0
r5 = 0
callx r2
r0 = 0
exit
-- function 1
r0 = 0
exit
-- function 2
r1 = r4
callx r1
exit

== one of two functions, and what the second returns is out of bounds
callx
refuse: behind its end
r6 = r4
r2 = function 1 ll
if r3 == 0 goto +2
r2 = function 2 ll
callx r2
r6 += r0
r0 = *(u8 *)(r6 + 0)
exit
-- function 1
r0 = 255
exit
-- function 2
r0 = 256
exit

== the address is an argument of a function that calls it
callx
accept
result: 45
r1 = function 2 ll
r2 = 40
call function 1
r6 = r0
r1 = function 3 ll
r2 = 2
call function 1
r0 += r6
exit
-- function 1
r3 = r1
r1 = r2
callx r3
exit
-- function 2
r0 = r1
r0 += 2
exit
-- function 3
r0 = r1
r0 += 1
exit

== a function returns the address of another
callx
accept
result: 2
call function 1
r1 = 1
callx r0
exit
-- function 1
r0 = function 2 ll
exit
-- function 2
r0 = r1
r0 += 1
exit

== the address is kept in the stack over a call
callx
accept
result: 9
r2 = function 1 ll
*(u64 *)(r10 - 8) = r2
call 8
r1 = 7
r9 = *(u64 *)(r10 - 8)
callx r9
exit
-- function 1
r0 = r1
r0 += 2
exit

== half of the address is overwritten in the stack
callx
refuse: reads stack that was not written
r2 = function 1 ll
*(u64 *)(r10 - 8) = r2
*(u32 *)(r10 - 8) = 1
r2 = *(u64 *)(r10 - 8)
callx r2
exit
-- function 1
r0 = 0
exit

== r6 to r9 stay
callx
accept
result: 11
r6 = 1
r7 = 2
r8 = 3
r9 = 4
r1 = 1
r2 = function 1 ll
callx r2
r0 += r6
r0 += r7
r0 += r8
r0 += r9
exit
-- function 1
r6 = 100
r7 = 100
r8 = 100
r9 = 100
r0 = r1
exit

== r1 is lost
callx
refuse: reads r1, which has no value here
r1 = 5
r2 = function 1 ll
callx r2
r0 = r1
exit
-- function 1
r0 = 0
exit

== the callee writes the caller's stack, and has its own
callx
accept
result: 49
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = 7
r1 = r10
r1 += -8
r2 = function 1 ll
callx r2
r0 = *(u64 *)(r10 - 8)
r1 = *(u64 *)(r10 - 16)
r0 += r1
exit
-- function 1
*(u64 *)(r10 - 16) = 99
r2 = 42
*(u64 *)(r1 + 0) = r2
r0 = 0
exit

; r3 is 1000 or 0: the first would be out of bounds
== what the callee reads of the caller's stack counts as read
callx
refuse: behind its end
r9 = r4
r8 = 1000
*(u64 *)(r10 - 8) = r8
if r3 == 0 goto +2
r8 = 0
*(u64 *)(r10 - 8) = r8
r1 = r10
r1 += -8
r2 = r9
r3 = function 1 ll
callx r3
exit
-- function 1
r3 = *(u64 *)(r1 + 0)
r2 += r3
r0 = *(u8 *)(r2 + 0)
exit

== a number that is none of a helper's
callx
refuse: calls helper 0, which this engine does not have
r1 = 0
callx r1
exit

== any number
callx
refuse: neither the address of a function nor a known number of a helper
callx r3
exit

== a number that is too large for a helper's
callx
refuse: neither the address of a function nor a known number of a helper
r3 = 0x100000000 ll
callx r3
exit

== nothing
callx
refuse: reads r5, which has no value here
callx r5
exit

== the stack
callx
refuse: neither the address of a function nor a known number of a helper
callx r10
exit

== the value of a table
callx
refuse: neither the address of a function nor a known number of a helper
r1 = table_value 2 + 0 ll
callx r1
exit

== an address moved
callx
refuse: computes with what is not the address of memory
r1 = 5
r2 = function 1 ll
r2 += 8
callx r2
exit
-- function 1
r0 = 0
exit

== a global function
callx
refuse: takes the address of a global function
r1 = 5
r2 = function 1 ll
callx r2
exit
-- function 1: int (int)
r0 = r1
exit

== a field that is not used: imm
callx
refuse: a field that the instruction does not use is not zero
r1 = 5
r2 = function 1 ll
.insn 0x8d 2 0 0 1
exit
-- function 1
r0 = r1
exit

== a field that is not used: src
callx
refuse: a field that the instruction does not use is not zero
r1 = 5
r2 = function 1 ll
.insn 0x8d 2 1 0 0
exit
-- function 1
r0 = r1
exit

== of 32 bits there is none
callx
refuse: not an instruction of eBPF
r2 = function 1 ll
.insn 0x8e 2 0 0 0
exit
-- function 1
r0 = r1
exit

== a function that calls itself without end
callx
refuse: nested more than 8 deep
r1 = function 1 ll
call function 1
exit
-- function 1
callx r1
exit

== a function that calls itself twice
callx
refuse: calls itself, directly or through others
r1 = function 1 ll
r2 = 2
call function 1
exit
-- function 1
r0 = 0
if r2 == 0 goto +2
r2 += -1
callx r1
exit

== two functions that call each other
callx
refuse: calls itself, directly or through others
r1 = function 1 ll
r2 = function 2 ll
r3 = 3
call function 1
exit
-- function 1
r0 = 0
if r3 == 0 goto +5
r3 += -1
r4 = r1
r1 = r2
r2 = r4
callx r1
exit
-- function 2
r0 = 0
if r3 == 0 goto +5
r3 += -1
r4 = r1
r1 = r2
r2 = r4
callx r1
exit

== the stack of the callee counts
callx
refuse: take more than 512 bytes of stack
r1 = function 2 ll
call function 1
exit
-- function 1
r0 = 0
*(u64 *)(r10 - 264) = r0
callx r1
exit
-- function 2
r0 = 0
*(u64 *)(r10 - 256) = r0
exit

== as much stack as there is
callx
accept
result: 5
r1 = function 2 ll
call function 1
exit
-- function 1
r0 = 5
*(u64 *)(r10 - 224) = r0
callx r1
exit
-- function 2
r0 = 5
*(u64 *)(r10 - 256) = r0
exit

== a tail call in the callee
callx
refuse: a tail call in a function that is called by a register
r1 = r2
r3 = function 1 ll
callx r3
r0 = 0
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit

== a tail call behind the call
callx
accept
result: 3
r6 = r2
r1 = 2
r2 = function 1 ll
callx r2
r7 = r0
r1 = r6
r2 = table 22 ll
r3 = 0
call 12
r0 = r7
exit
-- function 1
r0 = r1
r0 += 1
exit

== with a lock held
callx
accept
result: 3
r1 = 17
r7 = 0
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = table 17 ll
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
call 93
r1 = 1
r2 = function 1 ll
callx r2
r7 = r0
r1 = r6
call 94
out:
r0 = r7
exit
-- function 1
r0 = r1
r0 += 2
exit

== a helper called with a lock held, in the callee
callx
refuse: calls a helper
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = table 17 ll
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
call 93
r2 = function 1 ll
callx r2
r1 = r6
call 94
out:
r0 = 0
exit
-- function 1
call 8
exit

== what the callee returns is known
callx
accept
result: 13
r6 = r4
r1 = 13
r2 = function 1 ll
callx r2
r6 += r0
*(u8 *)(r6 + 242) = 1
exit
-- function 1
r0 = r1
exit

== the address of a function that nobody calls
callx
accept
result: 6
r6 = function 1 ll
r7 = function 2 ll
r1 = 5
callx r6
if r7 != r6 goto +1
r0 = 0
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = 9
exit

== an address compared with null
callx
accept
result: 4
r6 = function 1 ll
r0 = 3
if r6 == 0 goto +1
callx r6
exit
-- function 1
r0 = 4
exit

== called by a register in a function that a helper calls back, which takes its own from the context
callx
accept
result: 30
r1 = function 2 ll
*(u64 *)(r10 - 8) = r1
*(u64 *)(r10 - 16) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -16
r4 = 0
call 181
r0 = *(u64 *)(r10 - 16)
exit
-- function 1
r6 = r2
r3 = *(u64 *)(r2 + 8)
callx r3
r1 = *(u64 *)(r6 + 0)
r1 += r0
*(u64 *)(r6 + 0) = r1
r0 = 0
exit
-- function 2
r0 = 3
exit

== a helper calls back in a function that is called by a register
callx
accept
result: 10
r2 = function 1 ll
callx r2
exit
-- function 1
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 2 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 2
r1 = *(u64 *)(r2 + 0)
r1 += 1
*(u64 *)(r2 + 0) = r1
r0 = 0
exit

== an address leaves the program
callx
refuse: stores an address outside of the stack
stricter: the kernel lets the privileged keep addresses anywhere; ours never leave a program
r2 = function 1 ll
*(u64 *)(r4 + 0) = r2
r0 = 0
exit
-- function 1
r0 = 0
exit

why: Linux 7.4, Documentation/bpf/linux-notes.rst: pointers to functions are read with loads of 64 bits from a read-only table, where they may be
     mixed with other data. Table 23 holds functions 1 and 2, the numbers 0 and 5, and function 2 once more

== a function from a table
callx
accept
result: 7
r1 = table_value 23 + 8 ll
r2 = *(u64 *)(r1 + 0)
r1 = 5
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== a function behind data
callx
accept
result: 7
r1 = table_value 23 + 24 ll
r2 = *(u64 *)(r1 + 8)
r1 = 5
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== the value looked up as any other
callx
accept
result: 6
*(u32 *)(r10 - 4) = 0
r1 = table 23 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto +3
r2 = *(u64 *)(r0 + 0)
r1 = 5
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== one by an index
callx
accept
r3: 77
result: 7
r3 &= 1
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
r1 = 5
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== the other one by an index
callx
accept
r3: 78
result: 6
r3 &= 1
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
r1 = 5
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== one by an index, the second is wrong
callx
refuse: reads r3, which has no value here
r3 &= 1
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
r3 = function 1 ll
callx r2
r0 = r3
exit
-- function 1
r0 = r1
exit
-- function 2
r0 = r1
exit

== one by an index, and what the second gives is out of bounds
callx
refuse: behind its end
r6 = r4
r3 &= 1
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
callx r2
r6 += r0
r0 = *(u8 *)(r6 + 0)
exit
-- function 1
r0 = 255
exit
-- function 2
r0 = 256
exit

== no function where there is none: null is asked for
callx
accept
r3: 2
result: 9
r0 = 9
if r3 > 2 goto out
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
if r2 == 0 goto out
r1 = 5
callx r2
out:
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== null is not asked for
callx
refuse: calls helper 0
r0 = 9
if r3 > 2 goto out
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
r1 = 5
callx r2
out:
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== different numbers beside the functions
callx
refuse: neither the address of a function nor a known number of a helper
r0 = 9
if r3 > 4 goto out
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
if r2 == 0 goto out
r1 = 5
callx r2
out:
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== a number from the table
callx
accept
result: 5
r1 = table_value 23 + 24 ll
r0 = *(u64 *)(r1 + 0)
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== half of an address
callx
refuse: neither the address of a function nor a known number of a helper
r1 = table_value 23 + 0 ll
r2 = *(u32 *)(r1 + 0)
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== between two addresses
callx
refuse: neither the address of a function nor a known number of a helper
r3 &= 7
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== behind the table
callx
refuse: behind its end
r3 &= 7
r3 <<= 3
r1 = table_value 23 + 0 ll
r1 += r3
r2 = *(u64 *)(r1 + 0)
callx r2
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== written into
callx
refuse: writes into a table that programs may only read
r1 = table_value 23 + 0 ll
*(u64 *)(r1 + 0) = 1
r0 = 0
exit
-- function 1
r0 = r1
r0 += 1
exit
-- function 2
r0 = r1
r0 += 2
exit

== functions that the object does not have
callx
refuse: refers to a table of functions that the object does not have
stricter: the kernel has none of the object's functions in its map
r1 = table_value 23 + 0 ll
r0 = 0
exit
-- function 1
r0 = 0
exit

== one function of a table calls another of it
callx
accept
result: 12
r1 = table_value 23 + 0 ll
r2 = *(u64 *)(r1 + 0)
r1 = 10
callx r2
exit
-- function 1
r2 = table_value 23 + 8 ll
r3 = *(u64 *)(r2 + 0)
callx r3
exit
-- function 2
r0 = r1
r0 += 2
exit

== one function of a table calls itself
callx
refuse: nested more than 8 deep
r1 = table_value 23 + 0 ll
r2 = *(u64 *)(r1 + 0)
callx r2
exit
-- function 1
r2 = table_value 23 + 0 ll
r3 = *(u64 *)(r2 + 0)
callx r3
exit
-- function 2
r0 = 0
exit

== a global function from a table
callx
refuse: calls the global function "a global function from a table" by its address
r1 = table_value 23 + 0 ll
r2 = *(u64 *)(r1 + 0)
r1 = 5
callx r2
exit
-- function 1: int (int)
r0 = r1
exit
-- function 2
r0 = 0
exit

== called back from a table without the option
refuse: argument 2 of loop: must be a function
r1 = table_value 23 + 0 ll
r2 = *(u64 *)(r1 + 0)
r1 = 3
r3 = 0
r4 = 0
call 181
r0 = 0
exit
-- function 1
r0 = 0
exit
-- function 2
r0 = 0
exit

== called back from a table
callx
accept
result: 3
*(u64 *)(r10 - 8) = 0
r1 = table_value 23 + 0 ll
r2 = *(u64 *)(r1 + 0)
r1 = 3
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r1 = *(u64 *)(r2 + 0)
r1 += 1
*(u64 *)(r2 + 0) = r1
r0 = 0
exit
-- function 2
r0 = 0
exit

why: bpf_conformance, tests/callx.data, and clang -O0: the register holds the number of a helper

; get_current_pid_tgid twice
== a helper by its number
callx
accept
result: 0
call 14
r6 = r0
r2 = 14
callx r2
r0 -= r6
exit

== a helper with five arguments, in a loop that keeps its number
callx
accept
result: 5
r6 = 0
r7 = 2
r8 = 5
again:
*(u64 *)(r10 - 8) = r8
*(u64 *)(r10 - 16) = r8
*(u64 *)(r10 - 24) = r8
r1 = table 0 ll
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r4 = 0
callx r7
r6 += 1
r8 += -1
if r8 != 0 goto again
r0 = r6
exit

== arguments are those of the helper
callx
refuse: argument 1 of map_lookup_elem: must be a table
r1 = 5
r2 = r10
r6 = 1
callx r6
r0 = 0
exit

== one of two helpers, each with its own result
callx
refuse: computes with an address that may be null
*(u32 *)(r10 - 4) = 0
r1 = table 1 ll
r2 = r10
r2 += -4
r6 = 8
if r3 == 0 goto +1
r6 = 1
callx r6
r0 += 1
r0 = 0
exit

== a helper on one path, a function on the other
callx
accept
r3: 77
result: 8
r6 = 8
if r3 == 0 goto +2
r6 = function 1 ll
callx r6
r0 <<= 3
exit
-- function 1
r0 = 1
exit

== the helper on that path
callx
accept
r3: 0
result: 0
r6 = 8
if r3 == 0 goto +2
r6 = function 1 ll
callx r6
r0 &= 0
exit
-- function 1
r0 = 1
exit

; The number decides what is called: of two paths that differ in it, neither stands for the other.
== one of two numbers, the second is no helper
callx
refuse: calls helper 9999
r6 = 8
if r3 == 0 goto +1
r6 = 9999
r7 = 1
r8 = 2
r9 = 3
r7 += 1
r8 += 1
r9 += 1
r7 += 1
if r7 == 0 goto +0
callx r6
r0 = 0
exit

== a tail call
callx
refuse: calls tail_call by a register; write the call with its number
r1 = r2
r2 = table 22 ll
r3 = 0
r6 = 12
callx r6
r0 = 0
exit

== a helper that calls back
callx
refuse: calls loop by a register; write the call with its number
r1 = 10
r2 = function 1 ll
r3 = 0
r4 = 0
r6 = 181
callx r6
r0 = 0
exit
-- function 1
r0 = 0
exit

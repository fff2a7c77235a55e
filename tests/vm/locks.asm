; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
; Table 16: values of 16 bytes with a lock at 8; table 17: one value of 16 bytes with a lock at 0.
why: bpf-helpers(7), bpf_spin_lock: one lock at a time, given back on every path, no calls meanwhile, and nobody touches its bytes

== locked, changed, unlocked
accept
result: 7
r6 = table_value 17 + 0 ll
r1 = r6
call 93
*(u64 *)(r6 + 8) = 7
r1 = r6
call 94
r0 = *(u64 *)(r6 + 8)
exit

== the lock of an entry that was looked up
accept
result: 3
*(u64 *)(r10 - 8) = 1
*(u64 *)(r10 - 24) = 3
*(u64 *)(r10 - 16) = 0
r1 = table 16 ll
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r4 = 0
call 2
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
r1 += 8
call 93
r7 = *(u64 *)(r6 + 0)
r1 = r6
r1 += 8
call 94
r0 = r7
exit
out: r0 = 0
exit

== what stands in the place of the lock is not copied into it
accept
result: 9
*(u64 *)(r10 - 8) = 1
*(u64 *)(r10 - 24) = 9
*(u64 *)(r10 - 16) = -1
r1 = table 16 ll
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r4 = 0
call 2
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
r1 += 8
call 93
r7 = *(u64 *)(r6 + 0)
r1 = r6
r1 += 8
call 94
r0 = r7
exit
out: r0 = 0
exit

== update that asks for the lock
accept
result: 0
*(u64 *)(r10 - 8) = 1
*(u64 *)(r10 - 24) = 9
*(u64 *)(r10 - 16) = 0
r1 = table 16 ll
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r4 = 4
call 2
exit

== update that asks for a lock where there is none
accept
result: -22
*(u64 *)(r10 - 8) = 1
*(u64 *)(r10 - 24) = 9
*(u64 *)(r10 - 16) = 0
r1 = table 0 ll
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r4 = 4
call 2
exit

== loop under the lock
accept
result: 45
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r7 = 0
r8 = 0
again: r8 += r7
r7 += 1
if r7 < 10 goto again
r1 = r6
call 94
r0 = r8
exit

== unlocked by a function of the program
accept
result: 0
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r1 = r6
call function 1
r0 = 0
exit
-- function 1
call 94
r0 = 0
exit

== locked by a function of the program
accept
result: 0
r1 = table_value 17 + 0 ll
call function 1
r1 = table_value 17 + 0 ll
call 94
r0 = 0
exit
-- function 1
call 93
r0 = 0
exit

== unlocked on both ways
accept
r6 = table_value 17 + 0 ll
r7 = r3
r1 = r6
call 93
if r7 == 0 goto other
*(u64 *)(r6 + 8) = 1
r1 = r6
call 94
r0 = 1
exit
other: r1 = r6
call 94
r0 = 0
exit

== the same lock twice, one after the other
accept
result: 0
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r1 = r6
call 94
r1 = r6
call 93
r1 = r6
call 94
r0 = 0
exit

== never unlocked
refuse: ends while a lock of table "lock" is held
r1 = table_value 17 + 0 ll
call 93
r0 = 0
exit

== unlocked on one way only
refuse: ends while a lock
r6 = table_value 17 + 0 ll
r7 = r3
r1 = r6
call 93
if r7 == 0 goto out
r1 = r6
call 94
out: r0 = 0
exit

== locked twice
refuse: takes a lock while it holds one
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r1 = r6
call 93
r1 = r6
call 94
r0 = 0
exit

== unlocked without a lock
refuse: does not hold
r1 = table_value 17 + 0 ll
call 94
r0 = 0
exit

== unlocked twice
refuse: does not hold
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r1 = r6
call 94
r1 = r6
call 94
r0 = 0
exit

== lock of one table, unlock of another
refuse: gives back another lock
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r6 = r0
r1 = table_value 17 + 0 ll
call 93
r1 = r6
r1 += 8
call 94
out: r0 = 0
exit

== lock of one entry, unlock of another
refuse: gives back another lock
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 8) = 2
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r7 = r0
r1 = r6
r1 += 8
call 93
r1 = r7
r1 += 8
call 94
out: r0 = 0
exit

== one entry or another, by a branch, and pruning must not take one for the other
refuse: gives back another lock
r8 = r3
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 8) = 2
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r7 = r0
r9 = r6
if r8 == 0 goto same
r9 = r7
same: r1 = r6
r1 += 8
call 93
r1 = r9
r1 += 8
call 94
out: r0 = 0
exit

== a helper is called under the lock
refuse: calls a helper while a lock
r6 = table_value 17 + 0 ll
r1 = r6
call 93
call 7
r1 = r6
call 94
r0 = 0
exit

== a lookup under the lock
refuse: calls a helper while a lock
r6 = table_value 17 + 0 ll
*(u32 *)(r10 - 8) = 0
r1 = r6
call 93
r1 = table 1 ll
r2 = r10
r2 += -8
call 1
r1 = r6
call 94
r0 = 0
exit

== the lock of what may be null
refuse: may be null
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
r1 = r0
call 93
r0 = 0
exit

== not the place of the lock
refuse: is at offset 0
r1 = table_value 17 + 4 ll
call 93
r0 = 0
exit

== a place that is not known
refuse: is at offset 0
r3 &= 4
r1 = table_value 17 + 0 ll
r1 += r3
call 93
r0 = 0
exit

== a table without locks
refuse: must be the lock
r1 = table_value 2 + 0 ll
call 93
r0 = 0
exit

== the stack has no locks
refuse: must be the lock
*(u64 *)(r10 - 8) = 0
r1 = r10
r1 += -8
call 93
r0 = 0
exit

== no address
refuse: must be the lock
r1 = 0
call 93
r0 = 0
exit

== the lock is written
refuse: may touch the lock
r1 = table_value 17 + 0 ll
*(u32 *)(r1 + 0) = 1
r0 = 0
exit

== the lock is read
refuse: may touch the lock
r1 = table_value 17 + 0 ll
r0 = *(u32 *)(r1 + 0)
exit

== a byte of the lock, with what is beside it
refuse: may touch the lock
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
call 1
if r0 == 0 goto out
r0 = *(u8 *)(r0 + 11)
out: r0 = 0
exit

== beside the lock
accept
result: 0
r1 = table_value 17 + 0 ll
r0 = *(u32 *)(r1 + 4)
exit

== the lock by a place that varies
refuse: may touch the lock
r3 &= 8
r1 = table_value 17 + 0 ll
r1 += r3
r0 = *(u64 *)(r1 + 0)
r0 = 0
exit

== a helper that fills the lock
refuse: may touch the lock
r1 = table_value 17 + 0 ll
r2 = 16
r3 = 0
call 113
r0 = 0
exit

== a helper that reads the lock
refuse: may touch the lock
*(u64 *)(r10 - 8) = 1
r1 = table 16 ll
r2 = r10
r2 += -8
r3 = table_value 17 + 0 ll
r4 = 0
call 2
r0 = 0
exit

== the lock changed by an atomic instruction
refuse: may touch the lock
r1 = table_value 17 + 0 ll
r2 = 1
lock *(u32 *)(r1 + 0) += r2
r0 = 0
exit

== a function that is called back keeps the lock
refuse: is called back ends while a lock
r1 = 4
r2 = function 1 ll
r3 = 0
r4 = 0
call 181
r0 = 0
exit
-- function 1
r1 = table_value 17 + 0 ll
call 93
r0 = 0
exit

== a function that is called back locks and unlocks
accept
result: 4
r1 = 4
r2 = function 1 ll
r3 = 0
r4 = 0
call 181
r1 = table_value 17 + 0 ll
r0 = *(u64 *)(r1 + 8)
exit
-- function 1
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r7 = *(u64 *)(r6 + 8)
r7 += 1
*(u64 *)(r6 + 8) = r7
r1 = r6
call 94
r0 = 0
exit

== r0 is nothing afterwards
refuse: reads r0
r6 = table_value 17 + 0 ll
r1 = r6
call 93
r1 = r6
call 94
exit

== the lock of an entry that an earlier call back was given
refuse: gives back another lock than it holds
stricter: the kernel knows the values of for_each_map_elem by their table alone, and would leave one lock held for good
*(u64 *)(r10 - 8) = 0
r1 = table 16 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = 0
exit
-- function 1
r6 = r3
r8 = *(u64 *)(r4 + 0)
*(u64 *)(r4 + 0) = r6
if r8 == 0 goto out
r1 = r6
r1 += 8
call 93
r1 = r8
r1 += 8
call 94
out: r0 = 0
exit

== the lock of the entry that a call back is given
accept
*(u64 *)(r10 - 8) = 0
r1 = table 16 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = 0
exit
-- function 1
r6 = r3
r1 = r6
r1 += 8
call 93
r7 = *(u64 *)(r6 + 0)
r7 += 1
*(u64 *)(r6 + 0) = r7
r1 = r6
r1 += 8
call 94
r0 = 0
exit

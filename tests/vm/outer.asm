; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
; Table 18: array of arrays of 4 values of 8 bytes, table 1 at 1; 19: hash table of hash tables of 16 bytes, table 0 at 7; 20: array of tables
; with locks, table 16 at 0; 21: array of ring buffers, table 3 at 0.
why: bpf(2), tables of tables: a lookup gives a table or null, which is alike in all that its users rely on; programs change nothing in the outer one

== a value of a table that was looked up
accept
result: 77
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u32 *)(r10 - 4) = 2
r1 = r6
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
*(u64 *)(r0 + 0) = 77
*(u32 *)(r10 - 4) = 2
r1 = table 1 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 0)
out: exit

== a place where nothing is
accept
result: 2
*(u32 *)(r10 - 4) = 0
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto none
r0 = 1
exit
none: r0 = 2
exit

== a place that does not exist
accept
result: 2
*(u32 *)(r10 - 4) = 4
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto none
r0 = 1
exit
none: r0 = 2
exit

== a table by key
accept
result: 7
*(u32 *)(r10 - 4) = 7
r1 = table 19 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 16) = 5
*(u64 *)(r10 - 32) = 6
*(u64 *)(r10 - 24) = 7
r1 = r6
r2 = r10
r2 += -16
r3 = r10
r3 += -32
r4 = 0
call 2
if r0 != 0 goto out
r1 = table 0 ll
r2 = r10
r2 += -16
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 8)
out: exit

== a key that is not there
accept
result: 2
*(u32 *)(r10 - 4) = 6
r1 = table 19 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto none
r0 = 1
exit
none: r0 = 2
exit

== delete in a table that was looked up
accept
result: -2
*(u32 *)(r10 - 4) = 7
r1 = table 19 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 16) = 5
r1 = r6
r2 = r10
r2 += -16
call 3
out: exit

== a record of a ring buffer that was looked up
accept
result: 9
*(u32 *)(r10 - 4) = 0
r1 = table 21 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 8
r3 = 0
call 131
if r0 == 0 goto out
*(u64 *)(r0 + 0) = 1
r1 = r0
r2 = 0
call 133
r0 = 9
out: exit

== its record is given back, too
refuse: while a record is reserved
*(u32 *)(r10 - 4) = 0
r1 = table 21 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 8
r3 = 0
call 131
r0 = 0
out: exit

== walked
accept
result: 4
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = function 1 ll
r3 = 0
r4 = 0
call 164
out: exit
-- function 1
r0 = *(u64 *)(r3 + 0)
r0 = 0
exit

== the lock of a value in it
accept
result: 0
*(u32 *)(r10 - 4) = 0
r1 = table 20 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 16) = 5
r1 = r6
r2 = r10
r2 += -16
call 1
if r0 == 0 goto out
r7 = r0
r1 = r7
r1 += 8
call 93
r1 = r7
r1 += 8
call 94
r0 = 0
out: r0 = 0
exit

== the lock of a value in it is not touched
refuse: may touch the lock
*(u32 *)(r10 - 4) = 0
r1 = table 20 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 16) = 5
r1 = r6
r2 = r10
r2 += -16
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 8)
out: r0 = 0
exit

== two ways, two tables of one outer table
accept
result: 0
r7 = r3
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u32 *)(r10 - 4) = 0
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
if r7 == 0 goto use
r6 = r0
use: *(u32 *)(r10 - 4) = 2
r1 = r6
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 0)
out: r0 = 0
exit

== kept in the stack meanwhile
accept
result: 0
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
*(u64 *)(r10 - 16) = r0
r1 = *(u64 *)(r10 - 16)
if r1 == 0 goto out
*(u32 *)(r10 - 4) = 3
r1 = *(u64 *)(r10 - 16)
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 0)
out: r0 = 0
exit

== not compared with null
refuse: the table may be null
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
*(u32 *)(r10 - 4) = 2
r1 = r0
r2 = r10
r2 += -4
call 1
r0 = 0
exit

== what was looked up is no memory
refuse: what is not the address of memory
stricter: the kernel lets programs read its own description of a table
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r0 = *(u64 *)(r6 + 8)
out: r0 = 0
exit

== written to
refuse: what is not the address of memory
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r6 + 0) = 0
out: r0 = 0
exit

== moved
refuse: computes with what is not the address of memory
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r6 += 8
r0 = 0
exit
out: r0 = 0
exit

== update of the outer table
refuse: does not work on this kind
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
*(u32 *)(r10 - 8) = 0
r1 = table 18 ll
r2 = r10
r2 += -4
r3 = r10
r3 += -8
r4 = 0
call 2
r0 = 0
exit

== delete in the outer table
refuse: does not work on this kind
*(u32 *)(r10 - 4) = 1
r1 = table 19 ll
r2 = r10
r2 += -4
call 3
r0 = 0
exit

== the outer table walked
refuse: does not work on this kind
r1 = table 18 ll
r2 = function 1 ll
r3 = 0
r4 = 0
call 164
r0 = 0
exit
-- function 1
r0 = 0
exit

== behind the end of a value in it
refuse: behind its end
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u32 *)(r10 - 4) = 2
r1 = r6
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 8)
out: r0 = 0
exit

== a key of another size
refuse: reads stack that was not written
stricter: the kernel lets the privileged read stack that was not written; we never do
*(u32 *)(r10 - 4) = 7
r1 = table 19 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u32 *)(r10 - 16) = 2
r1 = r6
r2 = r10
r2 += -16
call 1
r0 = 0
out: exit

== a helper for another kind
refuse: does not work on this kind
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 16) = 2
r1 = r6
r2 = r10
r2 += -16
r3 = 0
call 87
r0 = 0
out: exit

== its address is no number to keep
refuse: stores an address outside
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
r1 = table_value 2 + 0 ll
*(u64 *)(r1 + 0) = r6
out: r0 = 0
exit

== its address is not returned
refuse: returns an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
exit

== a table taken for one of another outer table
refuse: behind its end
r7 = r3
*(u32 *)(r10 - 4) = 1
r1 = table 18 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r6 = r0
*(u32 *)(r10 - 4) = 7
r1 = table 19 ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
*(u64 *)(r10 - 16) = 0
if r7 == 0 goto use
r6 = r0
use: r1 = r6
r2 = r10
r2 += -16
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 8)
out: r0 = 0
exit


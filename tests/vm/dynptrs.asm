; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: bpf-helpers(7), the helpers of dynptrs: 16 bytes of stack that only helpers look into; what was reserved is given back whatever happened

== reserved and submitted
accept
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== reserved, size known at run time, discarded
accept
r1 = table 3 ll
r2 = r3
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
call 200
r0 = 0
exit

== reserved and never given back
refuse: while a record is reserved
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r0 = 0
exit

== given back twice
refuse: no dynptr here
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
call 199
r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== given back on one way only
refuse: while a record is reserved
r6 = r3
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
if r6 == 0 goto out
r1 = r10
r1 += -16
r2 = 0
call 199
out: r0 = 0
exit

== a table's value, written and read: 5
accept
result: 5
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
*(u64 *)(r10 - 24) = 5
r1 = r10
r1 += -16
r2 = 8
r3 = r10
r3 += -24
r4 = 8
r5 = 0
call 202
r1 = table_value 2 + 8 ll
r0 = *(u64 *)(r1 + 0)
exit

== read back through the dynptr
accept
result: 77
r1 = table_value 2 + 16 ll
*(u64 *)(r1 + 0) = 77
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -24
r2 = 8
r3 = r10
r3 += -16
r4 = 16
r5 = 0
call 201
r0 = *(u64 *)(r10 - 24)
exit

== a read that ends behind is too long
accept
result: 18446744073709551609
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -24
r2 = 8
r3 = r10
r3 += -16
r4 = 57
r5 = 0
call 201
exit

== a read with flags
accept
result: 18446744073709551594
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -24
r2 = 8
r3 = r10
r3 += -16
r4 = 0
r5 = 1
call 201
exit

== memory with flags is no dynptr, and a read of it fails
accept
result: 18446744073709551594
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 1
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -24
r2 = 8
r3 = r10
r3 += -16
r4 = 0
r5 = 0
call 201
exit

== a slice, checked for null
accept
result: 9
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
*(u64 *)(r0 + 8) = 9
out: r1 = table_value 2 + 16 ll
r0 = *(u64 *)(r1 + 0)
exit

== a slice that does not fit is null
accept
result: 0
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 60
r3 = 16
call 203
if r0 == 0 goto out
r0 = 1
out: exit

== a slice not checked
refuse: may be null
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
*(u64 *)(r0 + 8) = 9
r0 = 0
exit

== behind a slice
refuse: behind its end
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
*(u64 *)(r0 + 9) = 9
out: r0 = 0
exit

== a slice of a record, submitted
accept
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
if r0 == 0 goto out
*(u64 *)(r0 + 0) = 9
out: r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== a slice of a record, after that was submitted
refuse: reads r6|no value
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r6 = r0
if r0 == 0 goto out
r1 = r10
r1 += -16
r2 = 0
call 199
*(u64 *)(r6 + 0) = 9
r0 = 0
exit
out: r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== a slice that is null gives no record back
refuse: while a record is reserved
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
if r0 == 0 goto out
r1 = r10
r1 += -16
r2 = 0
call 199
out: r0 = 0
exit

== a slice handed to ringbuf_submit
refuse: must be a record
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
if r0 == 0 goto out
r1 = r0
r2 = 0
call 132
out: r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== memory that is no table's
refuse: in the value of a table
stricter: the kernel's scratch is a table's value in this test
r1 = r4
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = 0
exit

== memory on the stack
refuse: in the value of a table
*(u64 *)(r10 - 24) = 0
r1 = r10
r1 += -24
r2 = 8
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = 0
exit

== more memory than the value has
refuse: behind its end
r1 = table_value 2 + 0 ll
r2 = 65
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = 0
exit

== a read-only table
refuse: may only read
r1 = table_value 7 + 0 ll
r2 = 8
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = 0
exit

== a dynptr of a value given back
refuse: dynptr of a reserved record
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== no dynptr there
refuse: no dynptr here
*(u64 *)(r10 - 16) = 0
*(u64 *)(r10 - 8) = 0
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r0 = 0
exit

== half of it overwritten
refuse: no dynptr here
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
*(u64 *)(r10 - 8) = 0
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r0 = 0
exit

== a byte of it overwritten
refuse: no dynptr here
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
*(u8 *)(r10 - 16) = 0
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r0 = 0
exit

== a dynptr read as a number
refuse: reads a dynptr
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = *(u64 *)(r10 - 16)
exit

== a part of a dynptr read
refuse: reads part of an address
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r0 = *(u32 *)(r10 - 8)
exit

== a dynptr handed out as memory
refuse: part of an address
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = table 3 ll
r2 = r10
r2 += -16
r3 = 16
r4 = 0
call 130
r0 = 0
exit

== a dynptr eight bytes away
refuse: no dynptr here
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -24
call 197
*(u64 *)(r10 - 8) = 0
r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r0 = 0
exit

== an odd place
refuse: multiple of 8
r1 = table_value 2 + 0 ll
r2 = 8
r3 = 0
r4 = r10
r4 += -20
call 197
r0 = 0
exit

== a place that sticks out
refuse: 16 bytes of the stack
r1 = table_value 2 + 0 ll
r2 = 8
r3 = 0
r4 = r10
r4 += -8
call 197
r0 = 0
exit

== the place of a dynptr in memory
refuse: lies in the stack
r6 = r4
r1 = table_value 2 + 0 ll
r2 = 8
r3 = 0
r4 = r6
call 197
r0 = 0
exit

== a record is read over its own dynptr
refuse: no dynptr here
r1 = table 3 ll
r2 = 24
r3 = 0
r4 = r10
r4 += -16
call 198
r1 = r10
r1 += -16
r2 = 8
r3 = r10
r3 += -16
r4 = 0
r5 = 0
call 201
r1 = r10
r1 += -16
r2 = 0
call 199
r0 = 0
exit

== pruning must not lose that a half was overwritten
refuse: no dynptr here
r6 = 0
r7 = r3
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
if r7 == 0 goto a
goto b
a: *(u64 *)(r10 - 8) = 0
b: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r6 == 1 goto c
c: r1 = r10
r1 += -16
r2 = 0
r3 = 8
call 203
r0 = 0
exit

== a slice, after another dynptr took the place of its own
refuse: whose dynptr was overwritten
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r6 = r0
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
*(u64 *)(r6 + 0) = 9
out: r0 = 0
exit

== a slice, after a half of its dynptr was overwritten
refuse: whose dynptr was overwritten
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
*(u64 *)(r10 - 8) = 0
*(u64 *)(r0 + 0) = 9
out: r0 = 0
exit

== a slice, after another dynptr was overwritten
accept
result: 9
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -32
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
*(u64 *)(r10 - 24) = 0
*(u64 *)(r0 + 0) = 9
out: r1 = table_value 2 + 8 ll
r0 = *(u64 *)(r1 + 0)
exit

== pruning must not lose whose slice it is that goes
refuse: whose dynptr was overwritten
; One of two dynptrs is sliced. What comes first is the one that stays.
r6 = r3
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -32
call 197
r1 = r10
if r6 == 7 goto other
r1 += -32
goto slice
other: r1 += -16
slice: r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r7 = r0
r6 = 0
r0 = 0
goto join
join: *(u64 *)(r10 - 8) = 0
*(u64 *)(r7 + 0) = 9
out: r0 = 0
exit

== atomic operation on data at an odd offset
refuse: may begin at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 3
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation on data at a multiple of 8
accept
result: 0
r1 = table_value 2 + 8 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation of 4 bytes on data at a multiple of 4
accept
result: 0
r1 = table_value 2 + 4 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u32 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation of 8 bytes on data at a multiple of 4
refuse: may begin at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 4 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation on data of a dynptr at an odd offset
refuse: may begin at no multiple of 4
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 3 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 8
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u32 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation on data at an offset that is not known
refuse: may begin at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r6 = r3
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = r6
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== atomic operation on data at an offset of which enough is known
accept
result: 0
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 32
r2 &= 24
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== difference of data and itself
accept
result: 0
r1 = table_value 2 + 0 ll
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = r10
r1 += -16
r2 = 1
r3 = 16
call 203
if r0 == 0 goto out
r1 = 5
r1 = r0
r1 += 1
r1 -= r0
out: r0 = 0
exit

; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
; Table 22: programs; "-- program N" is what stands in place N.
why: bpf-helpers(7), bpf_tail_call: another program goes on in the place of this one, with its context; where there is none, and after 33 of them, the program goes on itself

== another program gives the result
accept
result: 42
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== an empty place
accept
result: 1
r1 = r2
r2 = table 22 ll
r3 = 1
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== no such place
accept
result: 1
r1 = r2
r2 = table 22 ll
r3 = 4
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== of the place 32 bits count
accept
result: 42
r1 = r2
r2 = table 22 ll
r3 = 0x700000000 ll
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== a place that is not known
accept
r1 = r2
r2 = table 22 ll
r3 &= 1
call 12
r0 = 1
exit
-- program 0
r0 = 40
exit
-- program 1
r0 = 41
exit

== 33 of them and no more
accept
result: 33
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- program 0
r6 = table_value 2 + 0 ll
r7 = *(u64 *)(r6 + 0)
r7 += 1
*(u64 *)(r6 + 0) = r7
r2 = table 22 ll
r3 = 0
call 12
r1 = table_value 2 + 0 ll
r0 = *(u64 *)(r1 + 0)
exit

== two in turn
accept
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- program 0
r6 = table_value 2 + 0 ll
r7 = *(u64 *)(r6 + 0)
r7 += 1
*(u64 *)(r6 + 0) = r7
r2 = table 22 ll
r3 = 1
call 12
r0 = 0
exit
-- program 1
r6 = table_value 2 + 0 ll
r7 = *(u64 *)(r6 + 0)
r7 += 1000
*(u64 *)(r6 + 0) = r7
r2 = table 22 ll
r3 = 0
call 12
r1 = table_value 2 + 0 ll
r0 = *(u64 *)(r1 + 0)
exit

== the stack of the one before is another's
accept
result: 9
*(u64 *)(r10 - 8) = 7
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = *(u64 *)(r10 - 8)
exit
-- program 0
*(u64 *)(r10 - 8) = 9
r0 = *(u64 *)(r10 - 8)
exit

== in a function: its caller gets the result
accept
result: 1042
r1 = r2
call function 1
r0 += 1000
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== in a function, of an empty place
accept
result: 1001
r1 = r2
call function 1
r0 += 1000
exit
-- function 1
r2 = table 22 ll
r3 = 2
call 12
r0 = 1
exit
-- program 0
r0 = 42
exit

== in a function of the function that was reached
accept
result: 1142
r1 = r2
call function 1
r0 += 1000
exit
-- function 1
*(u64 *)(r10 - 8) = 5
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- function 2
r2 = table 22 ll
r3 = 1
call 12
r0 = 2
exit
-- program 0
*(u64 *)(r10 - 8) = 100
call function 2
r1 = *(u64 *)(r10 - 8)
r0 += r1
exit
-- program 1
*(u64 *)(r10 - 8) = 3
r0 = 42
exit

== 33 of them through functions
accept
result: 33
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit
-- program 0
r6 = table_value 2 + 0 ll
r7 = *(u64 *)(r6 + 0)
r7 += 1
*(u64 *)(r6 + 0) = r7
call function 1
r1 = table_value 2 + 0 ll
r0 = *(u64 *)(r1 + 0)
exit

== what the other program returns is any number
refuse: behind its end|is not bounded
r6 = r4
r1 = r2
call function 1
r6 += r0
r0 = *(u8 *)(r6 + 0)
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit

== its caller knows what is in its own stack
accept
result: 56
r6 = r4
*(u64 *)(r10 - 8) = 8
r1 = r2
call function 1
r7 = *(u64 *)(r10 - 8)
r6 += r7
r0 = *(u8 *)(r6 + 0)
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 1
exit

== while a record is reserved
refuse: while a record is reserved
r6 = r2
r1 = table 3 ll
r2 = 8
r3 = 0
call 131
if r0 == 0 goto out
r7 = r0
r1 = r6
r2 = table 22 ll
r3 = 0
call 12
r1 = r7
r2 = 0
call 133
out: r0 = 0
exit

== while a lock is held
refuse: while a lock
r6 = r2
r1 = table_value 17 + 0 ll
call 93
r1 = r6
r2 = table 22 ll
r3 = 0
call 12
r1 = table_value 17 + 0 ll
call 94
r0 = 0
exit

== not the context
refuse: must be the context
r1 = r4
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit

== a number for the context
refuse: must be the context
r1 = 0
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit

== not a table of programs
refuse: does not work on this kind
r1 = r2
r2 = table 1 ll
r3 = 0
call 12
r0 = 0
exit

== a lookup in a table of programs
refuse: does not work on this kind
*(u32 *)(r10 - 4) = 0
r1 = table 22 ll
r2 = r10
r2 += -4
call 1
r0 = 0
exit

== an update of a table of programs
refuse: does not work on this kind
*(u32 *)(r10 - 4) = 0
r1 = table 22 ll
r2 = r10
r2 += -4
r3 = r2
r4 = 0
call 2
r0 = 0
exit

== r0 is nothing where the program goes on
refuse: reads r0
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
exit

== registers are gone where the program goes on
refuse: reads r3
r1 = r2
r2 = table 22 ll
r3 = 0
call 12
r0 = r3
exit

== in a function that is called back
refuse: must be the context|in a function that a helper calls back
*(u64 *)(r10 - 8) = 0
r1 = 4
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = 0
exit
-- function 1
r1 = table_value 2 + 0 ll
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit

== callers with a large stack
refuse: 256 bytes of stack
*(u64 *)(r10 - 256) = 0
r1 = r2
call function 1
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit

== callers with a stack below that
accept
result: 0
*(u64 *)(r10 - 216) = 0
r1 = r2
call function 1
exit
-- function 1
r2 = table 22 ll
r3 = 0
call 12
r0 = 0
exit


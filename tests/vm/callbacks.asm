; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: bpf-helpers(7), bpf_loop and bpf_for_each_map_elem: the function gets what is described there, may be called any number of times,
     none included, and returns 0 to go on or 1 to stop

== what is called back returns any number
refuse: 0 to go on or 1 to stop
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = r1
exit

== what is called back returns 2
refuse: 0 to go on or 1 to stop
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = 2
exit

== what is called back returns nothing
refuse: reads r0
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r1 = 0
exit

== what is called back reads a third argument
refuse: reads r3
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = r3
exit

== the index of a loop is not bounded
refuse: not bounded
*(u64 *)(r10 - 8) = r4
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
exit
-- function 1
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u8 *)(r3 + 0) = 1
r0 = 0
exit

== one round more than memory has bytes
refuse: behind its end
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = r4
r1 = 11
r2 = function 1 ll
r3 = r10
r3 += -16
r4 = 0
call 181
r0 = 0
exit
-- function 1
r3 = *(u64 *)(r2 + 8)
r4 = *(u64 *)(r2 + 0)
r4 += r3
*(u8 *)(r4 + 246) = 1
r3 += 1
*(u64 *)(r2 + 8) = r3
r0 = 0
exit

== a number that the function changed, used behind the loop
refuse: not bounded
r6 = r4
*(u64 *)(r10 - 8) = 0
r1 = r3
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
r6 += r0
*(u8 *)(r6 + 0) = 1
r0 = 0
exit
-- function 1
r3 = *(u64 *)(r2 + 0)
r3 *= 3
r3 += r1
*(u64 *)(r2 + 0) = r3
r0 = 0
exit

== the second round finds what the first left
refuse: uses as an address
*(u64 *)(r10 - 8) = r4
r1 = 2
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = 0
exit
-- function 1
r1 = *(u64 *)(r2 + 0)
*(u64 *)(r1 + 0) = 1
*(u64 *)(r2 + 0) = 0
r0 = 0
exit

== no round at all leaves nothing
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r1 = r3
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
*(u64 *)(r2 + 0) = 1
r0 = 0
exit

== a record is left reserved in a loop
refuse: ends while a record
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
r0 = 0
exit

== the key of an element is written
refuse: writes into the key
*(u64 *)(r10 - 8) = 0
r1 = table 0 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
*(u64 *)(r2 + 0) = 1
r0 = 0
exit

== behind the key of an element
refuse: behind its end
*(u64 *)(r10 - 8) = 0
r1 = table 1 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = *(u64 *)(r2 + 0)
r0 = 0
exit

== behind the value of an element
refuse: behind its end
*(u64 *)(r10 - 8) = 0
r1 = table 0 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = *(u64 *)(r3 + 16)
r0 = 0
exit

== every element of a ring buffer
refuse: does not work on this kind
*(u64 *)(r10 - 8) = 0
r1 = table 3 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = 0
exit

== a number for a function
refuse: must be a function
r1 = 1
r2 = 5
r3 = 0
r4 = 0
call 181
exit

== a context that is no stack
refuse: address of the stack
r1 = 1
r2 = function 1 ll
r3 = r4
r4 = 0
call 181
exit
-- function 1
r0 = 0
exit

== a function's address is moved
refuse: not the address of memory
stricter: the kernel lets a program compute with it, to no use
r2 = function 1 ll
r2 += 8
r0 = 0
exit
-- function 1
r0 = 0
exit

== a function's address is read
refuse: not the address of memory
r2 = function 1 ll
r0 = *(u64 *)(r2 + 0)
exit
-- function 1
r0 = 0
exit

== a function that calls itself back
refuse: nested more than
*(u64 *)(r10 - 8) = 0
r1 = 2
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r1 = 2
r2 = function 1 ll
r3 = 0
r4 = 0
call 181
r0 = 0
exit

== what the callback reads of its caller's registers
refuse: reads r6
*(u64 *)(r10 - 8) = 0
r1 = 2
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = r6
exit

== a loop around a helper that calls back, which nothing ends
refuse: a loop that never ends
stricter: 6.18 takes the way back to the call for one more round of it, and accepts a program that never ends
*(u64 *)(r10 - 8) = 0
again: r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
if r0 != 77 goto again
r0 = 0
exit
-- function 1
r0 = 0
exit

== a loop around a helper that calls back, of three rounds
accept
*(u64 *)(r10 - 8) = 0
r6 = 0
again: r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r6 += 1
if r6 < 3 goto again
r0 = r6
exit
-- function 1
r0 = 0
exit

== the address of a key is kept for when the walk is over
refuse: leaves the address of a key in the stack of the caller
stricter: the kernel's may be in the frame of the helper, too (of an array), and it looks there when that is gone
*(u64 *)(r10 - 8) = 0
*(u32 *)(r10 - 12) = 0
r1 = table 1 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
r1 = *(u64 *)(r10 - 8)
if r1 == 0 goto out
r0 = *(u32 *)(r1 + 0)
exit
out: r0 = 77
exit
-- function 1
*(u64 *)(r4 + 0) = r2
r0 = 0
exit

== the address of a key is kept in the own stack, and handed on
accept
result: 4
*(u64 *)(r10 - 8) = 0
r1 = table 1 ll
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 164
exit
-- function 1
*(u64 *)(r10 - 8) = r2
r1 = r10
r1 += -8
call function 2
r0 = 0
exit
-- function 2
r2 = *(u64 *)(r1 + 0)
r0 = *(u32 *)(r2 + 0)
exit

== a helper's loop in a helper's loop, each with a sum that differs from round to round and on which nothing rests
accept
result: 120
*(u64 *)(r10 - 8) = 0
r1 = 10
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r6 = r2
*(u64 *)(r10 - 8) = 0
r2 = function 2 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r1 = *(u64 *)(r6 + 0)
r2 = *(u64 *)(r10 - 8)
r1 += r2
*(u64 *)(r6 + 0) = r1
r0 = 0
exit
-- function 2
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u64 *)(r2 + 0) = r3
r0 = 0
exit

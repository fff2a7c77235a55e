; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst: stack is read only where it was written, an address kept there comes back whole, 512 bytes a frame

== stack never written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r0 = *(u64 *)(r10 - 8)
exit

== half of it written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
*(u32 *)(r10 - 8) = 1
r0 = *(u64 *)(r10 - 8)
exit

== stack written on one way
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
if r3 == 0 goto +1
*(u64 *)(r10 - 8) = 1
r0 = *(u64 *)(r10 - 8)
exit

== below the stack
refuse: touches stack
*(u64 *)(r10 - 520) = 1
r0 = 0
exit

== above the stack
refuse: touches stack
*(u64 *)(r10 + 0) = 1
r0 = 0
exit

== stack off its alignment
refuse: not a multiple
*(u64 *)(r10 - 12) = 1
r0 = 0
exit

== part of a spilled address read
refuse: part of an address
*(u64 *)(r10 - 8) = r4
r0 = *(u32 *)(r10 - 8)
exit

== address with a byte overwritten
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
*(u64 *)(r10 - 8) = r4
*(u8 *)(r10 - 8) = 1
r0 = *(u64 *)(r10 - 8)
exit

== key with an address in it
refuse: part of an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u64 *)(r10 - 8) = r4
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r0 = 0
exit

== key not written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r0 = 0
exit

== value with a gap
refuse: offset -20; between members of a structure? set all of it to zero first
stricter: the kernel lets the privileged read stack that was not written; we never do
*(u64 *)(r10 - 32) = 0
*(u32 *)(r10 - 24) = 0
*(u64 *)(r10 - 16) = 0
r1 = table 3 ll
r2 = r10
r2 += -32
r3 = 24
r4 = 0
call 130
r0 = 0
exit

== key too short
refuse: touches stack
*(u32 *)(r10 - 4) = 1
r2 = r10
r2 += -4
r1 = table 0 ll
call 1
r0 = 0
exit

== variable store over an address
refuse: may overwrite an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u64 *)(r10 - 8) = r4
*(u64 *)(r10 - 16) = 0
r3 &= 15
r1 = r10
r1 += -16
r1 += r3
*(u8 *)(r1 + 0) = 1
r0 = 0
exit

== variable store does not initialise
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r3 &= 7
r1 = r10
r1 += -8
r1 += r3
*(u8 *)(r1 + 0) = 1
r0 = *(u64 *)(r10 - 8)
exit

== variable size leaves stack unset
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r1 = r10
r1 += -16
r2 = r3
r2 &= 15
r3 = 0
call 113
r0 = *(u64 *)(r10 - 16)
exit

== 4 bytes at a multiple of 8, counted to a limit
accept
result: 4
*(u32 *)(r10 - 8) = 0
again: r1 = *(u32 *)(r10 - 8)
r1 += 1
*(u32 *)(r10 - 8) = r1
if r1 < 4 goto again
r0 = *(u32 *)(r10 - 8)
exit

== the low half of a number that is kept in 8 bytes
accept
result: 0
r3 &= 24
*(u64 *)(r10 - 8) = r3
r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== the low half of a number that has a high one
accept
result: 0
r3 &= 24
r1 = 0x100000000 ll
r3 |= r1
*(u32 *)(r10 - 8) = r3
r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== the high half of a number is no copy of it
refuse: not bounded
r3 &= 24
*(u64 *)(r10 - 8) = r3
r1 = *(u32 *)(r10 - 4)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== both halves written, read as one
refuse: not bounded
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = r3
r1 = *(u64 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== the low half, after the high one was written
refuse: not bounded
*(u32 *)(r10 - 8) = 8
*(u32 *)(r10 - 4) = r3
r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== the low half, after a byte of it was written
refuse: not bounded
*(u32 *)(r10 - 8) = 8
*(u8 *)(r10 - 6) = 1
r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== half an address is no number
refuse: part of an address
*(u64 *)(r10 - 8) = r4
r0 = *(u32 *)(r10 - 8)
exit

== a half of which the other was never written, read whole
refuse: was not written
stricter: the kernel lets the privileged read stack that was not written; we never do
*(u32 *)(r10 - 8) = 8
r0 = *(u64 *)(r10 - 8)
exit

== pruning must not take a larger half for a smaller one
refuse: behind its end
*(u32 *)(r10 - 8) = 80
if r3 == 0 goto join
*(u32 *)(r10 - 8) = 8
goto join
join: r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== pruning must not take the half of a larger number for a smaller one
refuse: behind its end
r1 = 80
*(u64 *)(r10 - 8) = r1
if r3 == 0 goto join
*(u32 *)(r10 - 8) = 8
goto join
join: r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== pruning must not take half a number for a whole one
refuse: not bounded
r1 = 8
*(u64 *)(r10 - 8) = r3
*(u32 *)(r10 - 8) = 8
if r3 == 0 goto join
*(u64 *)(r10 - 8) = r1
goto join
join: r1 = *(u64 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u64 *)(r2 + 0)
exit

== pruning must not take an address for half a number
refuse: part of an address
*(u64 *)(r10 - 8) = r4
if r3 == 0 goto join
*(u64 *)(r10 - 8) = r3
*(u32 *)(r10 - 8) = 0
goto join
join: r0 = *(u32 *)(r10 - 8)
exit

== a copy in half a slot is told what is found of the number
accept
result: 0
w3 = w3
*(u32 *)(r10 - 8) = r3
if r3 > 56 goto out
r1 = *(u32 *)(r10 - 8)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u8 *)(r2 + 0)
r0 = 0
exit
out: r0 = 0
exit

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

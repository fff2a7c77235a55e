; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst: every path ends, jumps stay within the function and arrive at an instruction; RFC 9669 section 3: unused fields are zero

== endless loop
refuse: never ends
r0 = 0
again: r1 = 1
r1 = 1
r1 = 1
r1 = 1
r1 = 1
r1 = 1
r1 = 1
if r0 == 0 goto again
exit

== endless loop that changes
refuse: too complex
r0 = 0
again: r0 += 1
if r0 != 0 goto again
exit

== unreachable instruction
refuse: no path leads
r0 = 0
exit
r0 = 1
exit

== runs out
refuse: runs out
r0 = 0

== jumps out
refuse: runs out
r0 = 0
if r0 == 1 goto +5
exit

== jumps into a wide instruction
refuse: middle of an instruction
r0 = 0
if r3 == 1 goto +1
r0 = 1 ll
exit

== division by the constant 0
refuse: constant 0
r0 = 1
r0 /= 0
exit

== shift by 64
refuse: below the width
r0 = 1
r0 <<= 64
exit

== 32-bit shift by 32
refuse: below the width
r0 = 1
w0 >>= 32
exit

== unknown opcode
refuse: not an instruction
.insn 0xff 0 0 0 0
r0 = 0
exit

== reserved field
refuse: is not zero
.insn 0xb7 0 3 0 0
exit

== packet access
refuse: network packet
.insn 0x30 0 0 0 0
exit

== recursion
refuse: calls itself
r1 = 1
call function 1
exit
-- function 1
if r1 == 0 goto +1
r0 = 0
if r1 != 0 goto out
call function 1
out: r0 = 0
exit

== endless recursion
refuse: nested more than
call function 1
exit
-- function 1
call function 1
r0 = 0
exit

== too much stack together
refuse: more than 512 bytes
stricter: 6.18 gives functions stacks of their own where it can
*(u64 *)(r10 - 304) = 1
call function 1
exit
-- function 1
*(u64 *)(r10 - 256) = 1
r0 = 0
exit

== function returns its stack
refuse: stack that ends
call function 1
r0 = 0
exit
-- function 1
r0 = r10
exit

== function leaves its stack in the caller's
refuse: stack of the caller
r1 = r10
r1 += -8
call function 1
r0 = 0
exit
-- function 1
*(u64 *)(r1 + 0) = r10
r0 = 0
exit

== function without a result
refuse: reads r0
call function 1
exit
-- function 1
r1 = 0
exit

== pruning must not lose an uninitialised slot
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r6 = 0
if r3 == 0 goto a
*(u32 *)(r10 - 8) = 1
*(u32 *)(r10 - 4) = 1
a: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r6 == 1 goto b
b: r0 = *(u64 *)(r10 - 8)
exit

== pruning must not lose the bytes beside one that is written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r6 = 0
if r3 == 0 goto a
*(u32 *)(r10 - 8) = 1
*(u32 *)(r10 - 4) = 1
a: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r6 == 1 goto b
b: *(u8 *)(r10 - 8) = 1
r0 = *(u64 *)(r10 - 8)
exit

== pruning must not lose that two numbers are one
refuse: not bounded
r6 = r3
r5 = *(u64 *)(r1 + 0)
if r5 != 0 goto a
goto j
a: r6 = *(u64 *)(r1 + 8)
j: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r7 == 9 goto b
b: if r3 > 100 goto out
r4 += r6
*(u8 *)(r4 + 0) = 0
out: r0 = 0
exit

== pruning must not lose that two values are one
refuse: may be null
r8 = *(u64 *)(r1 + 0)
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r6 = r0
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r8 != 0 goto a
r6 = r0
a: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r7 == 9 goto b
b: if r0 == 0 goto out
r1 = *(u64 *)(r6 + 0)
out: r0 = 0
exit

== pruning must not take an address for a number
refuse: address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
r6 = 0
*(u32 *)(r10 - 8) = 1
*(u32 *)(r10 - 4) = 1
if r3 == 0 goto a
goto b
a: *(u64 *)(r10 - 8) = r4
b: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r6 == 1 goto c
c: r0 = *(u64 *)(r10 - 8)
exit

== pruning must not lose where a function returns to
refuse: reads r9
r6 = 0
r1 = 0
if r3 == 0 goto a
call function 1
r0 = 0
exit
a: call function 1
r0 = r9
exit
-- function 1
r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r1 == 5 goto a
a: r0 = 0
exit

== pruning must not lose a wide range
refuse: behind its end
r6 = 0
if r3 != 0 goto a
r6 = 300
a: r7 = 1
r7 = 2
r7 = 3
r7 = 4
r7 = 5
r7 = 6
r7 = 7
r7 = 8
if r7 == 9 goto b
b: r4 += r6
*(u8 *)(r4 + 0) = 0
r0 = 0
exit

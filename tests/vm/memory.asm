; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst: loads and stores go through registers that hold addresses of stack, context or table values only, within bounds,
     and an address that may be null is compared first

== record read behind its end
refuse: behind its end
r0 = *(u64 *)(r1 + 57)
exit

== record read before its beginning
refuse: before its beginning
r0 = *(u8 *)(r1 - 1)
exit

== record written
refuse: may only be read
*(u8 *)(r1 + 0) = 1
r0 = 0
exit

== scratch written behind its end
refuse: behind its end
*(u32 *)(r4 + 253) = 1
r0 = 0
exit

== unbounded offset
refuse: not bounded
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== offset bounded above only
refuse: not bounded
if r3 s> 10 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== bound one too large
refuse: behind its end
if r3 > 249 goto out
r4 += r3
*(u64 *)(r4 + 0) = 1
out: r0 = 0
exit

== 32-bit bound of a 64-bit number
refuse: not bounded
if w3 > 10 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== moved beyond all memory by a range of numbers, and not used there
accept
r5 = *(u32 *)(r1 + 0)
r4 += r5
r0 = 0
exit

== moved beyond all memory by a known number, and not used there
accept
weaker: a range that begins nearer and reaches as far is accepted there, too; knowing more must not change the verdict
r5 = 4294967295 ll
r4 += r5
r0 = 0
exit

== what is known of the number depends on the path
accept
weaker: of r5 on one of the paths only one number is left
r5 = *(u32 *)(r1 + 0)
if w3 != -2 goto join
join: if r3 >= r5 goto out
r4 += r5
out: r0 = 0
exit

== moved beyond all memory by a known number, and used there
refuse: not bounded
r5 = 4294967295 ll
r4 += r5
r0 = *(u8 *)(r4 + 0)
exit

== moved beyond all memory, and back
result: 7
weaker: it is refused where it leaves
*(u8 *)(r4 + 0) = 7
r5 = 4294967295 ll
r4 += r5
r5 = -4294967295 ll
r4 += r5
r0 = *(u8 *)(r4 + 0)
exit

== moved beyond all memory by a constant
refuse: further than any memory reaches
r4 += 536870912
r0 = 0
exit

== number as an address
refuse: not the address of memory
r0 = *(u64 *)(r3 + 0)
exit

== context read
refuse: not the address of memory
stricter: the kernel's context is memory of known shape; ours is for helpers only
r0 = *(u64 *)(r2 + 0)
exit

== value not checked for null
refuse: may be null
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r0 = *(u64 *)(r0 + 0)
exit

== value read where it is null
refuse: not the address of memory
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 != 0 goto out
r1 = *(u64 *)(r0 + 0)
out: r0 = 0
exit

== check of another lookup's value
refuse: may be null
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
if r0 == 0 goto out
r0 = *(u64 *)(r6 + 0)
out: r0 = 0
exit

== value behind its end
refuse: behind its end
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
*(u64 *)(r0 + 9) = 1
out: r0 = 0
exit

== arithmetic before the null check
refuse: may be null
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r0 += 8
r0 = 0
exit

== read-only table written
refuse: may only read
r1 = table_value 7 + 0 ll
*(u8 *)(r1 + 0) = 1
r0 = 0
exit

== read-only table updated
refuse: may only read
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r3 = r4
r1 = table 7 ll
r4 = 0
call 2
exit

== address stored into scratch
refuse: stores an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u64 *)(r4 + 0) = r2
r0 = 0
exit

== address stored into a value
refuse: stores an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
*(u64 *)(r0 + 0) = r10
out: r0 = 0
exit

== atomic off its alignment
refuse: not a multiple
r1 = 1
lock *(u64 *)(r4 + 4) += r1
r0 = 0
exit

== atomic on the record
refuse: may only be read
r5 = 1
lock *(u64 *)(r1 + 0) += r5
r0 = 0
exit

== direct value behind its end
refuse: behind the end
r1 = table_value 2 + 64 ll
r0 = 0
exit

== direct value, variable offset too large
refuse: behind its end
r1 = table_value 2 + 8 ll
r3 &= 63
r1 += r3
r0 = *(u8 *)(r1 + 0)
exit

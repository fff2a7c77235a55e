; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: what stands in a read-only array of one entry that has first contents (.rodata) stays, so that a load at a known place gives a known number: how
     libbpf's programs are configured (check_mem_access of kernel/bpf/verifier.c; the map is frozen)

== a branch that a constant does not take may do what it wants
accept
result: 104
r1 = table_value 7 + 0 ll
r0 = *(u8 *)(r1 + 0)
if r0 == 104 goto out
r2 = 0
r0 = *(u64 *)(r2 + 0)
out: exit

== a branch that it takes may not
refuse: what is not the address of memory
r1 = table_value 7 + 0 ll
r0 = *(u8 *)(r1 + 0)
if r0 != 104 goto out
r2 = 0
r0 = *(u64 *)(r2 + 0)
out: exit

== 2, 4 and 8 bytes: "he", "wor\0" with what is behind, "hello\0wo"
accept
result: 1
r1 = table_value 7 + 0 ll
r2 = *(u16 *)(r1 + 0)
if r2 != 0x6568 goto bad
r2 = *(u32 *)(r1 + 8)
if r2 != 0x00646c72 goto bad
r2 = *(u64 *)(r1 + 0)
r3 = 0x6f77006f6c6c6568 ll
if r2 != r3 goto bad
r0 = 1
exit
bad: r2 = 0
r0 = *(u64 *)(r2 + 0)
exit

== what is known is the number that is loaded: an index of 104 is behind the end of 64 bytes
refuse: behind its end
r1 = table_value 7 + 0 ll
r2 = *(u8 *)(r1 + 0)
r1 = table_value 2 + 0 ll
r1 += r2
r0 = *(u8 *)(r1 + 0)
exit

== a loop of as many rounds as a constant says, 0 after "hello" and 119 "w": none
accept
result: 0
r1 = table_value 7 + 0 ll
r2 = *(u8 *)(r1 + 5)
r0 = 0
again: if r0 >= r2 goto out
r0 += 1
r3 = 0
r3 = *(u64 *)(r3 + 0)
goto again
out: exit

== a place that is not known, if all that can be there is bounded by nothing
refuse: behind its end
r3 &= 7
r1 = table_value 7 + 0 ll
r1 += r3
r2 = *(u8 *)(r1 + 0)
r1 = table_value 2 + 0 ll
r1 += r2
r0 = *(u8 *)(r1 + 0)
exit

== a place that a branch makes known
accept
result: 101
r3: 1
r0 = 101
if r3 != 1 goto out
r1 = table_value 7 + 0 ll
r1 += r3
r0 = *(u8 *)(r1 + 0)
if r0 == 101 goto out
r2 = 0
r0 = *(u64 *)(r2 + 0)
out: exit

== the record may only be read, but is no constant
refuse: what is not the address of memory
r0 = *(u8 *)(r2 + 0)
if r0 == 1 goto out
r2 = 0
r0 = *(u64 *)(r2 + 0)
out: exit

== what programs write is no constant
refuse: what is not the address of memory
r1 = table_value 2 + 0 ll
*(u8 *)(r1 + 0) = 1
r0 = *(u8 *)(r1 + 0)
if r0 == 1 goto out
r2 = 0
r0 = *(u64 *)(r2 + 0)
out: exit

== both ways to one place, with the constant and without: what was seen for one does not stand for the other
refuse: behind its end
r1 = table_value 7 + 0 ll
r2 = 1
if r3 == 0 goto join
r2 = *(u8 *)(r1 + 0)
join: r1 = table_value 2 + 0 ll
r1 += r2
r0 = *(u8 *)(r1 + 0)
exit

== a byte with its sign: -1 of ff, 255 without
accept
result: 254
r1 = table_value 14 + 176 ll
r0 = *(s8 *)(r1 + 15)
if r0 s> 0 goto bad
r2 = *(u8 *)(r1 + 15)
r0 += r2
exit
bad: r2 = 0
r0 = *(u64 *)(r2 + 0)
exit

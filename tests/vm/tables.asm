; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: bpf-helpers(7): each kind of table has its own helpers; BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG of bpf(2) forbid the other half

== lookup in a queue
refuse: does not work on this kind
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 8 ll
call 1
r0 = 0
exit

== pop of a hash table
refuse: does not work on this kind
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 88
r0 = 0
exit

== pop of a bloom filter
refuse: does not work on this kind
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 10 ll
call 88
r0 = 0
exit

== push of what was not written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r2 = r10
r2 += -8
r1 = table 8 ll
r3 = 0
call 87
r0 = 0
exit

== question to a bloom filter that was not written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r2 = r10
r2 += -8
r1 = table 10 ll
call 89
r0 = 0
exit

== read of a table that is only written
refuse: may only write
r1 = table_value 13 + 0 ll
r0 = *(u64 *)(r1 + 0)
exit

== atomic addition to a table that is only written
refuse: may only write
r1 = table_value 13 + 0 ll
r2 = 1
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== update of a table that is only read
refuse: may only read
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r3 = r4
r1 = table 7 ll
r4 = 0
call 2
r0 = 0
exit

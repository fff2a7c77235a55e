; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst and bpf-helpers(7): each helper has a prototype; arguments must fit it, sizes lie within the memory before them, what was
     reserved is given back exactly once

== a helper of the kernel's that is not there
refuse: calls helper 35 (get_current_task), which this engine does not have
stricter: there is no kernel whose task could be looked at
call 35
exit

== unknown helper
refuse: does not have
call 9999
r0 = 0
exit

== size not bounded
refuse: not bounded
r1 = r4
r2 = r3
r2 <<= 1
r2 >>= 1
r3 = 0
call 113
r0 = 0
exit

== size may be negative
refuse: may be negative
r1 = r4
r2 = r3
r3 = 0
call 113
r0 = 0
exit

== size too large
refuse: behind its end
r1 = r4
r2 = 257
r3 = 0
call 113
r0 = 0
exit

== size 0 where it must not be
refuse: may be 0
r1 = r4
r2 = r3
r2 &= 7
call 16
r0 = 0
exit

== helper writes into the record
refuse: may only be read
r2 = 8
r3 = 0
call 113
r0 = 0
exit

== table argument is no table
refuse: must be a table
*(u64 *)(r10 - 8) = 0
r2 = r10
r2 += -8
r1 = r4
call 1
r0 = 0
exit

== lookup in a ring buffer
refuse: does not work
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 3 ll
call 1
r0 = 0
exit

== lookup in a stack table
refuse: does not work
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 6 ll
call 1
r0 = 0
exit

== output into a hash
refuse: does not work
r1 = table 0 ll
r2 = r4
r3 = 8
r4 = 0
call 130
r0 = 0
exit

== table dereferenced
refuse: not the address of memory
stricter: the kernel lets programs read its own description of a table
r1 = table 0 ll
r0 = *(u64 *)(r1 + 0)
exit

== context missing
refuse: must be the context
r1 = r4
r2 = table 6 ll
r3 = 0
call 27
exit

== record never given back
refuse: while a record is reserved
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
*(u64 *)(r0 + 0) = 1
out: r0 = 0
exit

== record given back twice
refuse: reads r6
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = r0
r2 = 0
call 132
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== record used after it was given back
refuse: reads r6
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = r0
r2 = 0
call 132
*(u8 *)(r6 + 0) = 1
out: r0 = 0
exit

== record read after it was submitted
refuse: reads r6, whose record was submitted or discarded before
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 0
call 132
r0 = *(u64 *)(r6 + 0)
out: r0 = 0
exit

== record submitted twice, once by discarding it
refuse: reads r6, whose record was submitted or discarded before
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 0
call 133
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== argument of the call that submitted: no call leaves r1 a value
refuse: reads r1, which has no value here
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 0
call 132
r0 = *(u64 *)(r1 + 0)
out: r0 = 0
exit

== record submitted from its middle
refuse: beginning of the record
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r1 = r0
r1 += 8
r2 = 0
call 132
out: r0 = 0
exit

== record written behind its end
refuse: behind its end
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
*(u64 *)(r0 + 16) = 1
r1 = r0
r2 = 0
call 132
out: r0 = 0
exit

== record of a size that varies
refuse: constant size
r1 = table 3 ll
r2 = r3
r3 = 0
call 131
r0 = 0
exit

== constant string from scratch
refuse: read-only array
r1 = r4
r2 = 8
r3 = r4
call 182
exit

; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: what our compiler makes has to be accepted: paths that join, spilled registers, lookups checked for null

== return a number
accept
r0 = 0
exit

== read the record
accept
r0 = *(u64 *)(r1 + 56)
exit

== write scratch
accept
*(u64 *)(r4 + 248) = 1
r0 = 0
exit

== spill and fill all
accept
r5 = 9
*(u64 *)(r10 - 8) = r1
*(u64 *)(r10 - 16) = r2
*(u64 *)(r10 - 24) = r3
*(u64 *)(r10 - 32) = r4
*(u64 *)(r10 - 40) = r5
r1 = 0
r4 = *(u64 *)(r10 - 32)
r1 = *(u64 *)(r10 - 8)
r0 = *(u64 *)(r1 + 8)
*(u64 *)(r4 + 0) = r0
r0 = *(u64 *)(r10 - 40)
exit

== lookup, null check, atomic add
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r1 = 1
lock *(u64 *)(r0 + 8) += r1
out: r0 = 0
exit

== check of a copy tells of the other
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
r6 = r0
if r6 == 0 goto out
r1 = *(u64 *)(r0 + 0)
out: r0 = 0
exit

== check of a spilled copy
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
*(u64 *)(r10 - 16) = r0
if r0 != 0 goto there
r0 = 0
exit
there: r1 = *(u64 *)(r10 - 16)
r0 = *(u64 *)(r1 + 8)
exit

== update from scratch
accept
*(u64 *)(r10 - 8) = 1
*(u64 *)(r4 + 0) = 1
*(u64 *)(r4 + 8) = 2
r2 = r10
r2 += -8
r3 = r4
r1 = table 0 ll
r4 = 0
call 2
exit

== key of bytes
accept
*(u32 *)(r10 - 8) = 1
*(u16 *)(r10 - 4) = 2
*(u8 *)(r10 - 2) = 3
*(u8 *)(r10 - 1) = 4
r2 = r10
r2 += -8
r1 = table 0 ll
call 3
exit

== globals by direct value
accept
r1 = table_value 2 + 16 ll
r2 = 1
lock *(u64 *)(r1 + 40) += r2
r0 = 0
exit

== bounded offset into scratch
accept
r3 &= 127
r4 += r3
*(u64 *)(r4 + 120) = 1
r0 = 0
exit

== offset bounded by a branch
accept
if r3 > 248 goto out
r4 += r3
*(u64 *)(r4 + 0) = 1
out: r0 = 0
exit

== offset bounded by a signed pair
accept
if r3 s< 0 goto out
if r3 s> 56 goto out
r1 += r3
r0 = *(u64 *)(r1 + 0)
out: r0 = 0
exit

== 32-bit bound
accept
w3 = w3
if w3 >= 57 goto out
r1 += r3
r0 = *(u64 *)(r1 + 0)
out: r0 = 0
exit

== bound of a copy
accept
r5 = r3
if r5 > 100 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== bound of a spilled number
accept
*(u64 *)(r10 - 8) = r3
if r3 > 100 goto out
r5 = *(u64 *)(r10 - 8)
r4 += r5
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== size bounded for a helper
accept
r6 = r4
if r3 > 256 goto out
r1 = r4
r2 = r3
r3 = 0
call 113
out: r0 = 0
exit

== string read, its length used
accept
r6 = r4
r3 = *(u64 *)(r1 + 8)
r1 = r4
r2 = 128
call 114
if r0 s<= 0 goto out
r6 += r0
*(u8 *)(r6 + 127) = 0
out: r0 = 0
exit

== record out with a variable length
accept
r6 = r4
r3 &= 255
r2 = r4
r1 = table 3 ll
r4 = 0
call 130
exit

== stack filled by a helper
accept
r1 = r10
r1 += -16
r2 = 16
call 16
r0 = *(u64 *)(r10 - 8)
exit

== loop with a counter
accept
r0 = 0
again: r0 += 1
if r0 < 200 goto again
r0 = 0
exit

== loop over scratch
accept
r1 = 0
again: r2 = r4
r2 += r1
*(u8 *)(r2 + 0) = 0
r1 += 1
if r1 != 256 goto again
r0 = 0
exit

== loop over stack bytes
accept
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = 0
r1 = 0
again: r2 = r10
r2 += -16
r2 += r1
r3 = *(u8 *)(r2 + 0)
r3 += 1
*(u8 *)(r2 + 0) = r3
r1 += 1
if r1 < 16 goto again
r0 = *(u64 *)(r10 - 8)
exit

== many branches join
accept
r0 = 0
if r3 & 1 goto a
r0 += 1
a: if r3 & 2 goto b
r0 += 2
b: if r3 & 4 goto c
r0 += 4
c: if r3 & 8 goto d
r0 += 8
d: if r3 & 16 goto e
r0 += 16
e: if r3 & 32 goto f
r0 += 32
f: exit

== record of the ring buffer
accept
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
*(u64 *)(r0 + 8) = 1
r1 = r0
r2 = 0
call 132
out: r0 = 0
exit

== record discarded on one way, submitted on the other
accept
r6 = r3
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r1 = r0
r2 = 0
if r6 == 0 goto no
call 132
goto out
no: call 133
out: r0 = 0
exit

== compare-exchange on a value
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r0 = 0
r1 = 1
r0 = atomic64_cmpxchg((u64 *)(r6 + 0), r0, r1)
out: r0 = 0
exit

== fetch-add on stack
accept
*(u64 *)(r10 - 8) = 5
r1 = 1
r1 = atomic64_fetch_add((u64 *)(r10 - 8), r1)
r0 = *(u64 *)(r10 - 8)
exit

== percpu array as scratch
accept
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = table 5 ll
call 1
if r0 == 0 goto out
*(u64 *)(r0 + 504) = 1
out: r0 = 0
exit

== get_stackid
accept
differs: there is no stack of the kernel in ours
r1 = r2
r2 = table 6 ll
r3 = 0
call 27
exit

== data_loc through probe_read
accept
differs: reads what lies somewhere behind the record
r6 = r1
r5 = *(u32 *)(r1 + 8)
r5 &= 65535
r3 = r6
r3 += r5
r1 = r4
r2 = 64
call 115
exit

== division by an unknown number
accept
r0 = 100
r0 /= r3
r0 %= r3
exit

== function called
accept
r1 = 5
r2 = r4
call function 1
exit
-- function 1
*(u64 *)(r2 + 0) = r1
r0 = r1
exit

== function that reads stack of its caller
accept
*(u64 *)(r10 - 8) = 3
r1 = r10
r1 += -8
call function 1
exit
-- function 1
r0 = *(u64 *)(r1 + 0)
exit

== function that fills stack of its caller
accept
r1 = r10
r1 += -8
call function 1
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
*(u64 *)(r1 + 0) = 9
r0 = 0
exit

== registers 6 to 9 survive a call
accept
r6 = r4
call function 1
*(u8 *)(r6 + 0) = 1
r0 = 0
exit
-- function 1
r6 = 0
r0 = 0
exit

== function called twice from the same state
accept
r1 = 0
call function 1
r1 = 0
call function 1
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

== difference of two addresses
accept
r0 = r4
r0 += 8
r0 -= r4
r0 = 0
exit

== loop that calls back
accept
*(u64 *)(r10 - 8) = 0
r1 = 1000
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r0 = 0
exit

== loop that counts in its caller's stack
accept
*(u64 *)(r10 - 8) = 0
r1 = 1000
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u64 *)(r2 + 0) = r3
r0 = 0
if r3 < 99 goto out
r0 = 1
out: exit

== loop whose number nobody knows
accept
*(u64 *)(r10 - 8) = 0
r1 = r3
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r3 = *(u64 *)(r2 + 0)
r3 += 1
*(u64 *)(r2 + 0) = r3
r0 = 0
exit

== loop without a context
accept
r1 = 5
r2 = function 1 ll
r3 = 0
r4 = 0
call 181
exit
-- function 1
r0 = r2
exit

== loop that walks memory, its index bounded by the number of rounds
accept
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = r4
r1 = 10
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

== loop, the index compared
accept
*(u64 *)(r10 - 8) = r4
r1 = 1000
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
exit
-- function 1
if r1 > 255 goto out
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u8 *)(r3 + 0) = 1
out: r0 = 0
exit

== every element of a hash table
accept
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
r0 = *(u64 *)(r2 + 0)
*(u64 *)(r3 + 8) = r0
lock *(u64 *)(r4 + 0) += r0
r0 = 0
exit

== every element of an array
accept
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
r0 = *(u32 *)(r2 + 0)
*(u64 *)(r3 + 0) = r0
r0 = 0
exit

== every element deleted
accept
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
call 3
r0 = 0
exit

== loop in which a record is sent
accept
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
if r0 == 0 goto out
r1 = r0
r2 = 0
call 132
out: r0 = 0
exit

== a record is held over a loop
accept
r1 = table 3 ll
r2 = 16
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
*(u64 *)(r10 - 8) = r0
r1 = 4
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit
-- function 1
r1 = *(u64 *)(r2 + 0)
*(u64 *)(r1 + 8) = 1
r0 = 0
exit

== a queue
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 8 ll
r3 = 0
call 87
r2 = r10
r2 += -16
r1 = table 8 ll
call 88
r0 = *(u64 *)(r10 - 16)
exit

== a bloom filter
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 10 ll
call 89
exit

== an LPM trie
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 11 ll
call 1
if r0 == 0 goto out
r0 = *(u64 *)(r0 + 0)
out: r0 = 0
exit

== a table that is only written
accept
r1 = table_value 13 + 0 ll
*(u64 *)(r1 + 0) = 5
r0 = 0
exit

== a key found in an LRU table
accept
r0 = 0
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 12 ll
call 1
if r0 == 0 goto out
r1 = 1
lock *(u64 *)(r0 + 0) += r1
out: r0 = 0
exit

== strncmp with a constant
accept
r1 = r4
r2 = 16
r3 = table_value 7 + 6 ll
call 182
exit

== nothing read from null
refuse: not the address of memory
r6 = r2
r1 = 0
r2 = 0
r3 = 0
call 113
exit

== sign-extending load
accept
r0 = *(s8 *)(r1 + 1)
exit

== both ways of a signed 32-bit compare
accept
r0 = 0
if w3 s> -5 goto +1
r0 = 1
exit

== overwrite of a spilled address, then a number
accept
*(u64 *)(r10 - 8) = r4
*(u64 *)(r10 - 8) = 5
r0 = *(u64 *)(r10 - 8)
exit

== helper fills over a spilled address
accept
*(u64 *)(r10 - 8) = r4
r1 = r10
r1 += -8
r2 = 8
call 16
r0 = *(u64 *)(r10 - 8)
exit

== known bits prove alignment and bound
accept
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = 0
r3 &= 8
r1 = r10
r1 += -16
r1 += r3
r0 = *(u64 *)(r1 + 0)
exit
